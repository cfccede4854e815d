//! The requests: heads as browsers send them, of four to eight fields.

/// The heads that the clients of a closed or an open loop send.
pub(crate) struct Heads {
    all: Vec<Vec<u8>>,
    /// Whether a connection asks for something else each time.
    varied: bool,
    /// Whether a client brings back the cookie that its first answer has set.
    pub(crate) keeps_cookie: bool,
}

impl Heads {
    /// The usual ones, for `path`.
    pub(crate) fn usual(path: &str) -> Self {
        Self::of(browser_like(path, HOST))
    }

    /// With one field line more.
    pub(crate) fn with_field(path: &str, name: &str, value: &str) -> Self {
        let mut heads = browser_like(path, HOST);
        for head in &mut heads {
            add_field(head, name, value.as_bytes());
        }
        Self::of(heads)
    }

    /// From clients that keep cookies.
    pub(crate) fn with_cookies(path: &str) -> Self {
        Self {
            keeps_cookie: true,
            ..Self::usual(path)
        }
    }

    /// For one of these hosts and paths after the other, in an order that jumps about.
    pub(crate) fn spread(places: impl Iterator<Item = (String, String)>) -> Self {
        let heads = places.enumerate().filter_map(|(number, (host, path))| {
            let fives = browser_like(&path, &host);
            fives.into_iter().cycle().nth(number % FIVE)
        });
        Self {
            varied: true,
            ..Self::of(heads.collect())
        }
    }

    fn of(all: Vec<Vec<u8>>) -> Self {
        Self {
            all,
            varied: false,
            keeps_cookie: false,
        }
    }

    /// Where connection number `index` begins.
    pub(crate) fn first(&self, index: usize) -> usize {
        index % self.all.len()
    }

    /// What a connection sends after `head`.
    pub(crate) fn after(&self, head: usize) -> usize {
        if self.varied {
            (head + STRIDE) % self.all.len()
        } else {
            head
        }
    }

    /// One of them.
    pub(crate) fn get(&self, head: usize) -> &[u8] {
        &self.all[head]
    }

    /// Another one, for a client that brings `cookie` beside what it sends anyway. There is one field for all of them (RFC 6265, 5.4).
    pub(crate) fn add_with_cookie(&mut self, head: usize, cookie: &[u8]) -> usize {
        let mut with = self.all[head].clone();
        match memchr::memmem::find(&with, b"\r\nCookie: ") {
            // It is the last.
            Some(_) => {
                with.truncate(with.len() - 4);
                with.extend_from_slice(&[b"; ", cookie, b"\r\n\r\n"].concat());
            }
            None => add_field(&mut with, "Cookie", cookie),
        }
        self.all.push(with);
        self.all.len() - 1
    }
}

/// Adds a field line to a whole head.
fn add_field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.truncate(head.len() - 2);
    head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n\r\n"].concat());
}

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

/// Whom most requests are for.
pub(crate) const HOST: &str = "shop.example.com";
/// How many heads a place has.
const FIVE: usize = FIELDS.len() - 1;
/// Shares no divisor with a thousand.
const STRIDE: usize = 389;

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

    #[test]
    fn a_spread_comes_by_every_place() {
        let places = (0..1000).map(|number| (format!("h{number}"), format!("/{number}")));
        let heads = Heads::spread(places);
        let mut seen = std::collections::HashSet::new();
        let mut head = heads.first(7);
        for _ in 0..1000 {
            assert!(seen.insert(heads.get(head).to_vec()));
            head = heads.after(head);
        }
        assert_eq!(head, heads.first(7));
    }

    #[test]
    fn a_cookie_comes_beside_what_is_there() {
        let mut heads = Heads::with_cookies("/128");
        for (head, end) in [(3, "page=2\r\nCookie: srv=1"), (4, "consent=yes; srv=1")] {
            let with = heads.add_with_cookie(head, b"srv=1");
            assert_eq!(heads.after(with), with);
            let text = String::from_utf8(heads.get(with).to_vec()).unwrap();
            assert!(text.ends_with(&format!("{end}\r\n\r\n")), "{text}");
        }
    }
}
