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

/// What it has to say to the client.
#[derive(Debug)]
pub(super) enum Told {
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

    /// One answer for all of them. What a service says goes before our own words, and what may be over soon before a no.
    pub(super) fn refusal(self) -> Refusal {
        let mut answer = None;
        let mut has_failed = false;
        for denial in self.0 {
            match denial.told {
                Told::Answer {
                    status,
                    fields,
                    body,
                } => answer = Some((status, fields, body)),
                Told::Failure => has_failed = true,
            }
        }
        let (status, fields, body) = match answer {
            Some(answer) => answer,
            None if has_failed => (
                503,
                vec![("retry-after".into(), (*b"1").into())],
                Vec::new(),
            ),
            None => (401, Vec::new(), Vec::new()),
        };
        Refusal {
            status,
            fields,
            body,
            end: if status == 503 && has_failed {
                End::AuthFailed
            } else {
                End::Unauthorized
            },
        }
    }
}

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
    fn what_a_service_says_goes_first() {
        let told = vec![Told::Failure, answer(302)];
        let redirect = refusal(told);
        assert_eq!((redirect.status, redirect.fields.len()), (302, 1));
        assert_eq!(redirect.body, b"body");
    }

    #[test]
    fn what_could_not_be_found_out_is_no_refusal() {
        let failed = refusal(vec![Told::Failure]);
        assert_eq!((failed.status, failed.end), (503, End::AuthFailed));
    }
}
