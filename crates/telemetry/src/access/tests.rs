//! Lines as they are written, read by a parser that is not ours, and the way they take to the file.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::sink::{Output, QUEUE_BATCHES};
use crate::{End, Word};

const PATIENCE: Duration = Duration::from_secs(20);

fn request() -> AccessRecord<'static> {
    AccessRecord {
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_217_951_042),
        listener: "web",
        client: Some(([127, 0, 0, 1], 40_312).into()),
        request: Some(RequestLine {
            method: b"GET",
            target: b"/search?q=a",
            version: HttpVersion::Http11,
        }),
        host: Some(b"example.com"),
        status: Some(200),
        request_bytes: 0,
        response_bytes: 5_120,
        duration: Duration::from_micros(3_007),
        upstream_time: Some(Duration::from_micros(2_950)),
        route: Some("search"),
        upstream: Some("app"),
        server: Some("127.0.0.1:9001"),
        attempts: 1,
        request_id: Some(b"01JD5X9G3V"),
        server_name: None,
        tls: None,
        early_data: false,
        end: End::Ok,
        limit: None,
        user_agent: Some(b"curl/8.5.0"),
        referer: None,
    }
}

fn session() -> TcpRecord<'static> {
    TcpRecord {
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_217_951_042),
        listener: "mysql",
        client: Some("[::1]:50000".parse().expect("an address")),
        server_name: Some("db.example"),
        upstream: Some("mysql"),
        server: Some("127.0.0.1:3306"),
        attempts: 2,
        datagrams: None,
        received_bytes: 71,
        sent_bytes: 4_096,
        duration: Duration::from_millis(12_500),
        tls: None,
        end: End::IdleTimeout,
    }
}

/// A request that was refused before anything of it could be read.
fn unreadable() -> AccessRecord<'static> {
    AccessRecord {
        client: None,
        request: None,
        host: None,
        status: Some(400),
        response_bytes: 0,
        upstream_time: None,
        route: None,
        upstream: None,
        server: None,
        attempts: 0,
        request_id: None,
        end: End::BadRequest,
        limit: None,
        user_agent: None,
        ..request()
    }
}

fn http_line(format: Format, record: &AccessRecord<'_>) -> String {
    let mut out = Vec::new();
    format.http(&mut out, record);
    String::from_utf8(out).expect("text")
}

fn tcp_line(format: Format, record: &TcpRecord<'_>) -> String {
    let mut out = Vec::new();
    format.tcp(&mut out, record);
    String::from_utf8(out).expect("text")
}

#[test]
fn json_lines() {
    assert_eq!(
        http_line(Format::Json, &request()),
        concat!(
            r#"{"time":"2026-11-20T23:39:11.042Z","kind":"http","listener":"web","client_ip":"127.0.0.1","client_port":40312,"#,
            r#""method":"GET","host":"example.com","target":"/search?q=a","version":"HTTP/1.1","status":200,"#,
            r#""request_bytes":0,"response_bytes":5120,"duration_ms":3.007,"upstream_ms":2.950,"route":"search","#,
            r#""upstream":"app","server":"127.0.0.1:9001","attempts":1,"request_id":"01JD5X9G3V","end":"ok","#,
            r#""user_agent":"curl/8.5.0"}"#,
            "\n"
        )
    );
    assert_eq!(
        http_line(Format::Json, &unreadable()),
        concat!(
            r#"{"time":"2026-11-20T23:39:11.042Z","kind":"http","listener":"web","status":400,"request_bytes":0,"#,
            r#""response_bytes":0,"duration_ms":3.007,"attempts":0,"end":"bad-request"}"#,
            "\n"
        )
    );
    assert_eq!(
        tcp_line(Format::Json, &session()),
        concat!(
            r#"{"time":"2026-11-20T23:39:11.042Z","kind":"tcp","listener":"mysql","client_ip":"::1","client_port":50000,"#,
            r#""sni":"db.example","received_bytes":71,"sent_bytes":4096,"duration_ms":12500.000,"upstream":"mysql","server":"127.0.0.1:3306","#,
            r#""attempts":2,"end":"idle-timeout"}"#,
            "\n"
        )
    );
}

#[test]
fn ciphered_connections() {
    let tls = Some(TlsRecord {
        version: "TLSv1.3",
        cipher: "TLS_AES_128_GCM_SHA256",
    });
    let words = r#""tls_version":"TLSv1.3","tls_cipher":"TLS_AES_128_GCM_SHA256","end""#;
    let line = http_line(Format::Json, &AccessRecord { tls, ..request() });
    assert!(line.contains(words), "{line}");
    let line = tcp_line(Format::Json, &TcpRecord { tls, ..session() });
    assert!(line.contains(words), "{line}");
}

#[test]
fn combined_lines() {
    assert_eq!(
        http_line(Format::Combined, &request()),
        "127.0.0.1 - - [20/Nov/2026:23:39:11 +0000] \"GET /search?q=a HTTP/1.1\" 200 5120 \"-\" \"curl/8.5.0\"\n"
    );
    assert_eq!(
        http_line(Format::Combined, &unreadable()),
        "- - - [20/Nov/2026:23:39:11 +0000] \"-\" 400 - \"-\" \"-\"\n"
    );
    let hostile = AccessRecord {
        status: None,
        referer: Some(b"a\"b\\c\x16\x08\n\r\t\x0b\x0c\x7f\xc3\xa9 ~"),
        ..request()
    };
    assert_eq!(
        http_line(Format::Combined, &hostile),
        concat!(
            r#"127.0.0.1 - - [20/Nov/2026:23:39:11 +0000] "GET /search?q=a HTTP/1.1" - 5120 "#,
            r#""a\"b\\c\x16\b\n\r\t\v\x0c\x7f\xc3\xa9 ~" "curl/8.5.0""#,
            "\n"
        )
    );
    assert_eq!(
        tcp_line(Format::Combined, &session()),
        "::1 - - [20/Nov/2026:23:39:11 +0000] \"TCP mysql 127.0.0.1:3306\" - 4096 \"-\" \"-\"\n"
    );
}

#[test]
fn mapped_addresses_are_written_as_what_they_are() {
    let mapped = AccessRecord {
        client: Some("[::ffff:192.0.2.7]:80".parse().expect("an address")),
        ..request()
    };
    assert!(http_line(Format::Combined, &mapped).starts_with("192.0.2.7 - - "));
}

#[test]
fn every_field_is_in_the_list_and_in_its_order() {
    let tls = Some(TlsRecord {
        version: "TLSv1.2",
        cipher: "c",
    });
    let whole = AccessRecord {
        referer: Some(b"r"),
        server_name: Some("s"),
        tls,
        early_data: true,
        limit: Some("l"),
        ..request()
    };
    let session = TcpRecord { tls, ..session() };
    for (kind, line) in [
        ("http", http_line(Format::Json, &whole)),
        ("tcp", tcp_line(Format::Json, &session)),
    ] {
        let written: Vec<_> = fields::ALL
            .iter()
            .filter(|field| field.lines == kind || field.lines == "both")
            .map(|field| {
                line.find(&format!("\"{}\":", field.name))
                    .unwrap_or_else(|| panic!("{kind} {field:?}"))
            })
            .collect();
        assert!(written.is_sorted(), "{line}");
        let members = serde_json::from_str::<Value>(&line).expect("JSON");
        assert_eq!(
            members.as_object().map(serde_json::Map::len),
            Some(written.len())
        );
    }
}

#[test]
fn datagrams_are_counted_where_there_are_some() {
    let session = TcpRecord {
        datagrams: Some((3, 2)),
        ..session()
    };
    let line = tcp_line(Format::Json, &session);
    assert!(line.contains(r#""kind":"udp","#), "{line}");
    let numbers = r#""received_datagrams":3,"sent_datagrams":2,"received_bytes":71,"#;
    assert!(line.contains(numbers), "{line}");
    assert!(tcp_line(Format::Combined, &session).contains("\"UDP mysql "));
}

/// What a reader must find for bytes that were put in.
fn expected(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| char::from(*byte)));
    }
    text
}

fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<Vec<u8>>(),
        any::<String>().prop_map(String::into_bytes),
        // Mostly what has to be escaped, and pieces of UTF-8.
        prop::collection::vec(
            prop::sample::select(
                b"\"\\\n\r\t\x00\x08\x1f\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\xedaz".to_vec()
            ),
            0..40
        ),
    ]
}

proptest! {
    #[test]
    fn any_json_line_parses_and_says_what_was_put_in(
        target in hostile_bytes(),
        host in hostile_bytes(),
        agent in hostile_bytes(),
        route in any::<String>(),
        nanos: u64,
        bytes: u64,
        seconds in 0_u64..1 << 40,
    ) {
        let record = AccessRecord {
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            request: Some(RequestLine { method: &agent, target: &target, version: HttpVersion::Http2 }),
            host: Some(&host),
            route: Some(&route),
            duration: Duration::from_nanos(nanos),
            response_bytes: bytes,
            user_agent: Some(&agent),
            referer: Some(&host),
            request_id: Some(&target),
            ..request()
        };
        let line = http_line(Format::Json, &record);
        let ending = line.find('\n');
        prop_assert_eq!(ending, Some(line.len() - 1));
        prop_assert!(!line.trim_end().bytes().any(|byte| byte < b' ' || byte == 0x7f));
        let parsed: Value = serde_json::from_str(&line).expect("JSON");
        for (name, value) in [
            (fields::TARGET, &target),
            (fields::REQUEST_ID, &target),
            (fields::HOST, &host),
            (fields::REFERER, &host),
            (fields::METHOD, &agent),
            (fields::USER_AGENT, &agent),
        ] {
            prop_assert_eq!(&parsed[name], &Value::String(expected(value)), "{}", name);
        }
        prop_assert_eq!(parsed[fields::ROUTE].as_str(), Some(route.as_str()));
        prop_assert_eq!(parsed[fields::RESPONSE_BYTES].as_u64(), Some(bytes));
        let millis = parsed[fields::DURATION_MS].as_f64().expect("a number");
        let exact = nanos as f64 / 1e6;
        prop_assert!((millis - exact).abs() <= 0.001 + exact * 1e-12, "{} {}", millis, exact);
    }

    #[test]
    fn any_combined_line_is_one_line_of_printable_text_with_six_quotes(target in hostile_bytes(), agent in hostile_bytes()) {
        let record = AccessRecord {
            request: Some(RequestLine { method: b"GET", target: &target, version: HttpVersion::Http11 }),
            user_agent: Some(&agent),
            ..request()
        };
        let line = http_line(Format::Combined, &record);
        let line = line.strip_suffix('\n').expect("a line feed");
        prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let mut quotes = 0;
        let mut bytes = line.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => prop_assert!(bytes.next().is_some()),
                b'"' => quotes += 1,
                _ => {}
            }
        }
        prop_assert_eq!(quotes, 6);
    }
}

/// A directory that is gone when the test is.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sluice-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn lines_in(path: &PathBuf) -> usize {
    fs::read_to_string(path).expect("the log").lines().count()
}

#[test]
fn every_line_of_every_worker_reaches_the_file() {
    let scratch = Scratch::new("access-all");
    let path = scratch.0.join("access.log");
    fs::write(&path, "what was there before\n").expect("a file");
    let dropped = Arc::new(SharedCounter::default());
    let log = AccessLog::start(
        Format::Json,
        Target::File(path.clone()),
        Arc::clone(&dropped),
    )
    .expect("a log");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let writer = log.writer();
                for attempts in 0..500 {
                    writer.http(&AccessRecord {
                        attempts,
                        ..request()
                    });
                }
                writer.tcp(&session());
            });
        }
    });
    assert!(log.finish(PATIENCE));
    assert_eq!(dropped.value(), 0);
    assert_eq!(lines_in(&path), 1 + 3 * 501);
    let text = fs::read_to_string(&path).expect("the log");
    assert!(
        text.lines()
            .skip(1)
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );

    // After the end, lines are counted and lost.
    log.writer().http(&request());
    assert_eq!(dropped.value(), 1);
}

#[test]
fn a_moved_file_is_let_go_of() {
    let scratch = Scratch::new("access-rotate");
    let (path, moved) = (scratch.0.join("access.log"), scratch.0.join("access.log.1"));
    let log = AccessLog::start(Format::Combined, Target::File(path.clone()), Arc::default())
        .expect("a log");
    let writer = log.writer();
    writer.http(&request());
    writer.flush();
    let deadline = std::time::Instant::now() + PATIENCE;
    while lines_in(&path) == 0 {
        assert!(
            std::time::Instant::now() < deadline,
            "the line was not written"
        );
        std::thread::yield_now();
    }
    fs::rename(&path, &moved).expect("to move the log");
    log.reopen();
    writer.http(&request());
    writer.http(&request());
    writer.flush();
    assert!(log.finish(PATIENCE));
    assert_eq!((lines_in(&moved), lines_in(&path)), (1, 2));
}

#[test]
fn a_target_that_cannot_be_opened_is_an_error() {
    let target = Target::File("/nonexistent/access.log".into());
    let error =
        AccessLog::start(Format::Json, target, Arc::default()).expect_err("no such directory");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

/// A target that takes nothing until it is opened, like a pipe whose reader is busy.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<(bool, usize)>, Condvar)>);

impl Gate {
    fn open(&self) {
        self.0.0.lock().expect("the gate").0 = true;
        self.0.1.notify_all();
    }

    fn lines(&self) -> usize {
        self.0.0.lock().expect("the gate").1
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let closed = |state: &mut (bool, usize)| !state.0;
        let mut state = self
            .0
            .1
            .wait_while(self.0.0.lock().expect("the gate"), closed)
            .expect("the gate");
        state.1 += bytes.split(|byte| *byte == b'\n').count() - 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start_on(
    output: impl Write + Clone + Send + 'static,
    dropped: &Arc<SharedCounter>,
) -> AccessLog {
    let open = move || Ok(Box::new(output.clone()) as Output);
    AccessLog {
        format: Format::Json,
        sink: Sink::start_with("access-log", open, Arc::clone(dropped)).expect("a sink"),
    }
}

#[test]
fn a_stuck_target_holds_nobody_up_and_every_lost_line_is_counted() {
    let (gate, dropped) = (Gate::default(), Arc::new(SharedCounter::default()));
    let log = start_on(gate.clone(), &dropped);
    let writer = log.writer();
    let mut logged = 0;
    // Each flush is a batch, so this overfills the queue by ten.
    for _ in 0..QUEUE_BATCHES + 10 {
        writer.http(&request());
        writer.http(&request());
        writer.flush();
        logged += 2;
    }
    assert!(dropped.value() >= 2 * 9, "{}", dropped.value());
    assert!(!log.finish(Duration::from_millis(1)), "stuck");
    gate.open();
    assert!(log.finish(PATIENCE));
    assert_eq!(gate.lines() as u64 + dropped.value(), logged);
    assert!(gate.lines() >= 2 * QUEUE_BATCHES);
}

#[derive(Clone)]
struct FullDisk;

impl Write for FullDisk {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_that_cannot_be_written_are_counted() {
    let dropped = Arc::new(SharedCounter::default());
    let log = start_on(FullDisk, &dropped);
    let writer = log.writer();
    for _ in 0..3 {
        writer.http(&request());
    }
    drop(writer);
    assert!(log.finish(PATIENCE));
    assert_eq!(dropped.value(), 3);
}

#[test]
fn a_full_buffer_is_handed_over_without_being_asked() {
    let (gate, dropped) = (Gate::default(), Arc::new(SharedCounter::default()));
    gate.open();
    let log = start_on(gate.clone(), &dropped);
    let writer = log.writer();
    let line = http_line(Format::Json, &request()).len();
    let lines = BATCH_BYTES.div_ceil(line);
    for _ in 0..lines {
        writer.http(&request());
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    while gate.lines() < lines {
        assert!(
            std::time::Instant::now() < deadline,
            "{} of {lines}",
            gate.lines()
        );
        std::thread::yield_now();
    }
    assert_eq!(writer.batch.borrow().lines, 0);
}

#[test]
fn words_of_the_end_are_unlike() {
    let mut words: Vec<_> = End::ALL.iter().map(|end| end.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), End::COUNT);
}
