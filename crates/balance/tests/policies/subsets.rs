//! A balancer that keeps to a part of the servers.

use std::collections::{BTreeMap, BTreeSet};

use sluice_balance::{Policy, Settings, Subset};

use crate::cluster::{Cluster, every_kind, of_kind, picks, shapes};

#[test]
fn a_balancer_keeps_to_its_subset_as_long_as_that_can_take_requests() {
    let mut shapes = shapes(&[1; 12]);
    shapes[11].backup = true;
    for (server, shape) in shapes.iter_mut().enumerate() {
        shape.in_own_zone = server < 6;
    }
    for kind in every_kind() {
        let cluster = Cluster::of(12);
        let mut of_own_zone = BTreeMap::new();
        for balancer in 0..3 {
            let subset = Subset {
                size: 2,
                balancer,
                balancers: 3,
            };
            let settings = Settings {
                subset: Some(subset),
                ..of_kind(kind)
            };
            let mut policy = Policy::new(settings, &shapes, 1);
            let mut picked =
                || -> BTreeSet<usize> { picks(&mut policy, &cluster, 200).into_iter().collect() };
            cluster.ineligible.replace(vec![]);
            let own = picked();
            assert!(
                own.len() == 2 && own.iter().all(|&server| server < 6),
                "{kind:?} {own:?}"
            );
            for &server in &own {
                *of_own_zone.entry(server).or_insert(0) += 1;
            }
            cluster.ineligible.borrow_mut().extend(&own);
            let others = picked();
            assert!(others.len() == 2 && others.iter().all(|server| (6..11).contains(server)));
            cluster.ineligible.borrow_mut().extend(&others);
            let outside = picked();
            assert_eq!(outside.len(), 7, "{kind:?} {outside:?}");
            cluster.ineligible.borrow_mut().extend(&outside);
            assert_eq!(picked().into_iter().collect::<Vec<_>>(), [11]);
        }
        assert_eq!(of_own_zone.into_values().collect::<Vec<_>>(), [1; 6]);
    }
}
