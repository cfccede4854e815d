//! What is said of cases that failed.

use std::fmt;

/// A case that did not come out as it must.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The case's description.
    pub what: String,
    /// How the bytes were sent.
    pub how: String,
    /// The bytes.
    pub sent: Vec<u8>,
    /// Whether the subject neither spoke nor closed until the deadline.
    pub hung: bool,
    /// What was wrong.
    pub wrong: String,
    /// What was seen besides.
    pub seen: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "✗ {} ({})", self.what, self.how)?;
        writeln!(f, "    sent:  {}", shortened(&self.sent))?;
        writeln!(f, "    wrong: {}", self.wrong)?;
        write!(f, "    seen:  {}", self.seen)
    }
}

/// Fails the test with everything that went wrong, if anything did.
#[track_caller]
pub(crate) fn judge(cases: usize, failures: &[Failure]) {
    let hung = failures.iter().filter(|failure| failure.hung).count();
    let list: Vec<_> = failures.iter().map(ToString::to_string).collect();
    assert!(
        failures.is_empty(),
        "{} of {cases} cases failed, {hung} of them by waiting in vain (after a few of those the rest is not put):\n{}",
        failures.len(),
        list.join("\n")
    );
}

/// After so many waits in vain the rest is not put: what is wrong has been seen, and each costs the whole deadline.
pub(crate) const HUNG_ENOUGH: usize = 8;

fn shortened(bytes: &[u8]) -> String {
    const LONG: usize = 400;
    let start = &bytes[..bytes.len().min(LONG)];
    let more = bytes.len() - start.len();
    match more {
        0 => start.escape_ascii().to_string(),
        _ => format!("{} … and {more} bytes more", start.escape_ascii()),
    }
}
