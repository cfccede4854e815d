//! From fields to the head of an answer.

use super::*;

/// The head and the form; `Err` where the answer is malformed.
fn answered(
    fields: &[(&str, &str)],
    ends: bool,
    expected: Expected,
) -> Result<(String, Option<Form>, Option<u64>), ()> {
    let mut answer = Answer::new(expected);
    let mut draft = answer.begin(10_000);
    for (name, value) in fields {
        draft.take(name.as_bytes(), value.as_bytes());
    }
    let finished = draft.finish(ends).ok_or(())?;
    let head = String::from_utf8(answer.head).expect("text");
    Ok((head, answer.form, finished.length))
}

fn usual() -> Expected {
    Expected {
        is_head: false,
        accept: None,
    }
}

#[test]
fn fields_become_a_head() {
    type Row<'a> = (
        &'a [(&'a str, &'a str)],
        bool,
        &'a str,
        Option<Form>,
        Option<u64>,
    );
    let table: &[Row<'_>] = &[
        (
            &[(":status", "200"), ("x", "y"), ("content-length", "5")],
            false,
            "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 5\r\n\r\n",
            Some(Form::AsIs),
            Some(5),
        ),
        (
            &[(":status", "200")],
            false,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            Some(Form::Chunked),
            None,
        ),
        (
            &[(":status", "200")],
            true,
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            Some(Form::None),
            None,
        ),
        (
            &[(":status", "304"), ("content-length", "5")],
            true,
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
            Some(Form::None),
            None,
        ),
        (
            &[(":status", "204")],
            true,
            "HTTP/1.1 204 No Content\r\n\r\n",
            Some(Form::None),
            None,
        ),
        // Trailers may follow a body whose length was said.
        (
            &[
                (":status", "200"),
                ("content-length", "5"),
                ("content-type", "application/grpc+proto"),
            ],
            false,
            "HTTP/1.1 200 OK\r\ncontent-type: application/grpc+proto\r\ntransfer-encoding: chunked\r\n\r\n",
            Some(Form::Chunked),
            Some(5),
        ),
        (
            &[(":status", "103"), ("link", "a")],
            false,
            "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n",
            None,
            None,
        ),
    ];
    for (fields, ends, head, form, length) in table {
        assert_eq!(
            answered(fields, *ends, usual()),
            Ok(((*head).to_owned(), *form, *length)),
            "{fields:?}"
        );
    }
}

#[test]
fn a_switch_is_proved_to_the_client() {
    let expected = || Expected {
        is_head: false,
        accept: Some("proof".to_owned()),
    };
    let fields = [
        (":status", "200"),
        ("sec-websocket-protocol", "chat"),
        ("sec-websocket-accept", "theirs"),
        ("content-length", "0"),
    ];
    assert_eq!(
        answered(&fields, false, expected()),
        Ok((
            "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-protocol: chat\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-accept: proof\r\n\r\n"
                .to_owned(),
            Some(Form::AsIs),
            None
        ))
    );
    let (head, ..) = answered(&[(":status", "403")], true, expected()).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

#[test]
fn an_answer_to_head_has_no_body() {
    let expected = Expected {
        is_head: true,
        accept: None,
    };
    let fields = [(":status", "200"), ("content-length", "5")];
    let (head, form, length) = answered(&fields, true, expected).expect("an answer");
    assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    assert_eq!((form, length), (Some(Form::None), None));
}

#[test]
fn malformed_answers_are_refused() {
    let table: &[(&[(&str, &str)], bool)] = &[
        (&[], true),
        (&[("x", "y")], true),
        (&[("x", "y"), (":status", "200")], true),
        (&[(":status", "200"), (":status", "200")], true),
        (&[(":status", "200"), (":path", "/")], true),
        (&[(":status", "20")], true),
        (&[(":status", "020")], true),
        (&[(":status", "2000")], true),
        (&[(":status", "101")], false),
        (&[(":status", "103")], true),
        (&[(":status", "200"), ("X", "y")], true),
        (&[(":status", "200"), ("x", "a\r\nb: c")], true),
        (&[(":status", "200"), ("connection", "close")], true),
        (
            &[(":status", "200"), ("transfer-encoding", "chunked")],
            false,
        ),
        (&[(":status", "200"), ("content-length", "x")], false),
        (
            &[
                (":status", "200"),
                ("content-length", "1"),
                ("content-length", "2"),
            ],
            false,
        ),
        (&[(":status", "200"), ("content-length", "1")], true),
    ];
    for (fields, ends) in table {
        assert_eq!(answered(fields, *ends, usual()), Err(()), "{fields:?}");
    }
}
