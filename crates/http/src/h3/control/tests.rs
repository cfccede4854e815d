//! What the other side may say, and what it may not.

use super::*;

/// What is heard of some streams, however they are cut.
fn heard(peer: Peer, streams: &[&[u8]]) -> Result<Heard, Code> {
    let mut outcomes = (1..=7).map(|chunk| {
        let mut heard = Heard::default();
        for bytes in streams {
            let mut speech = Speech::of(peer);
            for part in bytes.chunks(chunk) {
                speech.take(part, &mut heard)?;
            }
        }
        Ok(heard)
    });
    let first = outcomes.next().expect("an outcome");
    for other in outcomes {
        assert_eq!(other, first, "{streams:?}");
    }
    first
}

#[test]
fn what_we_say_is_understood() {
    let mut said = greeting(Peer::Client, 65_536);
    put_farewell(&mut said, 400);
    let heard = heard(Peer::Server, &[&said]).expect("settings");
    assert!(heard.has_settings && heard.takes_connect);
    assert_eq!(heard.farewell, Some(400));
    let to_servers = greeting(Peer::Server, 65_536);
    let heard = self::heard(Peer::Client, &[&to_servers]).expect("settings");
    assert!(heard.has_settings && !heard.takes_connect);
}

#[test]
fn what_means_nothing_is_passed_over() {
    let control = [
        &b"\0\x04\x04\x21\x01\x33\x01"[..],
        b"\x21\x03abc",
        b"\x40\x54\x00",
    ]
    .concat();
    let streams: [&[u8]; 4] = [
        &control,
        b"\x02\x20\x20",
        b"\x03\x41\x7f\x80\x01\x7f\x05\x42",
        b"\x40\x54anything",
    ];
    let heard = heard(Peer::Client, &streams).expect("nothing wrong");
    assert!(heard.has_settings);
    assert_eq!(heard.farewell, None);
}

#[test]
fn what_a_client_must_not_say() {
    let table: &[(&[&[u8]], Code)] = &[
        (&[b"\0\x07\x01\x00"], Code::MissingSettings),
        (&[b"\0\x21\x00"], Code::MissingSettings),
        (&[b"\0\x04\x00\x04\x00"], Code::FrameUnexpected),
        (&[b"\0\x04\x00\x00\x01x"], Code::FrameUnexpected),
        (&[b"\0\x04\x00\x01\x01x"], Code::FrameUnexpected),
        (&[b"\0\x04\x00\x05\x01x"], Code::FrameUnexpected),
        (&[b"\0\x04\x00\x08\x01x"], Code::FrameUnexpected),
        (&[b"\0\x04\x02\x02\x00"], Code::SettingsError),
        (&[b"\0\x04\x04\x06\x00\x06\x00"], Code::SettingsError),
        (&[b"\0\x04\x02\x08\x02"], Code::SettingsError),
        (&[b"\0\x04\x01\x08"], Code::FrameError),
        (&[b"\0\x04\x80\x00\x10\x01"], Code::ExcessiveLoad),
        (&[b"\0\x04\x00\x07\x02\x00\x00"], Code::FrameError),
        (&[b"\0\x04\x00\x07\x00"], Code::FrameError),
        (&[b"\0\x04\x00\x07\x09"], Code::FrameError),
        (&[b"\0\x04\x00\x07\x01\x01\x07\x01\x02"], Code::IdError),
        (&[b"\0\x04\x00\x0d\x01\x05\x0d\x01\x04"], Code::IdError),
        (&[b"\0\x04\x00\x03\x01\x00"], Code::IdError),
        (&[b"\0", b"\0"], Code::StreamCreationError),
        (&[b"\x02", b"\x02"], Code::StreamCreationError),
        (&[b"\x03", b"\x03"], Code::StreamCreationError),
        (&[b"\x01"], Code::StreamCreationError),
        (&[b"\x02\x3f"], Code::QpackEncoderStreamError),
        (&[b"\x02\xc0"], Code::QpackEncoderStreamError),
        (&[b"\x03\x80"], Code::QpackDecoderStreamError),
        (&[b"\x03\x01"], Code::QpackDecoderStreamError),
        (
            &[b"\x03\x7f\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"],
            Code::QpackDecoderStreamError,
        ),
    ];
    for (streams, code) in table {
        assert_eq!(heard(Peer::Client, streams), Err(*code), "{streams:?}");
    }
}

#[test]
fn what_a_server_must_not_say() {
    let table: &[(&[&[u8]], Code)] = &[
        (&[b"\x01\x00"], Code::IdError),
        (&[b"\0\x04\x00\x0d\x01\x00"], Code::FrameUnexpected),
        (&[b"\0\x04\x00\x07\x01\x01"], Code::IdError),
        (&[b"\0\x04\x00\x07\x01\x04\x07\x01\x08"], Code::IdError),
    ];
    for (streams, code) in table {
        assert_eq!(heard(Peer::Server, streams), Err(*code), "{streams:?}");
    }
}

#[test]
fn only_what_means_nothing_may_end() {
    for (bytes, may) in [
        (&b"\0"[..], false),
        (b"\x02", false),
        (b"\x03", false),
        (b"\x21", true),
    ] {
        let mut speech = Speech::of(Peer::Client);
        speech.take(bytes, &mut Heard::default()).expect("a kind");
        assert_eq!(speech.end().is_ok(), may, "{bytes:?}");
        assert_eq!(speech.is_ignored(), may);
    }
}
