//! The requests: heads as browsers send them, of four to eight fields.

/// Five heads for `path`, of four, five, six, seven and eight fields.
pub(crate) fn browser_like(path: &str, host: &str) -> Vec<Vec<u8>> {
    browser_fields()
        .map(|fields| {
            let mut head =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive\r\n");
            for (name, value) in fields {
                head.extend([*name, ": ", *value, "\r\n"]);
            }
            head.push_str("\r\n");
            head.into_bytes()
        })
        .collect()
}

/// What the five heads have beside host and connection: two to six fields.
pub(crate) fn browser_fields() -> impl Iterator<Item = &'static [(&'static str, &'static str)]> {
    (2..=FIELDS.len()).map(|count| &FIELDS[..count])
}

const FIELDS: [(&str, &str); 6] = [
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    ),
    (
        "Accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    ),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Accept-Language", "en-GB,en;q=0.9,de;q=0.7"),
    ("Referer", "http://shop.example.com/catalogue?page=2"),
    (
        "Cookie",
        "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=yes",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_have_four_to_eight_fields() {
        let heads = browser_like("/128", "shop.example.com");
        let fields: Vec<usize> = heads
            .iter()
            .map(|head| {
                String::from_utf8(head.clone())
                    .unwrap()
                    .matches("\r\n")
                    .count()
                    - 2
            })
            .collect();
        assert_eq!(fields, [4, 5, 6, 7, 8]);
    }
}
