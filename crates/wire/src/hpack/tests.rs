//! The examples of RFC 7541, appendix C, what is refused, and that both sides understand each other.

use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}

fn decoded(decoder: &mut Decoder, block: &[u8]) -> Result<String, DecodeError> {
    let mut text = String::new();
    decoder.decode(block, |name, value| {
        for part in [name, b": ", value, b"\n"] {
            text.push_str(&String::from_utf8_lossy(part));
        }
    })?;
    Ok(text)
}

#[test]
fn requests_of_the_specification() {
    let blocks = [
        // C.3, without the Huffman code
        vec![
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ],
        // C.4, with it
        vec![
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ],
    ];
    for blocks in blocks {
        let mut decoder = Decoder::new();
        let texts: Vec<_> = blocks
            .iter()
            .map(|block| decoded(&mut decoder, &bytes(block)).expect("a block"))
            .collect();
        assert_eq!(
            texts,
            [
                ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n",
                ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n",
                ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n",
            ]
        );
    }
}

#[test]
fn responses_of_the_specification_evict() {
    // C.6: a table of 256
    let mut decoder = Decoder::new();
    decoded(&mut decoder, &bytes("3fe101")).expect("a table size");
    let blocks = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    let texts: Vec<_> = blocks
        .iter()
        .map(|block| decoded(&mut decoder, &bytes(block)).expect("a block"))
        .collect();
    assert_eq!(
        texts,
        [
            ":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n",
            ":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n",
            ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\nlocation: https://www.example.com\ncontent-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n",
        ]
    );
}

#[test]
fn what_is_no_block_is_refused() {
    let table = [
        ("80", DecodeError::Index),
        ("be", DecodeError::Index),
        ("ff ff ff ff ff ff 0f", DecodeError::Truncated),
        ("40", DecodeError::Truncated),
        ("40 05 61", DecodeError::Truncated),
        ("7f", DecodeError::Truncated),
        // More padding than a byte, padding of zeros, and the end-of-string symbol.
        ("00 82 1f ff 00", DecodeError::Huffman),
        ("00 81 18 00", DecodeError::Huffman),
        ("00 84 ff ff ff ff 00", DecodeError::Huffman),
        // A size above ours, and one behind a field.
        ("3f e2 1f", DecodeError::TableSize),
        ("82 20", DecodeError::TableSize),
    ];
    for (block, error) in table {
        assert_eq!(
            decoded(&mut Decoder::new(), &bytes(block)),
            Err(error),
            "{block}"
        );
    }
}

#[test]
fn what_is_said_again_is_a_number() {
    let mut encoder = Encoder::new();
    let mut lengths = Vec::new();
    for _ in 0..4 {
        let mut out = Vec::new();
        encoder.field(b"server", b"sluice", &mut out);
        lengths.push(out.len());
    }
    assert_eq!(lengths, [9, 8, 1, 1]);
    let mut out = Vec::new();
    for _ in 0..4 {
        out.clear();
        encoder.field(b"set-cookie", b"secret", &mut out);
    }
    assert_eq!(out.len(), 9, "secrets are said in full");
}

#[test]
fn a_changed_size_is_said_once() {
    let mut encoder = Encoder::new();
    encoder.resize(0);
    encoder.resize(10_000);
    let mut out = Vec::new();
    encoder.begin(&mut out);
    encoder.begin(&mut out);
    assert_eq!(out, bytes("20 3f e1 1f"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_sides_understand_each_other(
        fields in prop::collection::vec(("[a-d]{1,4}|server|date|set-cookie", "[ -~]{0,3}|x{500,700}"), 1..30),
        sizes in prop::collection::vec((0_usize..60, 0_usize..5000), 0..4),
    ) {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        for (number, (name, value)) in fields.iter().chain(&fields).chain(&fields).enumerate() {
            for (_, size) in sizes.iter().filter(|(at, _)| *at == number) {
                encoder.resize(*size);
            }
            let mut block = Vec::new();
            encoder.begin(&mut block);
            encoder.field(name.as_bytes(), value.as_bytes(), &mut block);
            prop_assert_eq!(decoded(&mut decoder, &block), Ok(format!("{name}: {value}\n")));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 1..10)) {
        let mut decoder = Decoder::new();
        for block in blocks {
            let _ = decoded(&mut decoder, &block);
        }
    }
}
