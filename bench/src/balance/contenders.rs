//! Who is compared: each subject with each policy of its own that an informed user might choose for unequal servers.

use crate::subjects::{Kind, Subject};

/// A subject with one of its policies.
pub(crate) struct Contender<'a> {
    pub(crate) subject: &'a Subject,
    /// The policy in the subject's words, as its file has it.
    pub(crate) policy: &'static str,
    /// What sluice does when the file does not say.
    pub(crate) is_default: bool,
}

impl Contender<'_> {
    pub(crate) fn label(&self) -> String {
        let policy = self.policy.trim_matches('"').to_lowercase();
        let default = if self.is_default { " (default)" } else { "" };
        format!("{} {policy}{default}", self.subject.label)
    }
}

/// All that there are of `subjects`; of sluice only `policies`, where any are named.
pub(crate) fn of<'a>(subjects: &'a [Subject], policies: &[String]) -> Vec<Contender<'a>> {
    subjects
        .iter()
        .flat_map(|subject| {
            of_kind(subject.kind).iter().map(move |&policy| Contender {
                subject,
                policy,
                is_default: subject.kind == Kind::Sluice && policy == DEFAULT,
            })
        })
        .filter(|contender| {
            contender.subject.kind != Kind::Sluice
                || policies.is_empty()
                || policies
                    .iter()
                    .any(|named| named == contender.policy.trim_matches('"'))
        })
        .collect()
}

fn of_kind(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Sluice => &[
            "\"round-robin\"",
            "\"least-connections\"",
            "\"power-of-two\"",
            "\"least-response-time\"",
            "\"peak-ewma\"",
            "\"prequal\"",
            "\"c3\"",
        ],
        Kind::Haproxy => &["leastconn", "random(2)"],
        Kind::Nginx => &["least_conn", "random two least_conn"],
        Kind::Envoy => &["LEAST_REQUEST"],
        Kind::Bare | Kind::Forwarder => &[],
    }
}

const DEFAULT: &str = "\"c3\"";
