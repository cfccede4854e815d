//! Single header fields, and the fast recognition of those a proxy cares about.

/// One header field, borrowed from the head it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'b> {
    /// The name as the sender wrote it; a token, so ASCII. Compare it without regard to case.
    pub name: &'b str,
    /// The value without surrounding whitespace; may hold bytes above 0x7F.
    pub value: &'b [u8],
    /// Which well-known field this is.
    pub kind: FieldKind,
    /// Meant for this connection only (RFC 9110, 7.6.1), so never passed on.
    pub hop_by_hop: bool,
}

/// The fields that a proxy reads, writes or removes. Every other one is [`FieldKind::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each variant is the field of that name")]
pub enum FieldKind {
    Other,
    // Hop-by-hop: for the neighbour on the connection only.
    Connection,
    KeepAlive,
    ProxyConnection,
    Te,
    TransferEncoding,
    Upgrade,
    // Framing and routing.
    Host,
    ContentLength,
    Expect,
    MaxForwards,
    Trailer,
    // What proxies tell each other.
    Forwarded,
    Via,
    XForwardedFor,
    XForwardedHost,
    XForwardedPort,
    XForwardedProto,
    XRealIp,
    XRequestId,
    /// One of these five that is written with `_`: servers that make variables of fields, as CGI does (RFC 3875, 4.1.18), cannot tell
    /// the two apart.
    Lookalike,
    // What filters and answers look at.
    AcceptEncoding,
    Authorization,
    CacheControl,
    ContentEncoding,
    ContentType,
    Cookie,
    Date,
    Location,
    ProxyAuthenticate,
    ProxyAuthorization,
    Referer,
    Server,
    SetCookie,
    UserAgent,
}

impl FieldKind {
    /// Recognises a field name, in any case.
    ///
    /// The name must be a token: the comparison lowers bytes by setting one bit, which is exact among token bytes only.
    #[inline]
    pub fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let Some(first) = bytes.first() else {
            return Self::Other;
        };
        // Length and first letter leave one or two candidates.
        match (bytes.len(), first | 0x20) {
            (2, b't') => is(bytes, b"te", Self::Te),
            (3, b'v') => is(bytes, b"via", Self::Via),
            (4, b'h') => is(bytes, b"host", Self::Host),
            (4, b'd') => is(bytes, b"date", Self::Date),
            (6, b'c') => is(bytes, b"cookie", Self::Cookie),
            (6, b'e') => is(bytes, b"expect", Self::Expect),
            (6, b's') => is(bytes, b"server", Self::Server),
            (7, b'r') => is(bytes, b"referer", Self::Referer),
            (7, b't') => is(bytes, b"trailer", Self::Trailer),
            (7, b'u') => is(bytes, b"upgrade", Self::Upgrade),
            (8, b'l') => is(bytes, b"location", Self::Location),
            (9, b'f') => is(bytes, b"forwarded", Self::Forwarded),
            (9, b'x') => told(bytes, b"x-real-ip", Self::XRealIp),
            (10, b'c') => is(bytes, b"connection", Self::Connection),
            (10, b'k') => is(bytes, b"keep-alive", Self::KeepAlive),
            (10, b's') => is(bytes, b"set-cookie", Self::SetCookie),
            (10, b'u') => is(bytes, b"user-agent", Self::UserAgent),
            (12, b'c') => is(bytes, b"content-type", Self::ContentType),
            (12, b'm') => is(bytes, b"max-forwards", Self::MaxForwards),
            (12, b'x') => told(bytes, b"x-request-id", Self::XRequestId),
            (13, b'a') => is(bytes, b"authorization", Self::Authorization),
            (13, b'c') => is(bytes, b"cache-control", Self::CacheControl),
            (14, b'c') => is(bytes, b"content-length", Self::ContentLength),
            (15, b'a') => is(bytes, b"accept-encoding", Self::AcceptEncoding),
            (15, b'x') => told(bytes, b"x-forwarded-for", Self::XForwardedFor),
            (16, b'c') => is(bytes, b"content-encoding", Self::ContentEncoding),
            (16, b'p') => is(bytes, b"proxy-connection", Self::ProxyConnection),
            (16, b'x') => match told(bytes, b"x-forwarded-host", Self::XForwardedHost) {
                Self::Other => told(bytes, b"x-forwarded-port", Self::XForwardedPort),
                kind => kind,
            },
            (17, b't') => is(bytes, b"transfer-encoding", Self::TransferEncoding),
            (17, b'x') => told(bytes, b"x-forwarded-proto", Self::XForwardedProto),
            (18, b'p') => is(bytes, b"proxy-authenticate", Self::ProxyAuthenticate),
            (19, b'p') => is(bytes, b"proxy-authorization", Self::ProxyAuthorization),
            _ => Self::Other,
        }
    }

    /// Hop-by-hop whether `Connection` names it or not (RFC 9110, 7.6.1).
    ///
    /// `Trailer` is not: trailers are passed on, so what announces them is too.
    #[inline]
    pub fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::KeepAlive
                | Self::ProxyConnection
                | Self::Te
                | Self::TransferEncoding
                | Self::Upgrade
        )
    }
}

/// Compares a name of known length with a lower-case one. Letters, digits and `-` have no other token byte that
/// becomes them when bit 0x20 is set.
#[inline]
fn is<const N: usize>(name: &[u8], lower: &[u8; N], kind: FieldKind) -> FieldKind {
    let Some(name) = name.first_chunk::<N>() else {
        return FieldKind::Other;
    };
    let mut differs = 0;
    for (byte, expected) in name.iter().zip(lower) {
        differs |= (byte | 0x20) ^ expected;
    }
    if differs == 0 { kind } else { FieldKind::Other }
}

/// Likewise for what proxies tell each other; also where it is written with `_`.
#[inline]
fn told<const N: usize>(name: &[u8], lower: &[u8; N], kind: FieldKind) -> FieldKind {
    match is(name, lower, kind) {
        FieldKind::Other if looks_alike(name, lower) => FieldKind::Lookalike,
        found => found,
    }
}

#[cold]
fn looks_alike(name: &[u8], lower: &[u8]) -> bool {
    let alike = |(byte, expected): (&u8, &u8)| {
        byte.eq_ignore_ascii_case(expected) || (*byte == b'_' && *expected == b'-')
    };
    name.len() == lower.len() && name.iter().zip(lower).all(alike)
}

#[cfg(test)]
mod tests {
    use super::FieldKind;

    const NAMES: &[(&str, FieldKind)] = &[
        ("Connection", FieldKind::Connection),
        ("Keep-Alive", FieldKind::KeepAlive),
        ("Proxy-Connection", FieldKind::ProxyConnection),
        ("TE", FieldKind::Te),
        ("Transfer-Encoding", FieldKind::TransferEncoding),
        ("Upgrade", FieldKind::Upgrade),
        ("Host", FieldKind::Host),
        ("Content-Length", FieldKind::ContentLength),
        ("Expect", FieldKind::Expect),
        ("Max-Forwards", FieldKind::MaxForwards),
        ("Trailer", FieldKind::Trailer),
        ("Forwarded", FieldKind::Forwarded),
        ("Via", FieldKind::Via),
        ("X-Forwarded-For", FieldKind::XForwardedFor),
        ("X-Forwarded-Host", FieldKind::XForwardedHost),
        ("X-Forwarded-Port", FieldKind::XForwardedPort),
        ("X-Forwarded-Proto", FieldKind::XForwardedProto),
        ("X-Real-IP", FieldKind::XRealIp),
        ("X-Request-ID", FieldKind::XRequestId),
        ("X_Forwarded_For", FieldKind::Lookalike),
        ("Accept-Encoding", FieldKind::AcceptEncoding),
        ("Authorization", FieldKind::Authorization),
        ("Cache-Control", FieldKind::CacheControl),
        ("Content-Encoding", FieldKind::ContentEncoding),
        ("Content-Type", FieldKind::ContentType),
        ("Cookie", FieldKind::Cookie),
        ("Date", FieldKind::Date),
        ("Location", FieldKind::Location),
        ("Proxy-Authenticate", FieldKind::ProxyAuthenticate),
        ("Proxy-Authorization", FieldKind::ProxyAuthorization),
        ("Referer", FieldKind::Referer),
        ("Server", FieldKind::Server),
        ("Set-Cookie", FieldKind::SetCookie),
        ("User-Agent", FieldKind::UserAgent),
    ];

    #[test]
    fn every_name_is_recognised_in_any_case() {
        for &(name, kind) in NAMES {
            assert_eq!(FieldKind::of(name), kind, "{name}");
            assert_eq!(FieldKind::of(&name.to_ascii_lowercase()), kind, "{name}");
            assert_eq!(FieldKind::of(&name.to_ascii_uppercase()), kind, "{name}");
        }
        let last = FieldKind::UserAgent as usize;
        assert_eq!(NAMES.len(), last, "a kind is missing from this table");
    }

    #[test]
    fn near_misses_are_other_fields() {
        for &(name, _) in NAMES {
            for position in 0..name.len() {
                for replacement in [b'!', b'z', b'_', b'~', b'^', b'0', b'-'] {
                    let mut changed = name.as_bytes().to_vec();
                    if changed[position].eq_ignore_ascii_case(&replacement) {
                        continue;
                    }
                    changed[position] = replacement;
                    let changed = String::from_utf8(changed).unwrap();
                    let proxies = ["x-forwarded-", "x-real-", "x-request-"];
                    let dashed = changed.replace('_', "-").to_ascii_lowercase();
                    let is_alike = proxies.iter().any(|start| dashed.starts_with(start))
                        && dashed == name.replace('_', "-").to_ascii_lowercase();
                    let expected = if is_alike {
                        FieldKind::Lookalike
                    } else {
                        FieldKind::Other
                    };
                    assert_eq!(FieldKind::of(&changed), expected, "{changed}");
                }
            }
            assert_eq!(FieldKind::of(&format!("{name}x")), FieldKind::Other);
            assert_eq!(FieldKind::of(&name[1..]), FieldKind::Other);
        }
        assert_eq!(FieldKind::of(""), FieldKind::Other);
    }
}
