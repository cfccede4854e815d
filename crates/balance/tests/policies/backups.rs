//! Backup servers are used where no primary one can be, whatever the policy.

use sluice_balance::Policy;

use crate::cluster::{Cluster, every_kind, of_kind, picks, shapes};

#[test]
fn only_when_no_primary_is_left() {
    for kind in every_kind() {
        let mut shapes = shapes(&[1; 6]);
        shapes[1].backup = true;
        shapes[4].backup = true;
        let mut policy = Policy::new(of_kind(kind), &shapes, 1);
        let cluster = Cluster::of(6);
        let mut all = |ineligible: &[usize]| {
            cluster.ineligible.replace(ineligible.to_vec());
            picks(&mut policy, &cluster, 200)
        };
        let is_backup = |server: &usize| [1, 4].contains(server);
        assert!(!all(&[]).iter().any(is_backup), "{kind:?}");
        assert_eq!(all(&[0, 2, 3]), vec![5; 200], "{kind:?}");
        let backups = all(&[0, 2, 3, 5]);
        assert!(
            backups.iter().all(is_backup) && backups.len() == 200,
            "{kind:?}"
        );
        assert_eq!(all(&[0, 1, 2, 3, 4, 5]), [], "{kind:?}");
        assert!(!all(&[]).iter().any(is_backup), "{kind:?}");
    }
}
