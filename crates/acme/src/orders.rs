//! The certificates that a plan wants, each with what works on it.

use std::sync::Arc;

use sluice_config::Plan;
use sluice_config::plan::{Acme, Certificate};
use sluice_telemetry::metrics::Registry;
use sluice_tls::{Issued, Proofs};
use tokio::sync::{Mutex, Notify};
use tokio::task::AbortHandle;

use crate::renewal::{Renewal, days_left};
use crate::storage::Storage;

/// The certificates that are ordered and renewed. Of one and the same certificate there is one, however many listeners serve it.
#[derive(Debug)]
pub struct Orders {
    standing: Vec<Standing>,
    proofs: Arc<Proofs>,
    registry: Arc<Registry>,
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct Standing {
    acme: Acme,
    storage: Storage,
    issued: Arc<Issued>,
    account: Arc<Mutex<()>>,
    task: Option<AbortHandle>,
}

impl Orders {
    /// None yet.
    pub fn new(registry: &Arc<Registry>) -> Self {
        Self {
            standing: Vec::new(),
            proofs: Arc::default(),
            registry: Arc::clone(registry),
            changed: Arc::default(),
        }
    }

    /// What authorities are to be shown.
    pub fn proofs(&self) -> &Arc<Proofs> {
        &self.proofs
    }

    /// Makes a place for each certificate of `plan`, with what is kept on disk. Nothing is asked of any authority yet.
    pub fn prepare(&mut self, plan: &Plan) {
        for acme in wanted(plan) {
            if self.place(acme).is_none() {
                let storage = Storage::of(acme);
                let issued = Arc::new(Issued::default());
                put_kept(acme, &storage, &issued);
                let account = self.account(&storage);
                self.standing.push(Standing {
                    acme: acme.clone(),
                    storage,
                    issued,
                    account,
                    task: None,
                });
            }
        }
    }

    /// Works on what `plan` wants, and on nothing else any more. What is wanted as before goes on.
    pub fn follow(&mut self, plan: &Plan) {
        let is_wanted = |one: &Standing| wanted(plan).any(|acme| acme.is_same_order(&one.acme));
        self.standing.retain(is_wanted);
        let names = wanted(plan).filter_map(|acme| acme.domains.first());
        self.registry.process().orders_of(names.map(|name| &**name));
        for one in &mut self.standing {
            // The first of several listeners says how.
            let acme = wanted(plan).find(|acme| acme.is_same_order(&one.acme));
            let Some(acme) = acme.filter(|acme| one.task.is_none() || **acme != one.acme) else {
                continue;
            };
            one.stop();
            one.acme = acme.clone();
            let renewal = Renewal {
                acme: acme.clone(),
                storage: one.storage.clone(),
                issued: Arc::clone(&one.issued),
                proofs: Arc::clone(&self.proofs),
                account: Arc::clone(&one.account),
                registry: Arc::clone(&self.registry),
                changed: Arc::clone(&self.changed),
            };
            one.task = Some(tokio::spawn(renewal.run()).abort_handle());
        }
    }

    /// The place of a certificate, which fills while handshakes look at it.
    pub fn place(&self, acme: &Acme) -> Option<Arc<Issued>> {
        let mut standing = self.standing.iter();
        let one = standing.find(|one| one.acme.is_same_order(acme))?;
        Some(Arc::clone(&one.issued))
    }

    /// The certificate that is served at present.
    pub fn certificate(&self, acme: &Acme) -> Option<Certificate> {
        self.place(acme)?.certificate()
    }

    /// Told when there is a new certificate.
    pub fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    fn account(&self, storage: &Storage) -> Arc<Mutex<()>> {
        let account = storage.account();
        let mut standing = self.standing.iter();
        let shares = standing.find(|one| one.storage.account() == account);
        shares.map_or_else(Arc::default, |one| Arc::clone(&one.account))
    }
}

impl Standing {
    fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.stop();
    }
}

fn wanted(plan: &Plan) -> impl Iterator<Item = &Acme> {
    plan.listeners
        .iter()
        .filter_map(|listener| listener.tls.as_ref()?.acme.as_ref())
}

/// One that cannot be read is ordered again.
fn put_kept(acme: &Acme, storage: &Storage, issued: &Issued) {
    let certificate = match storage.certificate(&acme.domains) {
        Ok(None) => return,
        Ok(Some(certificate)) => certificate,
        Err(error) => {
            tracing::error!(%error, "a kept certificate is of no use, and is ordered again");
            return;
        }
    };
    let file = certificate.cert.clone();
    let days = days_left(&certificate);
    match issued.put(certificate) {
        Ok(()) => tracing::info!(file = %file.display(), days, "a kept certificate is served"),
        Err(wrong) => tracing::error!(
            file = %file.display(),
            error = %wrong.reason,
            "a kept certificate is of no use, and is ordered again"
        ),
    }
}
