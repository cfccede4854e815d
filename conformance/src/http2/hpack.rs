//! The compression of fields (RFC 7541).

use super::code::COMPRESSION_ERROR;
use super::{Case, block, connection_error, served, with_block};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = good();
    cases.extend(bad());
    cases
}

fn and(bytes: &[u8]) -> Vec<u8> {
    let mut block = block();
    block.extend(bytes);
    block
}

fn before(bytes: &[u8]) -> Vec<u8> {
    let mut all = bytes.to_vec();
    all.extend(block());
    all
}

fn good() -> Vec<Case> {
    let served = |what, block: Vec<u8>| served(what, &[with_block(&block)]);
    vec![
        served("an indexed field", and(&[0x90])),
        served(
            "fields of the table that is given",
            vec![0x82, 0x84, 0x86, 0x41, 1, b'a'],
        ),
        served("a literal that is kept", and(&[0x40, 1, b'x', 1, b'y'])),
        served(
            "a literal that is kept, and used",
            and(&[0x40, 1, b'x', 1, b'y', 0xBE]),
        ),
        served("a literal with a name by index", and(&[0x7A, 1, b'y'])),
        served(
            "a literal that is never kept",
            and(&[0x10, 1, b'x', 1, b'y']),
        ),
        served(
            "a value in Huffman's code",
            and(&[0x00, 1, b'x', 0x81, 0x1F]),
        ),
        served("an empty value", and(&[0x00, 1, b'x', 0])),
        served("a table made smaller", before(&[0x20])),
        served(
            "a table made smaller and larger again",
            before(&[0x20, 0x3F, 0xE1, 0x1F]),
        ),
        served(
            "a length in more bytes than it needs",
            and(&[0, 1, b'x', 0x7F, 0x80, 0x00])
                .into_iter()
                .chain([b'v'; 127])
                .collect(),
        ),
    ]
}

fn bad() -> Vec<Case> {
    let refused = |what, block: Vec<u8>| {
        connection_error(what, &[COMPRESSION_ERROR, 1], &[with_block(&block)])
    };
    vec![
        refused("an index above the table", and(&[0xC6])),
        refused(
            "a name by an index above the table",
            and(&[0x7F, 0x07, 1, b'y']),
        ),
        refused("index 0", and(&[0x80])),
        refused("a table's size at the end", and(&[0x20])),
        refused("a table's size in the middle", and(&[0x20, 0x90])),
        refused("a table larger than allowed", before(&[0x3F, 0xE2, 0x1F])),
        refused(
            "padding of more than 7 bits",
            and(&[0, 1, b'x', 0x82, 0x1F, 0xFF]),
        ),
        refused("padding of zeros", and(&[0, 1, b'x', 0x81, 0x18])),
        refused(
            "the end of a string inside it",
            and(&[0, 1, b'x', 0x84, 0xFF, 0xFF, 0xFF, 0xFF]),
        ),
        refused(
            "a block that stops within a field",
            and(&[0, 1, b'x', 5, b'y']),
        ),
        refused("a block that stops within a number", and(&[0xFF])),
        refused("a number without an end", and(&[0xFF; 40])),
    ]
}
