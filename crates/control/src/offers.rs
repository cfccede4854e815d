//! What each listener offers by TLS, and what is asked of each upstream's servers: made by the control plane, shared by all
//! workers.

use std::sync::Arc;

use sluice_acme::Orders;
use sluice_config::Plan;
use sluice_config::plan::{Listener, Protocol, Tls, Upstream, UpstreamTls};
use sluice_proxy::Ciphers;
use sluice_tls::{
    ClientConfig, Issued, Proofs, Resumption, ServerConfig, client_config, server_config,
};

use crate::fleet::ApplyError;

/// The offers of a plan's listeners.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    by_listener: Vec<Option<Offer>>,
    by_upstream: Vec<Option<Ask>>,
    proofs: Arc<Proofs>,
}

/// What is asked of an upstream's servers.
#[derive(Clone, Debug)]
struct Ask {
    upstream: Arc<str>,
    tls: UpstreamTls,
    config: Arc<ClientConfig>,
}

#[derive(Clone, Debug)]
struct Offer {
    listener: Arc<str>,
    tls: Tls,
    protocols: Vec<&'static [u8]>,
    resumption: Resumption,
    /// The place of the certificate by ACME.
    issued: Option<Arc<Issued>>,
    config: Arc<ServerConfig>,
}

impl Offers {
    /// The offers for `plan`. What is as it was is kept, with the sessions that can be resumed.
    pub(crate) fn updated(&self, plan: &Plan, orders: &Orders) -> Result<Self, ApplyError> {
        let by_listener = plan
            .listeners
            .iter()
            .map(|listener| self.offer(listener, orders))
            .collect::<Result<_, _>>()?;
        let by_upstream = plan
            .upstreams
            .iter()
            .map(|upstream| self.ask(upstream))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            by_listener,
            by_upstream,
            proofs: Arc::clone(orders.proofs()),
        })
    }

    /// For the workers.
    pub(crate) fn ciphers(&self) -> Ciphers {
        Ciphers {
            listeners: self
                .by_listener
                .iter()
                .map(|offer| Some(Arc::clone(&offer.as_ref()?.config)))
                .collect(),
            upstreams: self
                .by_upstream
                .iter()
                .map(|ask| Some(Arc::clone(&ask.as_ref()?.config)))
                .collect(),
            proofs: Arc::clone(&self.proofs),
        }
    }

    fn ask(&self, upstream: &Upstream) -> Result<Option<Ask>, ApplyError> {
        let Some(tls) = &upstream.tls else {
            return Ok(None);
        };
        let mut known = self.by_upstream.iter().flatten();
        if let Some(known) = known.find(|one| one.upstream == upstream.name && one.tls == *tls) {
            return Ok(Some(known.clone()));
        }
        let config = client_config(tls).map_err(|wrong| ApplyError::UpstreamTls {
            upstream: Arc::clone(&upstream.name),
            reason: wrong.reason,
        })?;
        Ok(Some(Ask {
            upstream: Arc::clone(&upstream.name),
            tls: tls.clone(),
            config,
        }))
    }

    fn offer(&self, listener: &Listener, orders: &Orders) -> Result<Option<Offer>, ApplyError> {
        let Some(tls) = &listener.tls else {
            return Ok(None);
        };
        let protocols = protocols(&listener.protocol);
        let issued = tls.acme.as_ref().and_then(|acme| orders.place(acme));
        let known = self.by_listener.iter().flatten().find(|known| {
            known.listener == listener.name
                && known.tls == *tls
                && known.protocols == protocols
                && known.issued.as_ref().map(Arc::as_ptr) == issued.as_ref().map(Arc::as_ptr)
        });
        if let Some(known) = known {
            return Ok(Some(known.clone()));
        }
        let resumption = self.resumption(listener, tls);
        let config = server_config(tls, &protocols, &resumption, issued.clone());
        let config = config.map_err(|wrong| ApplyError::Tls {
            listener: Arc::clone(&listener.name),
            reason: wrong.reason,
        })?;
        Ok(Some(Offer {
            listener: Arc::clone(&listener.name),
            tls: tls.clone(),
            protocols,
            resumption,
            issued,
            config,
        }))
    }

    /// A new certificate is no reason to forget the sessions that can be resumed.
    fn resumption(&self, listener: &Listener, tls: &Tls) -> Resumption {
        let mut known = self.by_listener.iter().flatten();
        let same = known.find(|known| {
            known.listener == listener.name
                && known.tls.ticket_keys == tls.ticket_keys
                && known.tls.client_auth == tls.client_auth
                && known.tls.early_data == tls.early_data
        });
        same.map_or_else(
            || Resumption::new(&listener.name, tls),
            |known| known.resumption.clone(),
        )
    }
}

/// What is offered by ALPN (RFC 7301), the best first. Nothing for tcp, of which we do not know what is spoken.
fn protocols(protocol: &Protocol) -> Vec<&'static [u8]> {
    let mut protocols: Vec<&'static [u8]> = Vec::new();
    if let Protocol::Http(http) = protocol {
        if http.h2.is_some() {
            protocols.push(b"h2");
        }
        if http.h1 {
            protocols.extend([&b"http/1.1"[..], b"http/1.0"]);
        }
    }
    protocols
}
