use std::cell::Cell;

use super::*;

thread_local! {
    static HOURS: Cell<u64> = const { Cell::new(0) };
}

/// A time that the test sets, by the hour.
fn clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(480_000 + HOURS.get())
}

fn tickets(texts: &[&str], purpose: &str) -> Tickets {
    HOURS.set(0);
    let texts = texts.iter().map(|text| Secret::new(text)).collect();
    Tickets {
        clock,
        ..Tickets::new(texts, purpose.as_bytes())
    }
}

#[test]
fn a_ticket_is_taken_for_a_period_and_no_longer_than_two() {
    for texts in [&[][..], &["a secret"]] {
        let tickets = tickets(texts, "web");
        HOURS.set(5);
        let early = tickets.encrypt(b"a session").expect("a ticket");
        assert!(!early.windows(9).any(|part| part == b"a session"));
        for (hours, taken) in [(5, true), (6, true), (11, true), (12, false), (13, false)] {
            HOURS.set(hours);
            let plain = tickets.decrypt(&early);
            assert_eq!(
                plain.as_deref() == Some(b"a session"),
                taken,
                "{texts:?} {hours}"
            );
        }
    }
}

#[test]
fn balancers_with_the_same_text_take_each_others_tickets() {
    let (one, two) = (tickets(&["a", "b"], "web"), tickets(&["b"], "web"));
    let ticket = two.encrypt(b"x").expect("a ticket");
    assert_eq!(one.decrypt(&ticket).as_deref(), Some(&b"x"[..]));
    let ticket = one.encrypt(b"x").expect("a ticket");
    assert_eq!(two.decrypt(&ticket), None, "made with another text");
    // Its clock is a bit ahead.
    HOURS.set(6);
    let ticket = two.encrypt(b"x").expect("a ticket");
    HOURS.set(5);
    assert_eq!(one.decrypt(&ticket).as_deref(), Some(&b"x"[..]));
}

#[test]
fn what_is_not_ours_is_not_taken() {
    let (web, other) = (tickets(&["a"], "web"), tickets(&["a"], "other"));
    let ticket = web.encrypt(b"x").expect("a ticket");
    assert_eq!(other.decrypt(&ticket), None, "for another purpose");
    let random = (tickets(&[], "web"), tickets(&[], "web"));
    let made = random.0.encrypt(b"x").expect("a ticket");
    assert_eq!(random.1.decrypt(&made), None);
    for end in 0..ticket.len() {
        assert_eq!(web.decrypt(&ticket[..end]), None);
    }
    for at in 0..ticket.len() {
        let mut changed = ticket.clone();
        changed[at] ^= 1;
        assert_eq!(web.decrypt(&changed), None, "byte {at}");
    }
}
