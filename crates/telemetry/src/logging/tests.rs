//! What is logged is what is written, as one line each.

use std::path::PathBuf;

use serde_json::Value;
use tracing::{debug, error, info, warn};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Error)]
#[error("the file is wrong")]
struct Wrong(#[source] io::Error);

/// Logs with the given settings and gives the lines that came out.
fn logged(
    name: &str,
    level: Level,
    format: LogFormat,
    events: impl FnOnce(&Logging),
) -> Vec<String> {
    let path: PathBuf =
        std::env::temp_dir().join(format!("sluice-log-{name}-{}", std::process::id()));
    let (logging, subscriber) =
        Logging::start(level, format, Target::File(path.clone()), Arc::default()).expect("a log");
    tracing::subscriber::with_default(subscriber, || events(&logging));
    assert!(logging.finish(PATIENCE));
    let text = std::fs::read_to_string(&path).expect("the log");
    std::fs::remove_file(&path).expect("to clean up");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn text_lines() {
    let lines = logged("text", Level::DEBUG, LogFormat::Text, |_| {
        info!(listener = "web", address = %"127.0.0.1:80", "listening");
        warn!(
            count = 3,
            ratio = 0.5,
            name = "a \"b\"\u{1b}[2J",
            empty = "",
            "odd\nmessage"
        );
        let cause = Wrong(io::Error::other("no disk"));
        error!(error = &cause as &dyn std::error::Error, "cannot reload");
        debug!("detail");
    });
    let without_time: Vec<_> = lines.iter().map(|line| &line[24..]).collect();
    assert_eq!(
        without_time,
        [
            "  INFO listening listener=web address=127.0.0.1:80",
            r#"  WARN odd\nmessage count=3 ratio=0.5 name="a \"b\"\u{1b}[2J" empty="""#,
            r#" ERROR cannot reload error="the file is wrong: no disk""#,
            " DEBUG sluice_telemetry::logging::tests: detail",
        ]
    );
    assert!(
        lines
            .iter()
            .all(|line| line.as_bytes()[23] == b'Z' && line.starts_with("20"))
    );
}

#[test]
fn json_lines() {
    let lines = logged("json", Level::INFO, LogFormat::Json, |_| {
        warn!(
            count = 3_u64,
            ratio = 0.5,
            nan = f64::NAN,
            yes = true,
            name = "a \"b\"\n\u{1b}",
            "odd\nmessage"
        );
        let cause = Wrong(io::Error::other("no disk"));
        error!(error = &cause as &dyn std::error::Error, "cannot reload");
    });
    let mut values: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for value in &mut values {
        let time = value
            .as_object_mut()
            .and_then(|members| members.remove("time"));
        assert!(time.is_some_and(|time| time.as_str().is_some_and(|text| text.ends_with('Z'))));
    }
    assert_eq!(
        values,
        [
            serde_json::json!({
                "level": "warn", "target": "sluice_telemetry::logging::tests", "message": "odd\nmessage",
                "count": 3, "ratio": 0.5, "nan": "NaN", "yes": true, "name": "a \"b\"\n\u{1b}",
            }),
            serde_json::json!({
                "level": "error", "target": "sluice_telemetry::logging::tests", "message": "cannot reload",
                "error": "the file is wrong: no disk",
            }),
        ]
    );
}

#[test]
fn level_and_form_change_while_running() {
    let lines = logged("change", Level::WARN, LogFormat::Text, |logging| {
        let event = |step: u32| info!(step, "event");
        event(1);
        logging.change(Level::INFO, LogFormat::Json);
        event(2);
        logging.change(Level::INFO, LogFormat::Text);
        event(3);
        logging.change(Level::ERROR, LogFormat::Text);
        event(4);
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains(r#""step":2"#), "{lines:?}");
    assert!(lines[1].ends_with("  INFO event step=3"), "{lines:?}");
}
