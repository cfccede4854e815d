use std::net::IpAddr;

use proptest::prelude::*;
use sluice_route::CountryLookup;

use super::*;

/// Brought by the test command: a database whose data are in the public domain (CC0).
fn bytes() -> Vec<u8> {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/node/node_modules/@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"
    );
    std::fs::read(file)
        .unwrap_or_else(|error| panic!("{file}: {error}: `cargo xtask test` brings it"))
}

fn code(countries: &Countries, address: &str) -> Option<String> {
    let address: IpAddr = address.parse().unwrap();
    Some(countries.country_of(address)?.to_string())
}

#[test]
fn addresses_have_the_countries_of_those_who_hold_them() {
    let countries = Countries::read(bytes()).unwrap();
    for (address, country) in [
        ("193.0.6.139", Some("NL")),
        ("::ffff:193.0.6.139", Some("NL")),
        ("2001:67c:2e8:22::c100:68b", Some("NL")),
        ("130.83.0.1", Some("DE")),
        ("8.8.8.8", Some("US")),
        ("203.178.141.194", Some("JP")),
        ("127.0.0.1", None),
        ("10.0.0.1", None),
        ("::1", None),
        ("fe80::1", None),
    ] {
        assert_eq!(code(&countries, address).as_deref(), country, "{address}");
    }
}

#[test]
fn what_is_no_database_is_an_error() {
    for wrong in [Vec::new(), b"not a database".to_vec(), vec![0; 100_000]] {
        assert!(matches!(
            Countries::read(wrong),
            Err(WrongDatabase::Format(_))
        ));
    }
    let half = bytes();
    let half = half[..half.len() / 2].to_vec();
    assert!(matches!(
        Countries::read(half),
        Err(WrongDatabase::Format(_))
    ));
}

/// A database whose entries are of `form`: one node, all addresses in one entry.
fn small(kind: &str, entry: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 1 + 16, 0, 0, 1 + 16];
    file.extend([0; 16]);
    file.extend(entry);
    file.extend(b"\xAB\xCD\xEFMaxMind.com");
    let text = |text: &str| [&[0x40 + u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let mut metadata = vec![0xE0 + 9];
    for (key, value) in [
        ("binary_format_major_version", vec![0xA1, 2]),
        ("binary_format_minor_version", vec![0xA1, 0]),
        ("build_epoch", vec![0x01, 0x02, 1]),
        ("database_type", text(kind)),
        ("description", vec![0xE0]),
        ("ip_version", vec![0xA1, 4]),
        ("languages", vec![0x00, 0x04]),
        ("node_count", vec![0xC1, 1]),
        ("record_size", vec![0xA1, 24]),
    ] {
        metadata.extend(text(key));
        metadata.extend(value);
    }
    file.extend(metadata);
    file
}

#[test]
fn both_forms_of_entries_are_read() {
    let nested = b"\xE1\x47country\xE1\x48iso_code\x42FR";
    let flat = b"\xE1\x4Ccountry_code\x42FR";
    for entry in [&nested[..], flat] {
        let countries = Countries::read(small("Small-Country", entry)).unwrap();
        assert_eq!(code(&countries, "192.0.2.1").as_deref(), Some("FR"));
    }
}

#[test]
fn a_database_of_something_else_is_an_error() {
    let entry = b"\xE1\x43asn\xC1\x07";
    let Err(error) = Countries::read(small("Small-ASN", entry)) else {
        panic!("a database of countries");
    };
    assert_eq!(error, WrongDatabase::NoCountries("Small-ASN".to_owned()));
}

proptest! {
    #[test]
    fn broken_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        address in any::<u32>(),
    ) {
        let mut file = small("Small-Country", b"\xE1\x47country\xE1\x48iso_code\x42FR");
        let length = file.len();
        for (at, byte) in changes {
            file[at.index(length)] = byte;
        }
        if let Ok(countries) = Countries::read(file) {
            countries.country_of(IpAddr::V4(address.into()));
        }
    }
}
