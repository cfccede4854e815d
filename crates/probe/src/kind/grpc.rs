//! `grpc`: what a server says of itself by the gRPC health protocol, `grpc.health.v1.Health/Check`.
//!
//! Both messages have one field only, so they are written and read here:
//!
//! ```text
//! message HealthCheckRequest  { string service = 1; }
//! message HealthCheckResponse { enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
//!                               ServingStatus status = 1; }
//! ```

use std::cell::Cell;

use sluice_telemetry::metrics::CheckOutcome;

use crate::exchange::{Answer, exchange};
use crate::failure::{Failure, Step};
use crate::way::Way;

pub(super) async fn check(way: &Way, service: &str, step: &Cell<Step>) -> Result<(), Failure> {
    let mut connection = way.open(step).await?;
    step.set(Step::Answer);
    let request = request(service, way.label());
    let answer = exchange(&mut connection.stream, &request, false).await?;
    judge(&answer)
}

fn request(service: &str, server: &str) -> Vec<u8> {
    let message = question(service);
    let host = if server.starts_with("unix:") {
        "localhost"
    } else {
        server
    };
    let length = message.len() + PREFIX;
    let head = format!(
        "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/grpc\r\nte: trailers\r\n\
         user-agent: sluice-health\r\ncontent-length: {length}\r\n\r\n"
    );
    let mut request = head.into_bytes();
    // Not compressed.
    request.push(0);
    // A service's name is far shorter.
    request.extend(
        u32::try_from(message.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    request.extend(message);
    request
}

/// `HealthCheckRequest`
fn question(service: &str) -> Vec<u8> {
    if service.is_empty() {
        return Vec::new();
    }
    let mut message = vec![STRING_1];
    let mut length = service.len();
    while length >= 0x80 {
        message.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    message.push(u8::try_from(length).unwrap_or_default());
    message.extend(service.as_bytes());
    message
}

fn judge(answer: &Answer) -> Result<(), Failure> {
    if answer.status != 200 {
        let reason = format!("status {}, expected 200 of gRPC", answer.status);
        return Err(Failure::new(CheckOutcome::Status, reason));
    }
    match answer.field("grpc-status") {
        Some("0") => {}
        Some(code) => return Err(refused(code, answer.field("grpc-message"))),
        None => {
            let reason = "an answer without `grpc-status`: this is no gRPC";
            return Err(Failure::new(CheckOutcome::Protocol, reason));
        }
    }
    let status = answer
        .body
        .split_first_chunk::<PREFIX>()
        .filter(|(prefix, message)| {
            let [is_compressed, length @ ..] = **prefix;
            is_compressed == 0 && usize::try_from(u32::from_be_bytes(length)) == Ok(message.len())
        })
        .and_then(|(_, message)| serving_status(message));
    match status {
        Some(SERVING) => Ok(()),
        Some(status) => {
            let word = match status {
                0 => "UNKNOWN",
                2 => "NOT_SERVING",
                3 => "SERVICE_UNKNOWN",
                _ => "another status",
            };
            let reason = format!("it says {word}, expected SERVING");
            Err(Failure::new(CheckOutcome::NotServing, reason))
        }
        None => {
            let reason = "an answer that is no HealthCheckResponse";
            Err(Failure::new(CheckOutcome::Protocol, reason))
        }
    }
}

fn refused(code: &str, message: Option<&str>) -> Failure {
    let (outcome, meaning) = match code {
        "5" => (CheckOutcome::NotServing, ": it does not know the service"),
        "12" => (
            CheckOutcome::Protocol,
            ": it does not speak the health protocol",
        ),
        _ => (CheckOutcome::NotServing, ""),
    };
    let said = match message {
        Some(message) if !message.is_empty() => {
            format!(" {}", super::http::excerpt(message.as_bytes()))
        }
        _ => String::new(),
    };
    Failure::new(outcome, format!("grpc-status {code}{meaning}{said}"))
}

/// `status` of a `HealthCheckResponse`; fields that are not known are passed over, as protobuf has it.
fn serving_status(message: &[u8]) -> Option<u64> {
    let mut rest = message;
    // What is not there is 0.
    let mut status = 0;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = varint(&mut rest)?,
            (_, 0) => {
                varint(&mut rest)?;
            }
            (_, 1) => rest = rest.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            (_, 5) => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for position in 0..10 {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The tag of a string that is field 1.
const STRING_1: u8 = 0x0a;

const SERVING: u64 = 1;

/// Whether it is compressed, and the length, before each message.
const PREFIX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(message: &[u8], fields: &[(&str, &str)]) -> Answer {
        let length = u32::try_from(message.len()).expect("short");
        let field = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Answer {
            status: 200,
            fields: fields.iter().map(field).collect(),
            body: [&[0][..], &length.to_be_bytes(), message].concat(),
            is_cut: false,
        }
    }

    #[test]
    fn a_question_is_a_message_of_protobuf() {
        assert_eq!(question(""), b"");
        assert_eq!(question("orders"), b"\x0a\x06orders");
        let long = question(&"x".repeat(300));
        assert_eq!((&long[..3], long.len()), (&b"\x0a\xac\x02"[..], 303));
        let request = request("orders", "unix:/run/a");
        assert!(request.ends_with(b"content-length: 13\r\n\r\n\0\0\0\0\x08\x0a\x06orders"));
        assert!(
            request
                .windows(17)
                .any(|part| part == b"\r\nhost: localhost")
        );
    }

    #[test]
    fn only_serving_is_good() {
        let fine = [("grpc-status", "0")];
        let reason = |answer: &Answer| judge(answer).map_err(|failure| failure.reason);
        assert_eq!(reason(&answer(&[8, 1], &fine)), Ok(()));
        assert_eq!(
            reason(&answer(&[0x12, 2, 9, 9, 8, 1], &fine)),
            Ok(()),
            "an unknown field"
        );
        for (message, word) in [
            (&[][..], "UNKNOWN"),
            (&[8, 2], "NOT_SERVING"),
            (&[8, 3], "SERVICE_UNKNOWN"),
            (&[8, 0x81, 1], "another status"),
        ] {
            let expected = format!("it says {word}, expected SERVING");
            assert_eq!(reason(&answer(message, &fine)), Err(expected));
        }
        for broken in [
            &[8][..],
            &[8, 0x80],
            &[0x12, 9, 1],
            &[0x0b],
            &[9, 1],
            &[0xff; 11],
        ] {
            let outcome = judge(&answer(broken, &fine)).map_err(|failure| failure.outcome);
            assert_eq!(outcome, Err(CheckOutcome::Protocol), "{broken:?}");
        }
    }

    #[test]
    fn what_is_no_answer_of_grpc_is_told_apart() {
        let outcome = |answer: &Answer| judge(answer).map_err(|failure| failure.outcome);
        let unknown = answer(&[8, 1], &[("grpc-status", "5")]);
        assert_eq!(outcome(&unknown), Err(CheckOutcome::NotServing));
        let unimplemented = answer(&[8, 1], &[("grpc-status", "12")]);
        assert_eq!(outcome(&unimplemented), Err(CheckOutcome::Protocol));
        assert_eq!(outcome(&answer(&[8, 1], &[])), Err(CheckOutcome::Protocol));
        let fine = [("grpc-status", "0")];
        let cut = Answer {
            body: vec![0, 0, 0, 0, 9, 8, 1],
            ..answer(&[], &fine)
        };
        assert_eq!(outcome(&cut), Err(CheckOutcome::Protocol));
        let page = Answer {
            status: 404,
            ..answer(&[8, 1], &fine)
        };
        assert_eq!(outcome(&page), Err(CheckOutcome::Status));
    }
}
