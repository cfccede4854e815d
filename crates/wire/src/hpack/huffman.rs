//! The Huffman code of HPACK (RFC 7541, 5.2 and appendix B).
//!
//! The code is canonical: the lengths of its codes say all of it. Codes of up to [`SHORT`] bits, which are nearly all that is met,
//! are looked up; longer ones are searched by length.

/// Appends what `input` stands for to `out`; `None` where it is no text of this code.
pub(crate) fn decode(input: &[u8], out: &mut Vec<u8>) -> Option<()> {
    // The bits to come, from the highest on.
    let mut bits: u64 = 0;
    let mut count: u32 = 0;
    let mut rest = input;
    loop {
        while count <= 56
            && let Some((byte, after)) = rest.split_first()
        {
            bits |= u64::from(*byte) << (56 - count);
            count += 8;
            rest = after;
        }
        let short = TABLES.short.get((bits >> (64 - SHORT)) as usize)?;
        let (symbol, length) = if short.length > 0 {
            (u16::from(short.symbol), u32::from(short.length))
        } else {
            long(bits)?
        };
        if length > count {
            break;
        }
        // The end-of-string symbol must not be there.
        out.push(u8::try_from(symbol).ok()?);
        bits <<= length;
        count -= length;
    }
    // What is left is the beginning of the end-of-string symbol, and less than a byte.
    let is_padding = count < 8 && bits.leading_ones() >= count;
    is_padding.then_some(())
}

/// A symbol whose code has more than [`SHORT`] bits.
fn long(bits: u64) -> Option<(u16, u32)> {
    (SHORT + 1..=LONGEST).find_map(|length| {
        let code = u32::try_from(bits >> (64 - length)).ok()?;
        let (first, offset, count) = *TABLES.by_length.get(length as usize)?;
        let position = code.checked_sub(first).filter(|at| *at < count)?;
        let symbol = TABLES.symbols.get((offset + position) as usize)?;
        Some((*symbol, length))
    })
}

#[derive(Clone, Copy)]
struct Short {
    symbol: u8,
    /// 0 where the code is longer.
    length: u8,
}

struct Tables {
    short: [Short; 1 << SHORT],
    /// By the length of codes: the first code, where its symbol stands in `symbols`, and how many there are.
    by_length: [(u32, u32, u32); LONGEST as usize + 1],
    /// In the order of their codes.
    symbols: [u16; SYMBOLS],
}

static TABLES: Tables = tables();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "worked out by the compiler, which would tell"
)]
const fn tables() -> Tables {
    let mut tables = Tables {
        short: [Short {
            symbol: 0,
            length: 0,
        }; 1 << SHORT],
        by_length: [(0, 0, 0); LONGEST as usize + 1],
        symbols: [0; SYMBOLS],
    };
    let (mut code, mut placed, mut length) = (0_u32, 0_usize, 1_u32);
    while length <= LONGEST {
        let (first, offset) = (code, placed);
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as u32 == length {
                tables.symbols[placed] = symbol as u16;
                if length <= SHORT {
                    let mut index = (code << (SHORT - length)) as usize;
                    let end = ((code + 1) << (SHORT - length)) as usize;
                    while index < end {
                        tables.short[index] = Short {
                            symbol: symbol as u8,
                            length: length as u8,
                        };
                        index += 1;
                    }
                }
                placed += 1;
                code += 1;
            }
            symbol += 1;
        }
        tables.by_length[length as usize] = (first, offset as u32, (placed - offset) as u32);
        code <<= 1;
        length += 1;
    }
    tables
}

/// Bits of a code that is looked up at once.
const SHORT: u32 = 9;
const LONGEST: u32 = 30;
const SYMBOLS: usize = 257;

/// How many bits the code of each byte has, and that of the end-of-string symbol.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
