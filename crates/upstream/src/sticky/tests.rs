use sluice_config::plan::{Remembered, SameSite, SessionKey, Sticky, StickyCookie};
use sluice_session::{ServerName, SessionName};

use super::*;
use crate::cluster::tests::Room;

fn remembered(max_sessions: usize) -> Sticky {
    Sticky::Remembered(Remembered {
        by: SessionKey::ClientIp,
        ttl: Duration::from_hours(1),
        max_sessions,
        store: None,
    })
}

fn cookie() -> Sticky {
    Sticky::Cookie(StickyCookie {
        name: "lb".into(),
        ttl: None,
        domain: None,
        path: "/".into(),
        same_site: SameSite::Lax,
        secure: None,
    })
}

fn after(before: &Endpoints, sticky: Sticky, secret: Option<&str>) -> Endpoints {
    let settings = Upstream {
        sticky: Some(sticky),
        ..Room::with_servers(1).settings()
    };
    let upstreams = std::slice::from_ref(&settings);
    let mut endpoints = before.updated(upstreams).expect("addresses");
    endpoints.follow_sessions(upstreams, secret.map(Secret::new).as_ref());
    endpoints
}

fn sessions(endpoints: &Endpoints) -> &Arc<Sessions> {
    endpoints.sessions("app").expect("it is sticky")
}

fn name(endpoints: &Endpoints) -> SessionName {
    sessions(endpoints).signer().session(b"me")
}

fn table(endpoints: &Endpoints) -> &Table {
    let table = sessions(endpoints).table();
    table.expect("they are remembered")
}

#[test]
fn what_is_known_lives_on_through_reloads() {
    let first = after(&Endpoints::default(), remembered(100), None);
    let me = name(&first);
    table(&first).put(me, ServerName(7), first.now());
    let second = after(&first, remembered(100), None);
    assert!(Arc::ptr_eq(sessions(&first), sessions(&second)));
    let third = after(&second, remembered(5_000), None);
    assert!(!Arc::ptr_eq(sessions(&second), sessions(&third)));
    let found = table(&third).find(me, third.now());
    assert_eq!(found.map(|found| found.server), Some(ServerName(7)));
    let none = after(&third, cookie(), None);
    assert!(sessions(&none).table().is_none());
}

#[test]
fn another_secret_makes_other_names() {
    let first = after(&Endpoints::default(), remembered(100), Some("one of many"));
    let me = name(&first);
    table(&first).put(me, ServerName(7), first.now());
    let second = after(&first, remembered(100), Some("another one"));
    assert_ne!(name(&second), me);
    assert_eq!(table(&second).find(me, second.now()), None);
    let elsewhere = after(&Endpoints::default(), remembered(9), Some("one of many"));
    assert_eq!(name(&elsewhere), me, "in every process");
}

#[test]
fn what_is_drawn_differs_by_process_and_not_by_reload() {
    let first = after(&Endpoints::default(), remembered(100), None);
    let second = after(&first, cookie(), None);
    assert_eq!(name(&first), name(&second));
    let elsewhere = after(&Endpoints::default(), remembered(100), None);
    assert_ne!(name(&first), name(&elsewhere));
}
