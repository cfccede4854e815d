//! The life of one certificate: it is obtained, renewed in time, and when that fails it is tried again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sluice_config::plan::{Acme, Certificate};
use sluice_telemetry::metrics::Registry;
use sluice_tls::{Issued, Proofs};
use tokio::sync::{Mutex, Notify};
use tokio::time::{sleep, timeout};

use crate::failure::Failure;
use crate::https::Https;
use crate::storage::Storage;
use crate::{account, order, schedule};

/// What is wanted, and all that is needed for it.
pub(crate) struct Renewal {
    pub(crate) acme: Acme,
    pub(crate) storage: Storage,
    pub(crate) issued: Arc<Issued>,
    pub(crate) proofs: Arc<Proofs>,
    /// Held by whoever makes the account, which others may share.
    pub(crate) account: Arc<Mutex<()>>,
    pub(crate) registry: Arc<Registry>,
    /// Told of each new certificate.
    pub(crate) changed: Arc<Notify>,
}

impl Renewal {
    /// Goes on until it is aborted.
    pub(crate) async fn run(self) {
        let mut failures = 0;
        loop {
            if failures == 0 {
                self.wait_for_renewal().await;
            }
            let outcome = timeout(ATTEMPT, self.obtain())
                .await
                .unwrap_or(Err(Failure::Late("it took too long")));
            let first = self.acme.domains.first().map_or("", |first| first);
            self.registry.process().ordered(first, outcome.is_ok());
            let failure = match outcome {
                Ok(certificate) if is_due(&certificate) => Failure::Useless(
                    "most of its life is over: is this machine's clock right?".to_owned(),
                ),
                Ok(_) => {
                    failures = 0;
                    continue;
                }
                Err(failure) => failure,
            };
            failures += 1;
            let pause = schedule::pause(failures, failure.is_passing(), fastrand::f64());
            self.tell(&failure, failures, pause);
            sleep(pause).await;
        }
    }

    /// Ready when there is no certificate, or one that is to be renewed.
    async fn wait_for_renewal(&self) {
        let Some(certificate) = self.issued.certificate() else {
            return;
        };
        let at = schedule::renewal(
            certificate.not_before,
            certificate.not_after,
            fastrand::f64(),
        );
        // By the clock on the wall, which may be set, and goes on while the machine is asleep.
        while let Ok(left) = at.duration_since(SystemTime::now()) {
            sleep(left.min(LOOK_EVERY)).await;
        }
    }

    /// Obtains a certificate, serves it and keeps it.
    async fn obtain(&self) -> Result<Certificate, Failure> {
        let Acme {
            domains, challenge, ..
        } = &self.acme;
        let names = self.names();
        tracing::info!(
            domains = names,
            directory = %self.acme.directory,
            challenge = order::word(*challenge),
            "ordering a certificate"
        );
        let obtained = self.order().await?;
        let (certificate, text) = self
            .storage
            .certificate_of(domains, &obtained.private_key, &obtained.chain)
            .map_err(Failure::Useless)?;
        self.issued
            .put(certificate.clone())
            .map_err(|wrong| Failure::Useless(wrong.reason))?;
        self.changed.notify_one();
        tracing::info!(
            domains = names,
            file = %certificate.cert.display(),
            days = days_left(&certificate),
            "a certificate was obtained and is served"
        );
        if let Err(error) = self.storage.keep_certificate(&text) {
            tracing::error!(%error, "a certificate could not be kept: after a restart it will be ordered again");
        }
        Ok(certificate)
    }

    async fn order(&self) -> Result<order::Obtained, Failure> {
        let https = Https::new(self.acme.authorities.as_ref())?;
        let ordered = self.order_by(&https).await;
        if matches!(ordered, Err(Failure::UnknownAccount(_))) {
            account::forget(&self.storage)?;
        }
        ordered
    }

    async fn order_by(&self, https: &Https) -> Result<order::Obtained, Failure> {
        let account = {
            let _alone = self.account.lock().await;
            account::obtain(&self.acme, &self.storage, https).await?
        };
        let Acme {
            domains, challenge, ..
        } = &self.acme;
        order::order(&account, domains, *challenge, &self.proofs).await
    }

    fn names(&self) -> String {
        self.acme.domains.join(", ")
    }

    fn tell(&self, failure: &Failure, failures: u32, pause: Duration) {
        let names = self.names();
        let again_in = Duration::from_secs(pause.as_secs());
        if let Some(certificate) = self.issued.certificate() {
            tracing::error!(
                error = %failure,
                domains = names,
                failures,
                ?again_in,
                days_left = days_left(&certificate),
                "a certificate could not be renewed"
            );
        } else {
            tracing::error!(
                error = %failure,
                domains = names,
                failures,
                ?again_in,
                "a certificate could not be obtained: handshakes for its names are refused until there is one"
            );
        }
    }
}

fn is_due(certificate: &Certificate) -> bool {
    schedule::renewal(certificate.not_before, certificate.not_after, 0.0) <= SystemTime::now()
}

/// Whole days that a certificate is valid yet.
pub(crate) fn days_left(certificate: &Certificate) -> u64 {
    let left = certificate.not_after.duration_since(SystemTime::now());
    left.unwrap_or_default().as_secs() / (24 * 60 * 60)
}

/// An order as a whole, with all that it waits for.
const ATTEMPT: Duration = Duration::from_mins(10);
/// How long the clock on the wall may go unwatched.
const LOOK_EVERY: Duration = Duration::from_mins(10);
