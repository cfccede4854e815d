//! What holds for any text. Property tests, the corpus and the fuzz target check it.

use std::path::Path;

use sluice_config::{Report, Source, Surroundings, load};

/// Loads the bytes as a file, and panics if the answer is not one.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let source = Source {
        name: "any.toml".to_owned(),
        text: text.to_owned(),
    };
    match load(&source, &TwoSecrets) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings.errors(), 0, "used in spite of errors");
            assert!(!loaded.plan.listeners.is_empty(), "nothing listens");
            for upstream in &loaded.plan.upstreams {
                assert!(!upstream.servers.is_empty(), "an upstream without servers");
            }
            assert_eq!(
                load(&source, &TwoSecrets).map(|again| again.plan),
                Ok(loaded.plan.clone())
            );
            untold(&format!("{:?}", loaded.plan), SECRET, text);
            readable(&loaded.warnings, text);
        }
        Err(report) => {
            assert!(report.errors() > 0, "refused without a reason");
            readable(&report, text);
        }
    }
}

/// Every place lies in the text, in the order of the text, and what a reference stood for is not told.
fn readable(report: &Report, text: &str) {
    let mut last = 0;
    for diagnostic in report.diagnostics() {
        if let Some(span) = &diagnostic.span {
            assert!(
                text.get(span.clone()).is_some(),
                "{span:?} is no place in the text"
            );
            assert!(span.start >= last, "not in the order of the text");
            last = span.start;
        }
    }
    for coloured in [false, true] {
        let shown = report.render(coloured);
        untold(&shown, SECRET, text);
        untold(&shown, VARIABLE, text);
    }
}

/// What does not stand in the file itself is not shown.
fn untold(shown: &str, secret: &str, text: &str) {
    assert!(
        !shown.contains(secret) || text.contains(secret),
        "a secret is shown: {shown}"
    );
}

/// Every variable is set to the same, every secret's file holds another.
struct TwoSecrets;

const VARIABLE: &str = "correct-horse-battery-staple";
const SECRET: &str = "hunter2hunter2hunter2";

impl Surroundings for TwoSecrets {
    fn env(&self, _: &str) -> Option<String> {
        Some(VARIABLE.to_owned())
    }

    fn secret(&self, _: &Path) -> Result<String, String> {
        Ok(SECRET.to_owned())
    }
}
