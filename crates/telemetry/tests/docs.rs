//! The pages on metrics and logs say what the code does. With `SLUICE_BLESS=1` the generated parts are written anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sluice_telemetry::access::{AccessLog, Format, fields};
use sluice_telemetry::metrics::{
    BadRequest, BreakerCause, CheckOutcome, ConnectFailure, DatagramDrop, Hello, LimitOutcome,
    MirrorOutcome, Refusal, ResponseFailure, ServerState, ShiftEnd, StatusClass, StoreOutcome,
    TlsFailure, catalogue,
};
use sluice_telemetry::{
    AccessRecord, End, HttpVersion, RequestLine, Target, TcpRecord, TlsRecord, word,
};

#[test]
fn metrics_page() {
    check(
        "metrics.md",
        &[
            ("metrics", catalogue::markdown()),
            ("code", word::markdown::<StatusClass>()),
            ("end", word::markdown::<End>()),
            ("mirror-outcomes", word::markdown::<MirrorOutcome>()),
            ("shift-ends", word::markdown::<ShiftEnd>()),
            ("bad-requests", word::markdown::<BadRequest>()),
            ("datagram-drops", word::markdown::<DatagramDrop>()),
            ("hellos", word::markdown::<Hello>()),
            ("server-states", word::markdown::<ServerState>()),
            ("refusals", word::markdown::<Refusal>()),
            ("breaker-causes", word::markdown::<BreakerCause>()),
            ("connect-failures", word::markdown::<ConnectFailure>()),
            ("tls-failures", word::markdown::<TlsFailure>()),
            ("check-outcomes", word::markdown::<CheckOutcome>()),
            ("response-failures", word::markdown::<ResponseFailure>()),
            ("limit-outcomes", word::markdown::<LimitOutcome>()),
            ("store-outcomes", word::markdown::<StoreOutcome>()),
        ],
    );
}

#[test]
fn logs_page() {
    check(
        "logs.md",
        &[
            ("json-lines", fenced("json", Format::Json)),
            ("combined-lines", fenced("text", Format::Combined)),
            ("fields", fields::markdown()),
            ("end", word::markdown::<End>()),
        ],
    );
}

#[test]
fn every_metric_that_a_page_names_exists() {
    let mut pages = 0;
    for entry in std::fs::read_dir(page_path("")).expect("the pages") {
        let path = entry.expect("a page").path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        pages += 1;
        let text = std::fs::read_to_string(&path).expect("the page");
        let names = text
            .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
            .filter(|word| word.starts_with("sluice_") || word.starts_with("process_"));
        for name in names {
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(name);
            let known = catalogue::ALL
                .iter()
                .any(|known| known.name == family || known.name == name);
            assert!(known, "{} names {name}", path.display());
        }
    }
    assert!(pages >= 2, "the pages are elsewhere");
}

/// What the formats make of a request, a refused request and a session.
fn fenced(language: &str, format: Format) -> String {
    let path = std::env::temp_dir().join(format!("sluice-docs-{language}-{}", std::process::id()));
    let log = AccessLog::start(format, Target::File(path.clone()), Arc::default()).expect("a log");
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_217_951_042);
    let request = AccessRecord {
        time,
        listener: "web",
        client: Some(([192, 0, 2, 7], 40_312).into()),
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
        tls: Some(TlsRecord {
            version: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256",
        }),
        server_name: Some("example.com"),
        early_data: false,
        end: End::Ok,
        limit: None,
        user_agent: Some(b"curl/8.5.0"),
        referer: Some(b"https://example.com/"),
    };
    let writer = log.writer();
    writer.http(&request);
    writer.http(&AccessRecord {
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
        tls: None,
        server_name: None,
        end: End::BadRequest,
        limit: None,
        user_agent: None,
        referer: None,
        ..request
    });
    writer.tcp(&TcpRecord {
        time,
        listener: "mysql",
        client: Some(([192, 0, 2, 8], 50_100).into()),
        server_name: None,
        upstream: Some("mysql"),
        server: Some("127.0.0.1:3306"),
        attempts: 2,
        datagrams: None,
        received_bytes: 71,
        sent_bytes: 4_096,
        duration: Duration::from_millis(12_500),
        tls: None,
        end: End::IdleTimeout,
    });
    drop(writer);
    assert!(log.finish(Duration::from_secs(20)));
    let lines = std::fs::read_to_string(&path).expect("the log");
    std::fs::remove_file(&path).expect("to clean up");
    format!("```{language}\n{lines}```\n")
}

/// Compares what stands between the marks of each part with what it should be, or puts it there.
fn check(page: &str, parts: &[(&str, String)]) {
    let path = page_path(page);
    let before = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let mut after = before.clone();
    for (name, generated) in parts {
        let (open, close) = (format!("<!-- generated: {name} -->\n"), "<!-- end -->");
        let start = after
            .find(&open)
            .unwrap_or_else(|| panic!("{page} has no part {name}"))
            + open.len();
        let length = after[start..]
            .find(close)
            .unwrap_or_else(|| panic!("{page}: {name} has no end"));
        after.replace_range(start..start + length, &format!("\n{generated}\n"));
    }
    if std::env::var_os("SLUICE_BLESS").is_some() {
        std::fs::write(&path, after).expect("to write the page");
    } else {
        assert!(
            before == after,
            "docs/{page} is out of date: run this test with SLUICE_BLESS=1 and look at the change"
        );
    }
}

fn page_path(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(page)
}
