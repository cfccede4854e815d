//! Why an order comes to nothing.

use std::fmt::Write as _;

use instant_acme::{Error, Problem};
use sluice_fetch::with_causes;
use thiserror::Error as ThisError;

use crate::storage::StorageError;

/// Why there is no certificate.
#[derive(Debug, ThisError)]
pub(crate) enum Failure {
    /// The authority refuses; in its own words.
    #[error("the authority says: {0}")]
    Refused(String),
    /// The authority does not know the account, or not any more.
    #[error("the authority does not know the account of {0}")]
    UnknownAccount(String),
    /// The authority could not see that a name is ours; in its own words.
    #[error("the authority says of {0}")]
    NotProven(String),
    /// It offers other ways to prove that a name is ours.
    #[error("the authority does not offer {challenge} for {domain}, only {offered}")]
    NotOffered {
        challenge: &'static str,
        domain: String,
        offered: String,
    },
    /// There was no sensible answer.
    #[error("the authority cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the authority did not come to an end: {0}")]
    Late(&'static str),
    /// What it sent is no certificate for us.
    #[error("the authority's certificate cannot be used: {0}")]
    Useless(String),
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Something of ours.
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    /// Whether asking again soon does no harm: nothing was judged yet.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Storage(_) | Self::UnknownAccount(_)
        )
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) if is_type(&problem, "accountDoesNotExist") => {
                Self::UnknownAccount(words(&problem))
            }
            Error::Api(problem) => Self::Refused(words(&problem)),
            Error::Timeout(_) => Self::Late("it is still at work on the order"),
            Error::Crypto | Error::KeyRejected => Self::Internal(error.to_string()),
            Error::Json(error) => {
                Self::Unreachable(format!("what it says is not of ACME: {error}"))
            }
            Error::Other(error) => Self::Unreachable(with_causes(&*error)),
            other => Self::Unreachable(with_causes(&other)),
        }
    }
}

/// What the authority says, and what kind of problem that is.
pub(crate) fn words(problem: &Problem) -> String {
    let mut text = problem
        .detail
        .clone()
        .unwrap_or_else(|| "nothing".to_owned());
    for part in &problem.subproblems {
        // Writing to a text cannot fail.
        let _ = write!(text, "; {part}");
    }
    if let Some(kind) = &problem.r#type {
        let _ = write!(text, " ({})", kind.strip_prefix(KINDS).unwrap_or(kind));
    }
    text
}

fn is_type(problem: &Problem, kind: &str) -> bool {
    let known = problem
        .r#type
        .as_deref()
        .and_then(|kind| kind.strip_prefix(KINDS));
    known == Some(kind)
}

/// RFC 8555, 6.7
const KINDS: &str = "urn:ietf:params:acme:error:";

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str) -> Error {
        Error::Api(Problem {
            r#type: Some(format!("{KINDS}{kind}")),
            detail: Some("too many".to_owned()),
            status: Some(429),
            subproblems: Vec::new(),
        })
    }

    #[test]
    fn the_authority_is_quoted() {
        let refused = Failure::from(problem("rateLimited"));
        assert_eq!(
            refused.to_string(),
            "the authority says: too many (rateLimited)"
        );
        assert!(!refused.is_passing());
        let unknown = Failure::from(problem("accountDoesNotExist"));
        assert!(matches!(unknown, Failure::UnknownAccount(_)), "{unknown}");
    }

    #[test]
    fn an_authority_that_does_not_answer_may_do_so_later() {
        let outer = std::io::Error::other("refused");
        let failure = Failure::from(Error::Other(Box::new(outer)));
        assert_eq!(
            failure.to_string(),
            "the authority cannot be reached: refused"
        );
        assert!(failure.is_passing());
    }
}
