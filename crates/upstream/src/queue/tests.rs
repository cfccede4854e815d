//! The line by itself: who gets a place, from how many threads it may be given back.

use std::sync::atomic::AtomicU32;
use std::time::Instant;

use sluice_health::Verdict;
use sluice_model::ServerAddress;
use sluice_net::connect::Destination;

use super::*;
use crate::endpoint::{EndpointKey, Shared};

const ANY: Wants = Wants {
    made_before: u64::MAX,
    not: Vec::new(),
};

fn endpoint() -> Arc<Endpoint> {
    let address = ([127, 0, 0, 1], 1).into();
    let key = EndpointKey {
        upstream: "app".into(),
        server: ServerAddress::Ip(address),
    };
    Arc::new(Endpoint::new(
        key,
        Destination::Ip(address),
        3,
        &Shared::new(Instant::now()),
        Verdict::Healthy,
    ))
}

fn enter(endpoint: &Arc<Endpoint>) {
    assert!(endpoint.load().try_enter(Some(1)), "a place is free");
}

/// What the ticket has by now.
fn ready(ticket: &mut Ticket) -> Option<Place> {
    ticket.receiver.try_recv().ok()
}

#[test]
fn first_come_first_served() {
    let endpoint = endpoint();
    let queue = Arc::clone(endpoint.queue());
    enter(&endpoint);
    let mut tickets: Vec<_> = (0..3).filter_map(|_| queue.join(3, ANY)).collect();
    assert_eq!(tickets.len(), 3);
    assert!(queue.join(3, ANY).is_none(), "as long as it may be");
    for served in 0..3 {
        Place::give_back(&endpoint, Some(1), None);
        for (number, ticket) in tickets.iter_mut().enumerate().skip(served) {
            let place = ready(ticket);
            assert_eq!(place.is_some(), number == served, "{number} of {served}");
            if let Some(place) = place {
                assert!(place.into_endpoint().is_some(), "a place is somewhere");
            }
        }
        assert_eq!(endpoint.load().in_flight(), 1, "it was handed over");
    }
    Place::give_back(&endpoint, Some(1), None);
    assert_eq!(endpoint.load().in_flight(), 0);
}

#[test]
fn who_goes_away_gives_up_place_and_turn() {
    let endpoint = endpoint();
    let queue = Arc::clone(endpoint.queue());
    enter(&endpoint);
    let first = queue.join(2, ANY).expect("room");
    let mut second = queue.join(2, ANY).expect("room");
    Place::give_back(&endpoint, Some(1), None);
    // It is the first one's, who does not want it any more.
    drop(first);
    let place = ready(&mut second).expect("the second one's turn");
    assert!(queue.is_empty());
    drop(place);
    assert_eq!(endpoint.load().in_flight(), 0);
    drop(queue.join(2, ANY));
    assert!(queue.is_empty());
}

#[test]
fn nobody_gets_a_server_that_he_has_had_or_does_not_know() {
    let endpoint = endpoint();
    let queue = Arc::clone(endpoint.queue());
    enter(&endpoint);
    let tried = Wants {
        made_before: u64::MAX,
        not: vec![3],
    };
    let older = Wants {
        made_before: 3,
        not: Vec::new(),
    };
    let mut passed_by = [tried, older].map(|wants| queue.join(3, wants).expect("room"));
    let mut served = queue.join(3, ANY).expect("room");
    Place::give_back(&endpoint, Some(1), None);
    assert!(passed_by.iter_mut().all(|ticket| ready(ticket).is_none()));
    assert!(ready(&mut served).is_some());
}

#[test]
fn a_server_that_has_left_serves_those_who_came_before_that() {
    let endpoint = endpoint();
    let queue = Arc::clone(endpoint.queue());
    enter(&endpoint);
    let mut earlier = queue.join(3, ANY).expect("room");
    let left = queue.next_ticket();
    let mut later = queue.join(3, ANY).expect("room");
    Place::give_back(&endpoint, Some(1), Some(left));
    let place = ready(&mut earlier).expect("its turn");
    assert!(place.into_endpoint().is_some(), "a place is somewhere");
    Place::give_back(&endpoint, Some(1), Some(left));
    assert!(ready(&mut later).is_none());
    assert_eq!(endpoint.load().in_flight(), 0);
}

/// However joining, giving back and going away meet: nobody waits beside a free place, and none is lost.
#[test]
fn no_turn_is_lost_between_threads() {
    let endpoint = endpoint();
    let queue = Arc::clone(endpoint.queue());
    let (inside, served) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (endpoint, queue) = (&endpoint, &queue);
            let (inside, served) = (&inside, &served);
            scope.spawn(move || {
                for round in 0..500 {
                    let gives_up = (thread + round) % 7 == 0;
                    if !endpoint.load().try_enter(Some(2)) {
                        let ticket = queue.join(8, ANY).expect("room for four");
                        if gives_up {
                            continue;
                        }
                        if !endpoint.load().try_enter(Some(2)) {
                            let place = wait_for(ticket).expect("a place");
                            assert!(place.into_endpoint().is_some(), "a place is somewhere");
                        }
                    }
                    let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(now <= 2, "{now} inside");
                    served.fetch_add(1, Ordering::SeqCst);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    Place::give_back(endpoint, Some(2), None);
                }
            });
        }
    });
    assert_eq!(endpoint.load().in_flight(), 0);
    assert!(queue.is_empty());
    assert!(served.load(Ordering::SeqCst) >= 4 * 500 * 6 / 7);
}

fn wait_for(ticket: Ticket) -> Option<Place> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
        .block_on(async { tokio::time::timeout(PATIENCE, ticket).await })
        .expect("the turn comes")
}

/// Far longer than it can take, and bounded.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
