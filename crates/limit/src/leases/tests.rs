use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(milliseconds: u64) -> Moment {
    Moment::default() + Duration::from_millis(milliseconds)
}

#[test]
fn what_was_leased_is_used_up_or_ends() {
    let leases = Leases::new(64);
    assert_eq!(leases.take(7, at(0)), Lease::Ended);
    leases.add(7, 2, at(0), SECOND);
    leases.add(7, 1, at(10), SECOND);
    for _ in 0..3 {
        assert_eq!(leases.take(7, at(20)), Lease::Taken);
    }
    assert_eq!(leases.take(7, at(20)), Lease::Ended);
    leases.add(7, 5, at(2_000), SECOND);
    assert_eq!(leases.take(7, at(2_999)), Lease::Taken);
    assert_eq!(leases.take(7, at(3_000)), Lease::Ended);
}

#[test]
fn what_was_not_used_is_there_again() {
    let leases = Leases::new(64);
    leases.add(7, 1, at(0), SECOND);
    for _ in 0..3 {
        assert_eq!(leases.take(7, at(10)), Lease::Taken);
        leases.give_back(7, at(20));
    }
    assert_eq!(leases.take(7, at(30)), Lease::Taken);
    assert_eq!(leases.take(7, at(30)), Lease::Ended);
    // What is over is lost, and nobody gets one who is known to have none.
    leases.give_back(7, at(1_000));
    assert_eq!(leases.take(7, at(1_000)), Lease::Ended);
    leases.refuse(7, at(1_000), SECOND);
    leases.give_back(7, at(1_500));
    assert_eq!(leases.take(7, at(1_500)), Lease::Refused(SECOND / 2));
}

#[test]
fn who_has_none_is_not_asked_for_again_before_the_time() {
    let leases = Leases::new(64);
    leases.refuse(7, at(100), SECOND);
    assert_eq!(leases.take(7, at(600)), Lease::Refused(SECOND / 2));
    assert_eq!(leases.take(8, at(600)), Lease::Ended);
    assert_eq!(leases.take(7, at(1_100)), Lease::Ended);
}

#[test]
fn threads_take_no_more_than_was_leased() {
    let leases = Leases::new(64);
    leases.add(7, 1_000, at(0), SECOND);
    let taken: usize = std::thread::scope(|scope| {
        let take = || {
            (0..500)
                .filter(|_| leases.take(7, at(1)) == Lease::Taken)
                .count()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
        threads
            .into_iter()
            .map(|one| one.join().expect("no panic"))
            .sum()
    });
    assert_eq!(taken, 1_000);
}

#[test]
fn a_refusal_takes_away_nothing_that_was_leased() {
    let leases = Leases::new(64);
    // Two ask at once: one gets the last tokens, the other hears that there are none.
    leases.add(7, 2, at(100), SECOND);
    leases.refuse(7, at(101), SECOND);
    assert_eq!(leases.take(7, at(110)), Lease::Taken);
    assert_eq!(leases.take(7, at(110)), Lease::Taken);
    assert_eq!(leases.take(7, at(110)), Lease::Ended);
    leases.refuse(7, at(120), SECOND);
    assert_eq!(leases.take(7, at(620)), Lease::Refused(SECOND / 2));
}
