use std::net::{IpAddr, Ipv4Addr};

use sluice_balance::key_hash;
use sluice_route::side_id;

use super::*;

const DAY: Duration = Duration::from_hours(24);

fn split(by: SplitBy) -> Split {
    let side = |(index, name): (usize, &&str)| Side {
        upstream: UpstreamId(index),
        name: (*name).into(),
        id: side_id(key_hash(name.as_bytes())),
        weight: 1,
    };
    let sides = ["v1", "v2"].iter().enumerate().map(side).collect();
    Split { sides, by }
}

fn assignment() -> Assignment {
    Assignment {
        name: "ab".into(),
        ttl: DAY,
        domain: None,
        same_site: "Lax",
        secure: None,
    }
}

fn placed(split: &Split, cookie: &str, chance: u64, weights: [u32; 2]) -> Option<Placed> {
    let fields = vec![("cookie", cookie)];
    let facts = Facts {
        host: "a",
        path: "/",
        query: None,
        method: "GET",
        fields: &fields,
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        scheme: Scheme::Http,
        tls_subject: None,
        countries: None,
        json: None,
        identity: None,
    };
    split.place(&facts, chance, |side| weights[side])
}

#[test]
fn chance_decides_where_nothing_else_does() {
    for by in [
        SplitBy::Request,
        SplitBy::Key(HashKey::Cookie("uid".into())),
    ] {
        let split = split(by);
        let side = |chance| placed(&split, "other=1", chance, [1, 1]).map(|placed| placed.side);
        assert_eq!(side(0), Some(0));
        assert_eq!(side(u64::MAX), Some(1));
        assert_eq!(placed(&split, "", 1, [0, 0]), None);
    }
}

#[test]
fn a_key_decides_whatever_chance_says() {
    let split = split(SplitBy::Key(HashKey::Cookie("uid".into())));
    let mut counts = [0_u32; 2];
    for user in 0..1_000 {
        let cookie = format!("a=b; uid=user-{user}");
        let side = |chance| placed(&split, &cookie, chance, [1, 1]).expect("a side");
        assert_eq!(side(0), side(u64::MAX));
        assert_eq!(side(0).assigned, None);
        counts[side(0).side] += 1;
    }
    assert!(counts.iter().all(|count| *count > 400), "{counts:?}");
}

#[test]
fn who_comes_without_the_cookie_is_told_a_position_that_leads_to_the_same_side() {
    let split = split(SplitBy::Assigned(assignment()));
    for chance in (0..200).map(|number: u64| number.wrapping_mul(0x0123_4567_89AB_CDEF)) {
        let first = placed(&split, "", chance, [3, 1]).expect("a side");
        let position = first.assigned.expect("none before");
        let cookie = assignment().cookie(position, Scheme::Http);
        let (pair, _) = cookie.split_once(';').expect("attributes");
        let next = placed(&split, pair, !chance, [3, 1]).expect("a side");
        assert_eq!((next.side, next.assigned), (first.side, None));
    }
}

#[test]
fn what_we_never_set_is_no_position() {
    let split = split(SplitBy::Assigned(assignment()));
    for cookie in [
        "ab=",
        "ab=v2",
        "ab=0123456789abcde",
        "ab=0123456789abcdef0",
        "ab=0123456789ABCDEF",
        "ab=+123456789abcdef",
        "abc=0123456789abcdef",
    ] {
        let placed = placed(&split, cookie, 5, [1, 1]).expect("a side");
        assert_eq!(placed.assigned, Some(5), "{cookie}");
    }
    let second = placed(&split, "ab=old; ab=0123456789abcdef", 5, [1, 1]);
    assert_eq!(second.expect("a side").assigned, None);
}

#[test]
fn the_cookie_as_it_is_sent() {
    let plain = assignment();
    assert_eq!(
        plain.cookie(0xAB, Scheme::Http),
        "ab=00000000000000ab; Path=/; Max-Age=86400; SameSite=Lax; HttpOnly"
    );
    assert!(plain.cookie(1, Scheme::Https).contains("; Secure;"));
    let full = Assignment {
        domain: Some("example.com".into()),
        same_site: "None",
        secure: Some(true),
        ..plain
    };
    assert_eq!(
        full.cookie(u64::MAX, Scheme::Http),
        "ab=ffffffffffffffff; Path=/; Max-Age=86400; Domain=example.com; SameSite=None; Secure; HttpOnly"
    );
}
