//! JSON written in place, for log lines: one object, no allocation beyond the buffer it is written to.

use crate::timestamp::Timestamp;

/// Writes the members of one object.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    /// A text of whatever bytes. Those that are not UTF-8 become the code points of the same number, U+0080 to U+00FF.
    pub(crate) fn bytes(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        string(self.out, value);
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.push(b'"');
        escape(self.out, value.as_bytes());
        self.out.push(b'"');
    }

    /// A text that needs no escape, such as an address or a word, from whoever writes it.
    pub(crate) fn plain(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        self.out.push(b'"');
        write(self.out);
        self.out.push(b'"');
    }

    pub(crate) fn timestamp(&mut self, name: &str, time: Timestamp) {
        self.plain(name, |out| time.write_rfc3339(out));
    }

    pub(crate) fn number(&mut self, name: &str, value: impl itoa::Integer) {
        self.name(name);
        push_number(self.out, value);
    }

    /// A number or word of JSON, such as `1.5` or `true`, from whoever writes it.
    pub(crate) fn literal(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        write(self.out);
    }

    fn name(&mut self, name: &str) {
        if self.first {
            self.first = false;
        } else {
            self.out.push(b',');
        }
        self.out.push(b'"');
        escape(self.out, name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

pub(crate) fn push_number(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    if std::str::from_utf8(bytes).is_ok() {
        escape(out, bytes);
    } else {
        for chunk in bytes.utf8_chunks() {
            escape(out, chunk.valid().as_bytes());
            for byte in chunk.invalid() {
                escape_byte(out, *byte);
            }
        }
    }
    out.push(b'"');
}

/// Writes valid UTF-8 with the escapes of RFC 8259 §7.
fn escape(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(at) = text
        .iter()
        .position(|byte| NEEDS_ESCAPE[usize::from(*byte)])
    {
        out.extend_from_slice(&text[..at]);
        escape_byte(out, text[at]);
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

fn escape_byte(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        other => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&hex(other));
        }
    }
}

/// The two hexadecimal digits of a byte.
pub(crate) fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    ]
}

/// Control bytes, DEL among them (legal, but a terminal acts on it), quotes and backslashes.
const NEEDS_ESCAPE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[0x7f] = true;
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};
