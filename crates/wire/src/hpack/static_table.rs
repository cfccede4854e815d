//! The fields that everybody knows by number (RFC 7541, appendix A).

/// The field of that number, from 1 on.
#[inline]
pub(super) fn field(index: usize) -> Option<(&'static [u8], &'static [u8])> {
    let (name, value) = FIELDS.get(index.checked_sub(1)?)?;
    Some((name.as_bytes(), value.as_bytes()))
}

/// The number of the first field of that name.
pub(super) fn number_of(name: &[u8]) -> Option<usize> {
    let candidates = *BY_LENGTH.get(name.len())?;
    candidates
        .iter()
        .map(|index| usize::from(*index))
        .find(|index| field(*index).is_some_and(|(known, _)| known == name))
}

/// How many there are.
pub(super) const COUNT: usize = FIELDS.len();

const FIELDS: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// The numbers of the names of each length.
#[rustfmt::skip]
const BY_LENGTH: [&[u8]; 28] = [
    &[],
    &[],
    &[],
    &[21, 60],
    &[33, 34, 37, 38, 45, 59],
    &[4, 22, 50],
    &[19, 32, 35, 54],
    &[2, 6, 8, 36, 51, 52],
    &[39, 42, 46],
    &[],
    &[1, 55, 58],
    &[53],
    &[31, 47],
    &[18, 23, 24, 30, 41, 44],
    &[15, 28],
    &[16, 17],
    &[26, 27, 29, 61],
    &[40, 57],
    &[48],
    &[25, 43, 49],
    &[],
    &[],
    &[],
    &[],
    &[],
    &[56],
    &[],
    &[20],
];
