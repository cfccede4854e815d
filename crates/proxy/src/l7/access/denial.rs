//! What a client is told that none of a route's `auth` lets in.

use sluice_telemetry::End;
use sluice_telemetry::metrics::AuthOutcome;

use crate::l7::admission::Refusal;

/// Why one `[auth.NAME]` does not let a client in.
#[derive(Debug)]
pub(super) struct Denial {
    pub(super) outcome: AuthOutcome,
    pub(super) told: Told,
}

impl Denial {
    /// It could not be found out.
    pub(super) const FAILURE: Self = Self {
        outcome: AuthOutcome::Failed,
        told: Told::Failure,
    };

    /// Nothing of the kind was shown.
    pub(super) fn missing(challenge: &str) -> Self {
        Self {
            outcome: AuthOutcome::Missing,
            told: Told::Challenge(challenge.into()),
        }
    }

    /// What was shown does not let in.
    pub(super) fn refused(challenge: &str) -> Self {
        Self {
            outcome: AuthOutcome::Refused,
            told: Told::Challenge(challenge.into()),
        }
    }
}

/// What it has to say to the client.
#[derive(Debug)]
pub(super) enum Told {
    /// How clients show who they are: the value of `WWW-Authenticate` (RFC 9110, 11.6.1).
    Challenge(Box<str>),
    /// The answer of a service that was asked.
    Answer {
        status: u16,
        fields: Vec<(Box<str>, Box<[u8]>)>,
        body: Vec<u8>,
    },
    /// That it could not be found out.
    Failure,
}

/// Why none lets it in.
#[derive(Debug, Default)]
pub(super) struct Denials(Vec<Denial>);

impl Denials {
    pub(super) fn push(&mut self, denial: Denial) {
        self.0.push(denial);
    }

    /// One answer for all of them. What a service says goes before our own words, and what may be over soon before a no. The
    /// challenges of all go with it.
    pub(super) fn refusal(self) -> Refusal {
        let mut challenges: Vec<(Box<str>, Box<[u8]>)> = Vec::new();
        let mut answer = None;
        let mut has_failed = false;
        for denial in self.0 {
            match denial.told {
                Told::Challenge(challenge) => {
                    challenges.push((CHALLENGE.into(), challenge.as_bytes().into()));
                }
                Told::Answer {
                    status,
                    fields,
                    body,
                } => answer = Some((status, fields, body)),
                Told::Failure => has_failed = true,
            }
        }
        let (status, mut fields, body) = match answer {
            Some(answer) => answer,
            None if has_failed => (
                503,
                vec![("retry-after".into(), (*b"1").into())],
                Vec::new(),
            ),
            None => (401, Vec::new(), Vec::new()),
        };
        if status == 401 {
            fields.append(&mut challenges);
        }
        Refusal {
            status,
            fields,
            body,
            end: if status == 503 && has_failed {
                End::AuthFailed
            } else {
                End::Unauthorized
            },
            limit: None,
        }
    }
}

const CHALLENGE: &str = "WWW-Authenticate";

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(told: Vec<Told>) -> Refusal {
        let mut denials = Denials::default();
        for told in told {
            denials.push(Denial {
                outcome: AuthOutcome::Refused,
                told,
            });
        }
        denials.refusal()
    }

    fn answer(status: u16) -> Told {
        Told::Answer {
            status,
            fields: vec![("location".into(), (*b"/login").into())],
            body: b"body".to_vec(),
        }
    }

    #[test]
    fn all_challenges_are_told() {
        let told = ["Basic realm=\"a\"", "Bearer"].map(|text| Told::Challenge(text.into()));
        let refusal = refusal(told.into());
        assert_eq!((refusal.status, refusal.end), (401, End::Unauthorized));
        let values: Vec<_> = refusal.fields.iter().map(|(_, value)| &**value).collect();
        assert_eq!(values, [&b"Basic realm=\"a\""[..], b"Bearer"]);
    }

    #[test]
    fn what_a_service_says_goes_first() {
        let told = vec![Told::Failure, answer(302), Told::Challenge("Basic".into())];
        let redirect = refusal(told);
        assert_eq!((redirect.status, redirect.fields.len()), (302, 1));
        assert_eq!(redirect.body, b"body");
        let denied = refusal(vec![Told::Challenge("Basic".into()), answer(401)]);
        assert_eq!((denied.status, denied.fields.len()), (401, 2));
    }

    #[test]
    fn what_could_not_be_found_out_is_no_refusal() {
        let failed = refusal(vec![Told::Challenge("Basic".into()), Told::Failure]);
        assert_eq!((failed.status, failed.end), (503, End::AuthFailed));
    }
}
