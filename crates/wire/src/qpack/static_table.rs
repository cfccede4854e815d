//! The fields that everybody knows by number (RFC 9204, appendix A).

/// The field of that number, from 0 on.
#[inline]
pub(super) fn field(index: usize) -> Option<(&'static [u8], &'static [u8])> {
    let (name, value) = FIELDS.get(index)?;
    Some((name.as_bytes(), value.as_bytes()))
}

/// Where a field is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The whole field has this number.
    Field(usize),
    /// A field of the same name has this number.
    Name(usize),
}

/// Where the field is found, or one of its name.
pub(super) fn find(name: &[u8], value: &[u8]) -> Option<Found> {
    let (first, after) = *BY_LENGTH.get(name.len())?;
    let candidates = SORTED.get(usize::from(first)..usize::from(after))?;
    let mut found = None;
    for index in candidates.iter().map(|index| usize::from(*index)) {
        let (known, known_value) = field(index)?;
        if known != name {
            continue;
        }
        if known_value == value {
            return Some(Found::Field(index));
        }
        found = found.or(Some(Found::Name(index)));
    }
    found
}

/// The numbers in the order of their names' lengths.
static SORTED: [u8; COUNT] = sorted().0;
/// Where in [`SORTED`] those with a name of this length begin and end.
static BY_LENGTH: [(u8, u8); LONGEST + 1] = sorted().1;

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "worked out by the compiler, which would tell"
)]
const fn sorted() -> ([u8; COUNT], [(u8, u8); LONGEST + 1]) {
    let mut sorted = [0; COUNT];
    let mut by_length = [(0, 0); LONGEST + 1];
    let (mut placed, mut length) = (0, 0);
    while length <= LONGEST {
        let first = placed;
        let mut index = 0;
        while index < COUNT {
            if FIELDS[index].0.len() == length {
                sorted[placed] = index as u8;
                placed += 1;
            }
            index += 1;
        }
        by_length[length] = (first as u8, placed as u8);
        length += 1;
    }
    assert!(placed == COUNT, "a name is longer than any is taken to be");
    (sorted, by_length)
}

/// How many there are.
const COUNT: usize = FIELDS.len();
/// The length of the longest name.
const LONGEST: usize = 32;

const FIELDS: [(&str, &str); 99] = [
    (":authority", ""),
    (":path", "/"),
    ("age", "0"),
    ("content-disposition", ""),
    ("content-length", "0"),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("referer", ""),
    ("set-cookie", ""),
    (":method", "CONNECT"),
    (":method", "DELETE"),
    (":method", "GET"),
    (":method", "HEAD"),
    (":method", "OPTIONS"),
    (":method", "POST"),
    (":method", "PUT"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "103"),
    (":status", "200"),
    (":status", "304"),
    (":status", "404"),
    (":status", "503"),
    ("accept", "*/*"),
    ("accept", "application/dns-message"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-ranges", "bytes"),
    ("access-control-allow-headers", "cache-control"),
    ("access-control-allow-headers", "content-type"),
    ("access-control-allow-origin", "*"),
    ("cache-control", "max-age=0"),
    ("cache-control", "max-age=2592000"),
    ("cache-control", "max-age=604800"),
    ("cache-control", "no-cache"),
    ("cache-control", "no-store"),
    ("cache-control", "public, max-age=31536000"),
    ("content-encoding", "br"),
    ("content-encoding", "gzip"),
    ("content-type", "application/dns-message"),
    ("content-type", "application/javascript"),
    ("content-type", "application/json"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "image/gif"),
    ("content-type", "image/jpeg"),
    ("content-type", "image/png"),
    ("content-type", "text/css"),
    ("content-type", "text/html; charset=utf-8"),
    ("content-type", "text/plain"),
    ("content-type", "text/plain;charset=utf-8"),
    ("range", "bytes=0-"),
    ("strict-transport-security", "max-age=31536000"),
    (
        "strict-transport-security",
        "max-age=31536000; includesubdomains",
    ),
    (
        "strict-transport-security",
        "max-age=31536000; includesubdomains; preload",
    ),
    ("vary", "accept-encoding"),
    ("vary", "origin"),
    ("x-content-type-options", "nosniff"),
    ("x-xss-protection", "1; mode=block"),
    (":status", "100"),
    (":status", "204"),
    (":status", "206"),
    (":status", "302"),
    (":status", "400"),
    (":status", "403"),
    (":status", "421"),
    (":status", "425"),
    (":status", "500"),
    ("accept-language", ""),
    ("access-control-allow-credentials", "FALSE"),
    ("access-control-allow-credentials", "TRUE"),
    ("access-control-allow-headers", "*"),
    ("access-control-allow-methods", "get"),
    ("access-control-allow-methods", "get, post, options"),
    ("access-control-allow-methods", "options"),
    ("access-control-expose-headers", "content-length"),
    ("access-control-request-headers", "content-type"),
    ("access-control-request-method", "get"),
    ("access-control-request-method", "post"),
    ("alt-svc", "clear"),
    ("authorization", ""),
    (
        "content-security-policy",
        "script-src 'none'; object-src 'none'; base-uri 'none'",
    ),
    ("early-data", "1"),
    ("expect-ct", ""),
    ("forwarded", ""),
    ("if-range", ""),
    ("origin", ""),
    ("purpose", "prefetch"),
    ("server", ""),
    ("timing-allow-origin", "*"),
    ("upgrade-insecure-requests", "1"),
    ("user-agent", ""),
    ("x-forwarded-for", ""),
    ("x-frame-options", "deny"),
    ("x-frame-options", "sameorigin"),
];
