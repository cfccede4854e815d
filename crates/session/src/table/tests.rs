use std::thread;

use proptest::prelude::*;

use super::*;
use crate::signer::Signer;

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

fn at(seconds: u64) -> Moment {
    Moment::default() + Duration::from_secs(seconds)
}

fn name(number: u64) -> SessionName {
    Signer::new(b"0123456789abcdef", "app").session(&number.to_be_bytes())
}

/// As evenly spread as names are, and quicker to make.
fn quick_name(number: u64) -> SessionName {
    let spread = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    SessionName(NonZeroU64::new(spread).unwrap_or(NonZeroU64::MIN))
}

fn server_of(table: &Table, session: SessionName, now: Moment) -> Option<u64> {
    table.find(session, now).map(|found| found.server.0)
}

#[test]
fn what_is_kept_is_found() {
    let table = Table::new(100, HOUR);
    assert_eq!(table.find(name(1), at(0)), None);
    let new = Written::default();
    assert_eq!(table.keep(name(1), ServerName(7), at(0)), new);
    assert_eq!(server_of(&table, name(1), at(0)), Some(7));
    assert_eq!(server_of(&table, name(2), at(0)), None);
    let kept = table.keep(name(1), ServerName(8), at(0));
    assert_eq!(kept.known, Some(ServerName(7)));
    assert_eq!(server_of(&table, name(1), at(0)), Some(7));
    table.put(name(1), ServerName(8), at(0));
    assert_eq!(server_of(&table, name(1), at(0)), Some(8));
    assert_eq!(table.count(at(0)), 1);
}

#[test]
fn who_is_silent_is_forgotten_and_who_is_heard_of_is_not() {
    let table = Table::new(100, Duration::from_secs(10));
    table.put(name(1), ServerName(1), at(0));
    table.put(name(2), ServerName(2), at(0));
    let found = table.find(name(1), at(10)).expect("just in time");
    assert_eq!(found.silent, Duration::from_secs(10));
    assert_eq!(table.find(name(2), at(11)), None);
    // Who only asks is not heard of.
    assert_eq!(table.look_up(name(1), at(19)), Some(ServerName(1)));
    assert_eq!(table.look_up(name(2), at(11)), None);
    assert_eq!(table.look_up(name(1), at(21)), None);
    assert_eq!(server_of(&table, name(1), at(20)), Some(1));
    assert_eq!(table.count(at(20)), 1);
    // Its place is as good as free.
    let kept = table.keep(name(2), ServerName(3), at(20));
    assert_eq!(kept, Written::default());
    assert_eq!(server_of(&table, name(2), at(20)), Some(3));
}

#[test]
fn a_flood_takes_no_more_room_and_leaves_those_that_come_back() {
    let table = Table::new(1_000, HOUR);
    let size = table.sets.len() * WAYS;
    let regulars: Vec<_> = (0..100).map(name).collect();
    for session in &regulars {
        table.put(*session, ServerName(1), at(0));
    }
    let mut pushed_out = 0;
    for flood in 0..1_000_000 {
        // The regulars come back each second, of 500 names each.
        let now = at(flood / 500);
        if flood % 500 == 0 {
            for session in &regulars {
                assert_eq!(server_of(&table, *session, now), Some(1));
            }
        }
        let written = table.put(quick_name(flood), ServerName(2), now);
        pushed_out += u32::from(written.pushed_out);
    }
    assert_eq!(table.sets.len() * WAYS, size);
    assert!(table.count(at(2_000)) <= size);
    assert!(pushed_out > 990_000, "{pushed_out}");
}

#[test]
fn as_many_as_it_is_for_have_room() {
    let table = Table::new(10_000, HOUR);
    let gone = (0..10_000)
        .map(|session| table.put(quick_name(session), ServerName(1), at(0)))
        .filter(|written| written.pushed_out)
        .count();
    assert!(gone < 2_000, "{gone}");
    assert_eq!(table.count(at(0)) + gone, 10_000);
}

#[test]
fn one_of_another_size_takes_over_what_is_known() {
    let before = Table::new(10, MINUTE);
    before.put(name(1), ServerName(1), at(0));
    before.put(name(2), ServerName(2), at(50));
    assert!(before.is_for(10, MINUTE));
    assert!(!before.is_for(10_000, MINUTE));
    assert!(!before.is_for(10, Duration::from_secs(61)));
    let after = Table::new(10_000, MINUTE);
    after.take_over(&before, at(100));
    assert_eq!(server_of(&after, name(1), at(100)), None, "too old");
    let found = after.find(name(2), at(100)).expect("taken over");
    assert_eq!(found.server, ServerName(2));
    assert_eq!(found.silent, Duration::from_secs(50), "as it was");
}

#[test]
fn sessions_by_server() {
    let table = Table::new(100, HOUR);
    for session in 0..10 {
        table.put(name(session), ServerName(session % 3), at(0));
    }
    let servers = [ServerName(1), ServerName(0), ServerName(9)];
    assert_eq!(table.count_by_server(&servers, at(0)), [3, 4, 0]);
    assert_eq!(table.count_by_server(&servers, at(4_000)), [0, 0, 0]);
}

#[test]
fn no_worker_finds_the_server_of_another_session() {
    // So small that they push each other out all the time.
    let table = Table::new(24, HOUR);
    let (table, found) = (&table, &AtomicU64::new(0));
    thread::scope(|scope| {
        for worker in 0..4_u64 {
            scope.spawn(move || {
                for turn in 0..100_000_u64 {
                    let number = (turn * 7 + worker * 13) % 64;
                    let session = quick_name(number);
                    if turn % 3 == 0 {
                        table.keep(session, ServerName(number), at(turn));
                    } else if let Some(server) = server_of(table, session, at(turn)) {
                        assert_eq!(server, number);
                        found.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(found.load(Ordering::Relaxed) > 1_000);
}

#[test]
fn all_who_keep_the_same_at_once_agree() {
    for round in 0..200 {
        let table = Table::new(10, HOUR);
        let session = quick_name(round);
        let servers: Vec<u64> = thread::scope(|scope| {
            let workers: Vec<_> = (0..4_u64)
                .map(|worker| {
                    let table = &table;
                    scope.spawn(move || {
                        let written = table.keep(session, ServerName(worker), at(0));
                        written.known.map_or(worker, |server| server.0)
                    })
                })
                .collect();
            let servers = workers.into_iter().map(thread::ScopedJoinHandle::join);
            servers.map(|server| server.expect("it ends")).collect()
        });
        let found = server_of(&table, session, at(0));
        assert!(servers.iter().all(|server| Some(*server) == found));
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Keep(u64, u64),
    Put(u64, u64),
    Find(u64),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..6_u64, 0..4_u64).prop_map(|(session, server)| Step::Keep(session, server)),
        (0..6_u64, 0..4_u64).prop_map(|(session, server)| Step::Put(session, server)),
        (0..6_u64).prop_map(Step::Find),
        (0..8_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..100)
}

proptest! {
    /// As long as there is room, it is a map whose entries grow old.
    #[test]
    fn it_is_a_map(steps in steps()) {
        let table = Table::new(100, Duration::from_secs(10));
        let mut model = std::collections::BTreeMap::<u64, (u64, u64)>::new();
        let mut now = 0;
        for step in steps {
            let is_live = |entry: &&mut (u64, u64)| now - entry.1 <= 10;
            match step {
                Step::Wait(seconds) => now += seconds,
                Step::Find(session) => {
                    let entry = model.get_mut(&session).filter(is_live);
                    let expected = entry.map(|entry| { entry.1 = now; entry.0 });
                    prop_assert_eq!(server_of(&table, name(session), at(now)), expected);
                }
                Step::Put(session, server) => {
                    model.insert(session, (server, now));
                    let written = table.put(name(session), ServerName(server), at(now));
                    prop_assert_eq!(written, Written::default());
                }
                Step::Keep(session, server) => {
                    let kept = table.keep(name(session), ServerName(server), at(now));
                    if let Some(entry) = model.get_mut(&session).filter(is_live) {
                        entry.1 = now;
                        prop_assert_eq!(kept.known, Some(ServerName(entry.0)));
                    } else {
                        model.insert(session, (server, now));
                        prop_assert_eq!(kept, Written::default());
                    }
                }
            }
            let live = model.values().filter(|entry| now - entry.1 <= 10).count();
            prop_assert_eq!(table.count(at(now)), live);
        }
    }
}
