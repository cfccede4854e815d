//! Heads in HPACK (RFC 7541) as a browser sends them: the first on a connection spells its fields out and has the other
//! side remember them, those that follow point to what is remembered.

/// One head, as the first on a connection, as a later one, and for who remembers nothing.
#[derive(Debug, Clone)]
pub(super) struct Block {
    first: Vec<u8>,
    later: Vec<u8>,
    plain: Vec<u8>,
}

/// What the other side of a connection knows of earlier heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// Nothing yet.
    Fresh,
    /// The fields of the first.
    Primed,
    /// Nothing, and never will.
    None,
}

impl Block {
    /// Every field is remembered but `:path`, which differs from request to request where users ask, and `grpc-status`,
    /// which stands in a block of its own. What is sent of
    /// one connection has to be one block, again and again: the places of its fields are counted from the newest.
    pub(super) fn encode<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let fields: Vec<(String, &str)> = fields
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let passing = [":path", "grpc-status"];
        let remembered =
            |field: &(String, &str)| !passing.contains(&field.0.as_str()) && known(field).is_none();
        let count = fields.iter().filter(|&field| remembered(field)).count();
        let (mut first, mut later) = (Vec::new(), Vec::new());
        let mut plain = vec![FORGET];
        let mut place = FIRST_PLACE + count;
        for field in &fields {
            match known(field) {
                Some(index) => integer(&mut plain, 0x80, 7, index),
                None => literal(&mut plain, 0x00, 4, field),
            }
            if let Some(index) = known(field) {
                integer(&mut first, 0x80, 7, index);
                integer(&mut later, 0x80, 7, index);
            } else if remembered(field) {
                literal(&mut first, 0x40, 6, field);
                place -= 1;
                integer(&mut later, 0x80, 7, place);
            } else {
                literal(&mut first, 0x00, 4, field);
                literal(&mut later, 0x00, 4, field);
            }
        }
        Self {
            first,
            later,
            plain,
        }
    }

    /// The one for a side with this `memory`, which is primed by that.
    pub(super) fn next(&self, memory: &mut Memory) -> &[u8] {
        match memory {
            Memory::Fresh => {
                *memory = Memory::Primed;
                &self.first
            }
            Memory::Primed => &self.later,
            Memory::None => &self.plain,
        }
    }
}

/// Whether the head of an answer says 200. Its status comes first, and 200 has one short form that everybody uses.
pub(super) fn is_ok(block: &[u8]) -> bool {
    // Changes of what is remembered may come before.
    let status = block.iter().find(|&&byte| byte & 0xe0 != 0x20);
    status == Some(&0x88)
}

/// A field's place in the table that everybody knows, name and value.
fn known((name, value): &(String, &str)) -> Option<usize> {
    Some(match (name.as_str(), *value) {
        (":method", "GET") => 2,
        (":method", "POST") => 3,
        (":scheme", "http") => 6,
        (":scheme", "https") => 7,
        (":status", "200") => 8,
        _ => return None,
    })
}

/// The place of a field's name there; 0 where it has none.
fn place_of(name: &str) -> usize {
    match name {
        ":authority" => 1,
        ":path" => 4,
        "accept-encoding" => 16,
        "accept-language" => 17,
        "accept" => 19,
        "content-type" => 31,
        "cookie" => 32,
        "referer" => 51,
        "user-agent" => 58,
        _ => 0,
    }
}

fn literal(out: &mut Vec<u8>, pattern: u8, bits: u8, (name, value): &(String, &str)) {
    let index = place_of(name);
    integer(out, pattern, bits, index);
    if index == 0 {
        string(out, name);
    }
    string(out, value);
}

fn string(out: &mut Vec<u8>, text: &str) {
    integer(out, 0, 7, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// An integer in the low `bits` of a byte and as many more as it takes (5.1).
pub(crate) fn integer(out: &mut Vec<u8>, pattern: u8, bits: u8, value: usize) {
    let most = (1usize << bits) - 1;
    let low = |value: usize| u8::try_from(value & 0xff).unwrap_or(u8::MAX);
    if value < most {
        return out.push(pattern | low(value));
    }
    out.push(pattern | low(most));
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(low(rest & 0x7f) | 0x80);
        rest >>= 7;
    }
    out.push(low(rest));
}

/// That the table is empty from here on (6.3): who has no room for one wants to hear it.
const FORGET: u8 = 0x20;
/// Where the newest remembered field is.
const FIRST_PLACE: usize = 62;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_the_examples() {
        let said = |pattern, bits, value| {
            let mut out = Vec::new();
            integer(&mut out, pattern, bits, value);
            out
        };
        assert_eq!(said(0, 5, 10), [0x0a]);
        assert_eq!(said(0, 5, 1337), [0x1f, 0x9a, 0x0a]);
        assert_eq!(said(0, 8, 42), [0x2a]);
    }

    #[test]
    fn later_heads_point_to_what_the_first_had_remembered() {
        let block = Block::encode(
            [
                (":method", "GET"),
                (":authority", "a"),
                (":path", "/1"),
                ("X", "y"),
            ]
            .into_iter(),
        );
        assert_eq!(
            block.first,
            [
                0x82, 0x41, 1, b'a', 0x04, 2, b'/', b'1', 0x40, 1, b'x', 1, b'y'
            ]
        );
        // The newest, x, is at 62, the one before at 63.
        assert_eq!(
            block.later,
            [0x82, 0x80 + 63, 0x04, 2, b'/', b'1', 0x80 + 62]
        );
    }

    #[test]
    fn a_status_is_seen_behind_a_change_of_the_table() {
        assert!(is_ok(&[0x88, 0x41]));
        assert!(is_ok(&[0x20, 0x88]));
        assert!(!is_ok(&[0x8d]));
        assert!(!is_ok(&[]));
    }
}
