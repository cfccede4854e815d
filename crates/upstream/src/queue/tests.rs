//! The line by itself: who gets a place, from how many threads it may be given back.

use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use sluice_health::Verdict;
use sluice_model::ServerAddress;
use sluice_net::connect::Destination;

use super::*;
use crate::endpoint::{EndpointKey, Shared};

const ANY: Wants = Wants {
    made_before: u64::MAX,
    not: Vec::new(),
    is_limited: false,
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

const fn line(length: usize) -> plan::Queue {
    plan::Queue {
        length,
        timeout: PATIENCE,
        sojourn: None,
    }
}

/// The line of an endpoint whose only place is taken.
fn line_at(endpoint: &Arc<Endpoint>) -> Arc<Queue> {
    enter(endpoint);
    Arc::clone(endpoint.queue())
}

fn comer(priority: Priority) -> Comer {
    Comer {
        priority,
        now: Moment::default(),
    }
}

fn join(queue: &Arc<Queue>, length: usize, wants: Wants) -> Option<Ticket> {
    queue.join(&line(length), comer(Priority::Normal), wants)
}

fn enter(endpoint: &Arc<Endpoint>) {
    assert!(endpoint.load().try_enter(Some(1)), "a place is free");
}

/// What the ticket has by now.
fn ready(ticket: &mut Ticket) -> Option<Place> {
    match ticket.receiver.try_recv().ok()? {
        Called::Place(place) => Some(place),
        Called::PushedOut => panic!("pushed out"),
    }
}

fn is_pushed_out(ticket: &mut Ticket) -> bool {
    matches!(ticket.receiver.try_recv(), Ok(Called::PushedOut))
}

/// Gives back a place as often as there are tickets; the order in which they get it.
fn order(endpoint: &Arc<Endpoint>, tickets: &mut [Ticket]) -> Vec<usize> {
    let mut order = Vec::new();
    for _ in 0..tickets.len() {
        Place::give_back(endpoint, Some(1), None);
        let next = tickets
            .iter_mut()
            .position(|ticket| ready(ticket).is_some_and(|place| place.keep().is_none()));
        order.extend(next);
    }
    order
}

#[test]
fn first_come_first_served() {
    let endpoint = endpoint();
    let queue = Arc::clone(endpoint.queue());
    enter(&endpoint);
    let mut tickets: Vec<_> = (0..3).filter_map(|_| join(&queue, 3, ANY)).collect();
    assert_eq!(tickets.len(), 3);
    assert!(join(&queue, 3, ANY).is_none(), "as long as it may be");
    for served in 0..3 {
        Place::give_back(&endpoint, Some(1), None);
        for (number, ticket) in tickets.iter_mut().enumerate().skip(served) {
            let place = ready(ticket);
            assert_eq!(place.is_some(), number == served, "{number} of {served}");
            if let Some(place) = place {
                assert!(place.keep().is_none(), "a place is somewhere");
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
    let first = join(&queue, 2, ANY).expect("room");
    let mut second = join(&queue, 2, ANY).expect("room");
    Place::give_back(&endpoint, Some(1), None);
    // It is the first one's, who does not want it any more.
    drop(first);
    let place = ready(&mut second).expect("the second one's turn");
    assert!(queue.is_empty());
    drop(place);
    assert_eq!(endpoint.load().in_flight(), 0);
    drop(join(&queue, 2, ANY));
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
        is_limited: false,
    };
    let older = Wants {
        made_before: 3,
        not: Vec::new(),
        is_limited: false,
    };
    let mut passed_by = [tried, older].map(|wants| join(&queue, 3, wants).expect("room"));
    let mut served = join(&queue, 3, ANY).expect("room");
    Place::give_back(&endpoint, Some(1), None);
    assert!(passed_by.iter_mut().all(|ticket| ready(ticket).is_none()));
    assert!(ready(&mut served).is_some());
}

#[test]
fn a_server_that_has_left_serves_those_who_came_before_that() {
    let endpoint = endpoint();
    let queue = Arc::clone(endpoint.queue());
    enter(&endpoint);
    let mut earlier = join(&queue, 3, ANY).expect("room");
    let left = queue.next_ticket();
    let mut later = join(&queue, 3, ANY).expect("room");
    Place::give_back(&endpoint, Some(1), Some(left));
    let place = ready(&mut earlier).expect("its turn");
    assert!(place.keep().is_none(), "a place is somewhere");
    Place::give_back(&endpoint, Some(1), Some(left));
    assert!(ready(&mut later).is_none());
    assert_eq!(endpoint.load().in_flight(), 0);
}

#[test]
fn higher_priorities_come_first_and_each_by_its_turn() {
    use Priority::{Critical, High, Low, Normal};
    let endpoint = endpoint();
    let queue = line_at(&endpoint);
    let mut tickets: Vec<_> = [Normal, Low, Critical, Normal, High, Critical, Low]
        .into_iter()
        .filter_map(|priority| queue.join(&line(7), comer(priority), ANY))
        .collect();
    assert_eq!(order(&endpoint, &mut tickets), [2, 5, 4, 0, 3, 1, 6]);
}

#[test]
fn the_newest_of_the_lowest_makes_room_for_who_matters_more() {
    use Priority::{Critical, High, Low, Normal};
    let endpoint = endpoint();
    let queue = line_at(&endpoint);
    let join = |priority| queue.join(&line(3), comer(priority), ANY);
    let mut tickets: Vec<_> = [Low, Normal, Low].into_iter().filter_map(join).collect();
    assert!(join(Low).is_none(), "none is below");
    let mut high = join(High).expect("room of the second low one");
    let pushed_out = tickets.iter_mut().map(is_pushed_out);
    assert_eq!(pushed_out.collect::<Vec<_>>(), [false, false, true]);
    let mut normal = join(Normal).expect("room of the first");
    assert!(is_pushed_out(&mut tickets[0]));
    assert!(join(Normal).is_none() && join(Low).is_none());
    let mut critical = join(Critical).expect("room of the newest normal one");
    assert!(is_pushed_out(&mut normal) && !is_pushed_out(&mut tickets[1]));
    for ticket in [&mut critical, &mut high, &mut tickets[1]] {
        Place::give_back(&endpoint, Some(1), None);
        let place = ready(ticket).expect("its turn");
        assert!(place.keep().is_none(), "a place is somewhere");
    }
    assert!(queue.is_empty());
    drop((tickets, normal));
    assert!(queue.is_empty(), "those who were pushed out have left");
}

#[test]
fn in_overload_the_newest_comes_first_and_nobody_stays_beyond_the_target() {
    let second = Duration::from_secs(1);
    let settings = plan::Queue {
        sojourn: Some(SojournSettings {
            target: second,
            interval: 10 * second,
        }),
        ..line(9)
    };
    let at = |seconds: u32| Moment::default() + seconds * second;
    let queue = Arc::new(Queue::new(Instant::now()));
    let join = |seconds| {
        let comer = Comer {
            now: at(seconds),
            ..comer(Priority::Normal)
        };
        queue.join(&settings, comer, ANY).expect("room")
    };
    let tickets: Vec<_> = [0, 8, 9].map(join).into();
    assert_eq!(tickets[0].patience(at(0)), Some(Patience::Until(at(10))));
    let next = |seconds| {
        let line = queue.lock();
        line.next(at(seconds), |_, _| true)
            .map(|(_, position)| position)
    };
    assert_eq!((next(9), next(10)), (Some(0), Some(2)));
    let patience = |seconds| {
        tickets
            .iter()
            .map(|ticket| ticket.patience(at(seconds)))
            .collect::<Vec<_>>()
    };
    let over = Some(Patience::Over);
    assert_eq!(patience(10), [over, over, over]);
    assert!(queue.is_empty(), "they have left");
    assert_eq!(patience(10), [None, None, None]);
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
                        let ticket = join(queue, 8, ANY).expect("room for four");
                        if gives_up {
                            continue;
                        }
                        if !endpoint.load().try_enter(Some(2)) {
                            let place = wait_for(ticket).expect("a place");
                            assert!(place.keep().is_none(), "a place is somewhere");
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

fn wait_for(ticket: Ticket) -> Result<Place, PushedOut> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
        .block_on(async { tokio::time::timeout(PATIENCE, ticket).await })
        .expect("the turn comes")
}

/// Far longer than it can take, and bounded.
const PATIENCE: Duration = Duration::from_secs(30);
