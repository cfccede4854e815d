//! A policy for another worker, and weights that change: as if it had been made so, without the work.

use sluice_balance::{Kind, Policy, Settings};
use sluice_model::Weight;

use crate::cluster::{Cluster, every_kind, of_kind, picks, shapes};

#[test]
fn a_policy_for_another_worker_is_as_if_made_for_it() {
    let cluster = Cluster::of(7);
    let shapes = shapes(&[1; 7]);
    for kind in every_kind() {
        let mut first = Policy::new(of_kind(kind), &shapes, 1);
        picks(&mut first, &cluster, 5);
        let mut other = first.reseeded(9);
        let mut new = Policy::new(of_kind(kind), &shapes, 9);
        assert_eq!(
            picks(&mut other, &cluster, 50),
            picks(&mut new, &cluster, 50),
            "{kind:?}"
        );
    }
}

#[test]
fn new_weights_are_as_if_they_had_been_there_from_the_start() {
    let cluster = Cluster::of(5);
    let before = shapes(&[1; 5]);
    let values = [3, 1, 7, 2, 2].map(|weight| Weight::try_from(weight).expect("a weight"));
    let mut after = before.clone();
    for (shape, weight) in after.iter_mut().zip(values) {
        shape.weight = weight;
    }
    for kind in every_kind() {
        let mut reweighed = Policy::new(of_kind(kind), &before, 1);
        let mut sharing = reweighed.reseeded(1);
        reweighed.set_weights(&values);
        sharing.share_weights(&reweighed);
        let mut new = Policy::new(of_kind(kind), &after, 1);
        let expected = picks(&mut new, &cluster, 150);
        let share = |picks: &[usize]| {
            let mut counts = [0_i32; 5];
            for &server in picks {
                counts[server] += 1;
            }
            counts
        };
        for policy in [&mut reweighed, &mut sharing] {
            let picks = picks(policy, &cluster, 150);
            if kind == Kind::RoundRobin {
                // It goes on in its cycle, where a new one begins with the second turn.
                assert_eq!(share(&picks), [30, 10, 70, 20, 20]);
            } else {
                assert_eq!(picks, expected, "{kind:?}");
            }
        }
    }
}

#[test]
fn weights_that_stay_cost_nothing_and_wrong_numbers_of_them_do_no_harm() {
    let cluster = Cluster::of(3);
    let mut policy = Policy::new(Settings::default(), &shapes(&[1; 3]), 0);
    policy.set_weights(&[Weight::ONE; 3]);
    assert_eq!(picks(&mut policy, &cluster, 4), [0, 1, 2, 0]);
    policy.set_weights(&[]);
    policy.set_weights(&[Weight::ONE; 9]);
    assert_eq!(picks(&mut policy, &cluster, 4), [1, 2, 0, 1]);
    let two = Weight::try_from(2).expect("a weight");
    policy.set_weights(&[two]);
    let picks = picks(&mut policy, &cluster, 8);
    assert_eq!(picks.iter().filter(|&&server| server == 0).count(), 4);
}
