//! What a reload keeps.

use super::*;
use crate::rig;

fn text(app: &str, other: &str) -> String {
    format!(
        "[listeners.web]\naddress = '127.0.0.1:8081'\n\
         [[routes]]\nmatch.path = '/other/*'\nupstream = 'other'\n\
         [[routes]]\nupstream = 'app'\n\
         [upstreams.app]\n{app}\n[upstreams.other]\n{other}\n"
    )
}

const ONE: &str = "servers = ['127.0.0.1:9001', '127.0.0.1:9002']";
const TWO: &str = "servers = ['127.0.0.1:9003']";

fn labels(lanes: &[(Rc<Lane>, Rc<Cluster>)]) -> Vec<(String, String)> {
    lanes
        .iter()
        .map(|(lane, cluster)| {
            let upstream = cluster.settings().name.to_string();
            (upstream, lane.endpoint().label().to_string())
        })
        .collect()
}

#[test]
fn what_is_the_same_is_kept() {
    let registry = Registry::new("test");
    let plan = rig::plan(&text(ONE, TWO));
    let (first, endpoints) = rig::live(&plan, &Endpoints::default(), None, &registry);
    let again = rig::plan(&text(ONE, TWO));
    let (second, _) = rig::live(&again, &endpoints, Some(&first), &registry);
    assert_eq!(first.clusters().len(), 2);
    for (before, after) in first.clusters().iter().zip(second.clusters()) {
        assert!(Rc::ptr_eq(before, after));
    }
    assert_eq!(labels(&first.lanes_missing_in(&second)), []);
}

#[test]
fn a_changed_upstream_is_built_anew_with_the_lanes_that_stay() {
    let registry = Registry::new("test");
    let plan = rig::plan(&text(ONE, TWO));
    let (first, endpoints) = rig::live(&plan, &Endpoints::default(), None, &registry);
    let changed = "servers = ['127.0.0.1:9002', '127.0.0.1:9004']";
    let changed = rig::plan(&text(changed, TWO));
    let (second, _) = rig::live(&changed, &endpoints, Some(&first), &registry);

    let (before, after) = (&first.clusters()[0], &second.clusters()[0]);
    assert!(!Rc::ptr_eq(before, after));
    assert!(Rc::ptr_eq(&before.lanes()[1], &after.lanes()[0]));
    assert!(Rc::ptr_eq(&first.clusters()[1], &second.clusters()[1]));
    assert_eq!(
        labels(&first.lanes_missing_in(&second)),
        [("app".to_owned(), "127.0.0.1:9001".to_owned())]
    );
    assert_eq!(
        labels(&second.lanes_missing_in(&first)),
        [("app".to_owned(), "127.0.0.1:9004".to_owned())]
    );
}

#[test]
fn a_setting_changes_the_cluster_and_leaves_its_lanes() {
    let registry = Registry::new("test");
    let plan = rig::plan(&text(ONE, TWO));
    let (first, endpoints) = rig::live(&plan, &Endpoints::default(), None, &registry);
    let changed = rig::plan(&text(&format!("{ONE}\nidle-timeout = '1s'"), TWO));
    let (second, _) = rig::live(&changed, &endpoints, Some(&first), &registry);
    let (before, after) = (&first.clusters()[0], &second.clusters()[0]);
    assert!(!Rc::ptr_eq(before, after));
    assert!(
        before
            .lanes()
            .iter()
            .zip(after.lanes())
            .all(|(before, after)| Rc::ptr_eq(before, after))
    );
    assert_eq!(labels(&first.lanes_missing_in(&second)), []);
}

#[test]
fn upstreams_that_change_places_keep_their_clusters() {
    let registry = Registry::new("test");
    let first = rig::plan(&text(ONE, TWO));
    let (first, endpoints) = rig::live(&first, &Endpoints::default(), None, &registry);
    let swapped = text(ONE, TWO).replace("[upstreams.app]", "[upstreams.x]");
    let swapped = swapped
        .replace("[upstreams.other]", "[upstreams.app]")
        .replace("[upstreams.x]", "[upstreams.other]");
    let (second, _) = rig::live(&rig::plan(&swapped), &endpoints, Some(&first), &registry);
    // The names have changed places and with them the servers: nothing is taken over.
    for (before, after) in first.clusters().iter().zip(second.clusters().iter().rev()) {
        assert_eq!(before.settings().name, after.settings().name);
        assert!(!Rc::ptr_eq(before, after));
    }
    assert_eq!(first.lanes_missing_in(&second).len(), 3);
}

#[test]
fn a_slot_shows_the_newest_listener() {
    let registry = Registry::new("test");
    let plan = rig::plan(&text(ONE, TWO));
    let (first, endpoints) = rig::live(&plan, &Endpoints::default(), None, &registry);
    let slot = rig::slot(&first, 0, &registry);
    let held = slot.current();
    assert!(held.http().is_some());

    let tcp = "[listeners.web]\naddress = '127.0.0.1:8081'\nprotocol = 'tcp'\nupstream = 'app'\n\
               [upstreams.app]\nservers = ['127.0.0.1:9001']\n";
    let (second, _) = rig::live(&rig::plan(tcp), &endpoints, Some(&first), &registry);
    slot.replace(LiveListener::new(
        &second,
        0,
        &second.plan.listeners[0],
        &registry,
        0,
    ));
    assert!(slot.current().http().is_none());
    assert!(
        held.http().is_some(),
        "a request under way ends under the old plan"
    );
    assert!(!slot.is_closed());
    slot.close();
    assert!(slot.is_closed());
}
