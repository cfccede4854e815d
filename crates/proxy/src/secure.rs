//! A client's TLS handshake, before the protocol itself begins.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use sluice_net::Stream;
use sluice_telemetry::TlsRecord;
use sluice_telemetry::metrics::{EarlyData, ListenerMetrics, TlsFailure, TlsVersion};
use sluice_tls::{ACME_TLS, Facts, Handshake, HandshakeError, ServerConfig};

use crate::deadline::Deadline;
use crate::worker::Worker;

/// What a listener asks of a connection before it is spoken on.
#[derive(Clone, Debug)]
pub(crate) struct Security {
    pub(crate) config: Arc<ServerConfig>,
    /// What an authority is answered that looks for a proof, where one is shown.
    pub(crate) proof: Option<Arc<ServerConfig>>,
    /// How long a handshake may take.
    pub(crate) timeout: Duration,
}

/// Puts a TLS session in the place of `stream`, of which `received` has come already. `None` where there will be none: that
/// has been counted then, and the client told.
pub(crate) async fn secure(
    stream: &mut Stream,
    received: Vec<u8>,
    security: Security,
    deadline: &mut Deadline,
    metrics: &ListenerMetrics,
    worker: &Worker,
) -> Option<Rc<Facts>> {
    deadline.set(Instant::now() + security.timeout);
    let Stream::Socket(socket) = stream.take() else {
        return None;
    };
    let workspace = Rc::clone(worker.tls_workspace());
    let mut handshake =
        Handshake::new(socket, received, security.config, workspace).proving(security.proof);
    let outcome = poll_fn(|cx| match handshake.poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => deadline.poll(cx).map(|()| None),
    })
    .await;
    match outcome {
        Some(Ok((session, facts))) => {
            metrics.tls_handshakes.increment(if facts.is_v1_3() {
                TlsVersion::V1_3
            } else {
                TlsVersion::V1_2
            });
            if facts.resumed {
                metrics.tls_resumptions.increment();
            }
            if facts.offered_early_data {
                metrics.tls_early_data.increment(match facts.early {
                    Some(_) => EarlyData::Accepted,
                    None => EarlyData::Rejected,
                });
            }
            *stream = Stream::Layered(session);
            if facts.protocol.as_deref() == Some(ACME_TLS) {
                // The handshake was all that was wanted (RFC 8737, 3); what is left of it still has to go out.
                poll_fn(|cx| match stream.poll_shutdown(cx) {
                    Poll::Ready(_) => Poll::Ready(()),
                    Poll::Pending => deadline.poll(cx),
                })
                .await;
                return None;
            }
            Some(Rc::new(facts))
        }
        Some(Err(error)) => {
            metrics.tls_failures.increment(word(&error));
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        None => {
            metrics.tls_failures.increment(TlsFailure::Timeout);
            None
        }
    }
}

/// What the access log tells of it.
pub(crate) fn log_record(facts: &Facts) -> TlsRecord<'_> {
    TlsRecord {
        version: facts.version,
        cipher: facts.cipher,
    }
}

fn word(error: &HandshakeError) -> TlsFailure {
    match error {
        HandshakeError::Closed => TlsFailure::Closed,
        HandshakeError::NotTls => TlsFailure::NotTls,
        HandshakeError::Version => TlsFailure::Version,
        HandshakeError::NothingInCommon(_) | HandshakeError::NoProtocol => {
            TlsFailure::NothingInCommon
        }
        HandshakeError::Refused(_) => TlsFailure::Refused,
        HandshakeError::Certificate(_) => TlsFailure::Certificate,
        HandshakeError::NoCertificate => TlsFailure::NoCertificate,
        HandshakeError::Invalid(_) => TlsFailure::Invalid,
    }
}
