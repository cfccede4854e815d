//! Where a redirect leads (RFC 9110, 10.2.2).

use crate::escape::{Part, foreign, of_path, of_url};
use crate::template::{Template, Variable};

/// A text with variables that comes out as a URL, or as a path on the host that was asked.
///
/// Clients choose what paths and fields hold. So a text that begins as a path stays one: `/{rest}` is never `//other.example`, which
/// browsers take for another host. What stands behind the `?` of the text stays in its parameter: an `&` in it begins no other one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    text: Template,
    is_path: bool,
    /// How many variables stand before the query.
    before_query: usize,
}

impl Location {
    /// That of a template.
    pub fn new(text: Template) -> Self {
        let is_path = match text.start() {
            (start, _) if !start.is_empty() => start.starts_with('/') && !start.starts_with("//"),
            (_, Some(Variable::Path | Variable::Capture(_))) => true,
            _ => false,
        };
        Self {
            is_path,
            before_query: text.variables_before('?'),
            text,
        }
    }

    /// The template.
    pub fn template(&self) -> &Template {
        &self.text
    }

    /// Appends it to `out`. `value` appends what a variable stands for; what cannot stand in a URL is escaped. A `?` or `&`
    /// behind which no query comes is left away.
    pub fn render(&self, mut value: impl FnMut(&Variable, &mut Vec<u8>), out: &mut Vec<u8>) {
        let start = out.len();
        let (mut raw, mut text) = (Vec::new(), String::new());
        let mut number = 0;
        let query_is_last = self.text.ends_with(&Variable::Query);
        let escaped = |variable: &Variable, out: &mut Vec<u8>| {
            raw.clear();
            text.clear();
            value(variable, &mut raw);
            let is_lonely = out.ends_with(b"&") || (query_is_last && out.ends_with(b"?"));
            if *variable == Variable::Query && raw.is_empty() && is_lonely {
                out.pop();
            }
            let is_in_query = number >= self.before_query;
            number += 1;
            match variable {
                _ if !is_in_query => of_url(&raw, &mut text),
                Variable::Query => of_url(&raw, &mut text),
                Variable::Path | Variable::Capture(_) => of_path(&raw, Part::Query, &mut text),
                _ => foreign(&raw, &mut text),
            }
            out.extend_from_slice(text.as_bytes());
        };
        self.text.render(escaped, out);
        if self.is_path {
            let rest = out.split_off(start);
            let slashes = rest.iter().take_while(|byte| **byte == b'/').count();
            out.push(b'/');
            out.extend(rest.iter().skip(slashes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_on_its_host() {
        for (template, value, expected) in [
            ("{path}/", "//evil.example", "/evil.example/"),
            ("{path}", "/a//b", "/a//b"),
            ("{path}", "*", "/*"),
            ("/{rest}", "/evil.example", "/evil.example"),
            ("/{rest}", "\\evil.example", "/%5Cevil.example"),
            ("/{header:x}", "\t/evil.example", "/%09/evil.example"),
            ("/{header:x}", "///a", "/a"),
            ("/new{rest}", "//a", "/new//a"),
            ("{rest}", "https:/evil.example", "/https:/evil.example"),
            ("{rest}", "/a", "/a"),
            ("//cdn.example{path}", "/a", "//cdn.example/a"),
            ("https://cdn.example{path}", "//a", "https://cdn.example//a"),
            ("{scheme}://a/", "https", "https://a/"),
        ] {
            assert_eq!(rendered(template, value), expected, "{template}");
        }
    }

    #[test]
    fn what_no_url_holds_is_escaped() {
        for (value, expected) in [
            ("a b\r\nc: d", "/%3Fx=a%20b%0D%0Ac:%20d"),
            ("\u{e9}\"<>", "/%3Fx=%C3%A9%22%3C%3E"),
            ("%C3%A9?&=#", "/%3Fx=%C3%A9?&=#"),
        ] {
            assert_eq!(rendered("/%3Fx={header:x}", value), expected);
        }
    }

    #[test]
    fn what_stands_in_a_query_stays_in_its_parameter() {
        for (template, value, expected) in [
            (
                "/x?u={rest}&b=1",
                "a&b=2;c+%26",
                "/x?u=a%26b%3D2%3Bc%2B%26&b=1",
            ),
            ("/x?u={path}", "/a?b#c", "/x?u=/a%3Fb%23c"),
            ("/x?u={header:x}", "a&b=%26 c", "/x?u=a%26b%3D%2526%20c"),
            ("/x?{claim:x}={cookie:x}", "a=b", "/x?a%3Db=a%3Db"),
            ("/x?a=b&{query}", "c=d&e=f", "/x?a=b&c=d&e=f"),
            ("/{rest}?{query}", "a&b", "/a&b?a&b"),
            ("https://a/?next={scheme}", "https", "https://a/?next=https"),
            ("https://a/#{rest}", "a&b", "https://a/#a&b"),
        ] {
            assert_eq!(rendered(template, value), expected, "{template}");
        }
    }

    #[test]
    fn no_query_no_question_mark() {
        for (template, value, expected) in [
            ("/new?{query}", "", "/new"),
            ("/new?{query}", "a=b", "/new?a=b"),
            ("/new?", "", "/new?"),
            ("/new?{query}", "a=b?", "/new?a=b?"),
            ("/new?a=b&{query}", "", "/new?a=b"),
            ("/new?a=b&{query}", "c&", "/new?a=b&c&"),
            ("/new?a=b&{query}&c=d", "", "/new?a=b&c=d"),
            ("/new?{query}&c=d", "", "/new?&c=d"),
        ] {
            assert_eq!(rendered(template, value), expected, "{template}");
        }
    }

    fn rendered(template: &str, value: &str) -> String {
        let template = Template::parse(template, &["rest"]).expect("a template");
        let mut out = b"Location: ".to_vec();
        let write = |_: &_, out: &mut Vec<u8>| out.extend_from_slice(value.as_bytes());
        Location::new(template).render(write, &mut out);
        let text = String::from_utf8(out).expect("text");
        let text = text.strip_prefix("Location: ");
        text.expect("what stood there stays").to_owned()
    }
}
