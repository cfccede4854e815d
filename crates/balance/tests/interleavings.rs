//! Workers that share a server's load, in every order in which they may meet (up to three preemptions): what was taken is
//! given back, the limit holds, and what is read is whole.
//!
//! Only in a build with `RUSTFLAGS="--cfg loom"`, in which the atomics are those of the model.
#![cfg(loom)]

use std::time::Duration;

use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

use sluice_balance::{Ask, Kind, Load, Policy, Sample, ServerShape, Servers, Settings};
use sluice_model::{Moment, Weight};

const NOW: Moment = Moment::from_nanos(1_000_000_000);
const DECAY: Duration = Duration::from_secs(10);

/// What becomes of a request that was given a place.
#[derive(Clone, Copy)]
enum Fate {
    /// Its client goes away before there is an answer.
    Cancelled,
    Answered,
    Failed,
}

impl Fate {
    fn befall(self, load: &Load) {
        match self {
            Self::Cancelled => {}
            Self::Answered => {
                load.answered(NOW, Duration::from_millis(10), DECAY);
                load.ended(NOW, false);
            }
            Self::Failed => load.ended(NOW, true),
        }
        load.leave();
    }
}

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn the_limit_holds_and_all_is_given_back() {
    for fates in [
        &[Fate::Answered, Fate::Failed][..],
        &[Fate::Cancelled, Fate::Cancelled, Fate::Cancelled],
    ] {
        let limit = u32::try_from(fates.len()).expect("few") - 1;
        explore(move || {
            let load = Arc::new(Load::default());
            let inside = Arc::new(AtomicU32::new(0));
            let start = |&fate: &Fate| {
                let (load, inside) = (Arc::clone(&load), Arc::clone(&inside));
                thread::spawn(move || {
                    if load.try_enter(Some(limit)) {
                        let others = inside.fetch_add(1, Ordering::SeqCst);
                        assert!(others < limit, "{others} are inside");
                        inside.fetch_sub(1, Ordering::SeqCst);
                        fate.befall(&load);
                    }
                })
            };
            let workers: Vec<_> = fates.iter().map(start).collect();
            for worker in workers {
                worker.join().expect("a worker");
            }
            assert_eq!(load.in_flight(), 0);
        });
    }
}

#[test]
fn a_place_that_was_refused_is_not_kept() {
    explore(|| {
        let load = Arc::new(Load::default());
        assert!(load.try_enter(Some(1)));
        let other = Arc::clone(&load);
        let refused = thread::spawn(move || {
            let entered = other.try_enter(Some(1));
            if entered {
                other.leave();
            }
        });
        load.leave();
        refused.join().expect("a worker");
        assert_eq!(load.in_flight(), 0);
        assert!(load.try_enter(Some(1)), "there is room again");
    });
}

#[test]
fn an_average_is_always_one_that_was_written() {
    explore(|| {
        let load = Arc::new(Load::default());
        // Three answers make a latency known; each has another request beside it.
        for _ in 0..3 {
            load.answered(NOW, Duration::from_millis(10), DECAY);
        }
        let writers = [10, 30].map(|milliseconds| {
            let load = Arc::clone(&load);
            thread::spawn(move || {
                load.answered(NOW, Duration::from_millis(milliseconds), DECAY);
            })
        });
        let read = load.probe(NOW, DECAY).latency.expect("it is known");
        for writer in writers {
            writer.join().expect("a worker");
        }
        let last = load.probe(NOW, DECAY).latency.expect("it is known");
        for latency in [read, last] {
            let seconds = latency.as_secs_f32();
            // 10 ms, or 10 ms with one of 30 ms among four or five.
            let possible = [0.010, 0.015, 0.014];
            assert!(
                possible.iter().any(|one| (seconds - one).abs() < 1e-4),
                "{seconds}"
            );
        }
    });
}

/// Two servers with a place each.
struct Pair([Load; 2]);

impl Servers for Pair {
    fn is_eligible(&self, server: usize) -> bool {
        self.load(server).is_some_and(|load| load.in_flight() == 0)
    }

    fn load(&self, server: usize) -> Option<&Load> {
        self.0.get(server)
    }
}

#[test]
fn workers_that_pick_at_once_leave_nothing_behind() {
    explore(|| {
        let servers = Arc::new(Pair([Load::default(), Load::default()]));
        let workers = [1, 2].map(|seed| {
            let servers = Arc::clone(&servers);
            thread::spawn(move || {
                let shape = ServerShape {
                    id: 0,
                    weight: Weight::ONE,
                    backup: false,
                    in_own_zone: true,
                };
                let settings = Settings {
                    kind: Kind::LeastConnections(Sample::All),
                    ..Settings::default()
                };
                let mut policy = Policy::new(settings, &[shape, shape], seed);
                let ask = Ask {
                    now: NOW,
                    ..Ask::default()
                };
                let picked = policy.pick(&*servers, &ask);
                let load = picked.and_then(|server| servers.load(server));
                if let Some(load) = load.filter(|load| load.try_enter(Some(1))) {
                    Fate::Failed.befall(load);
                }
            })
        });
        for worker in workers {
            worker.join().expect("a worker");
        }
        for load in &servers.0 {
            assert_eq!(load.in_flight(), 0);
        }
    });
}
