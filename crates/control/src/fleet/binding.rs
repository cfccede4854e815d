//! The addresses of listeners: bound before anything else changes, kept where they stay the same.

use std::io;
use std::sync::Arc;

use sluice_config::Plan;
use sluice_config::plan::{Listener, Protocol};
use sluice_model::BindAddress;
use sluice_net::listen::{Bound, BoundAddress, ListenOptions};

use super::{ApplyError, Fleet};

impl Fleet {
    /// Binds the listeners that the running plan has not, or has with other socket settings.
    pub(super) fn bind_new(&self, plan: &Plan) -> Result<Vec<(usize, Bound)>, ApplyError> {
        let running = self.plan.as_ref().map_or(&[][..], |plan| &plan.listeners);
        plan.listeners
            .iter()
            .enumerate()
            .filter(|(_, wanted)| !running.iter().any(|known| is_same_socket(known, wanted)))
            .map(|(position, wanted)| {
                let beside_own = running.iter().any(|known| {
                    known.protocol.is_udp() == wanted.protocol.is_udp()
                        && known.address.conflicts_with(&wanted.address)
                });
                let options = listen_options(wanted);
                let workers = self.workers.len();
                let bound = if wanted.protocol.is_udp() {
                    Bound::datagrams(&wanted.address, &options, workers, beside_own)
                } else {
                    Bound::new(&wanted.address, &options, workers, beside_own)
                };
                bound
                    .map(|bound| (position, bound))
                    .map_err(|cause| not_bound(wanted, cause))
            })
            .collect()
    }

    /// Binds the UDP side of the listeners that speak HTTP/3 and did not, or did elsewhere: where their TCP side is.
    pub(super) fn bind_quic(
        &self,
        plan: &Plan,
        new: &[(usize, Bound)],
    ) -> Result<Vec<(usize, Bound)>, ApplyError> {
        let running = self.plan.as_ref().map_or(&[][..], |plan| &plan.listeners);
        plan.listeners
            .iter()
            .enumerate()
            .filter(|(_, wanted)| speaks_h3(wanted))
            .filter(|(_, wanted)| {
                !running.iter().any(|known| {
                    speaks_h3(known) && known.name == wanted.name && known.address == wanted.address
                })
            })
            .map(|(position, wanted)| {
                let mut just_bound = new.iter().filter(|(at, _)| *at == position);
                let mut bound = self.bound.iter().filter(|(name, _)| *name == wanted.name);
                let tcp = just_bound
                    .next()
                    .map(|(_, bound)| bound.address())
                    .or_else(|| bound.next().map(|(_, address)| address));
                let address = match (&wanted.address, tcp) {
                    (BindAddress::AllInterfaces { .. }, Some(BoundAddress::Ip(tcp))) => {
                        BindAddress::AllInterfaces { port: tcp.port() }
                    }
                    (_, Some(BoundAddress::Ip(tcp))) => BindAddress::Ip(*tcp),
                    _ => wanted.address.clone(),
                };
                let beside_own = running
                    .iter()
                    .any(|known| speaks_h3(known) && known.address.conflicts_with(&address));
                let options = listen_options(wanted);
                Bound::datagrams(&address, &options, self.workers.len(), beside_own)
                    .map(|bound| (position, bound))
                    .map_err(|cause| not_bound(wanted, cause))
            })
            .collect()
    }

    /// Says where all are bound now, and removes the sockets of the file system that are not any more.
    pub(super) fn note_bound(&mut self, plan: &Plan, new: &[(usize, Bound)]) {
        let before = std::mem::take(&mut self.bound);
        self.bound = plan
            .listeners
            .iter()
            .enumerate()
            .filter_map(|(position, listener)| {
                let address = new
                    .iter()
                    .find(|(bound, _)| *bound == position)
                    .map(|(_, bound)| bound.address().clone())
                    .or_else(|| {
                        let mut known = before.iter();
                        let found = known.find(|(name, _)| *name == listener.name);
                        found.map(|(_, address)| address.clone())
                    })?;
                Some((Arc::clone(&listener.name), address))
            })
            .collect();
        let gone: Vec<_> = before
            .into_iter()
            .filter(|(_, address)| !self.bound.iter().any(|(_, kept)| kept == address))
            .collect();
        remove_unix_sockets(&gone);
    }
}

/// Whether a listener can go on with the sockets it has.
pub(super) fn is_same_socket(known: &Listener, wanted: &Listener) -> bool {
    known.name == wanted.name
        && known.address == wanted.address
        && known.socket == wanted.socket
        && known.protocol.is_udp() == wanted.protocol.is_udp()
}

fn speaks_h3(listener: &Listener) -> bool {
    match &listener.protocol {
        Protocol::Http(http) => http.h3.is_some(),
        Protocol::Tcp(_) | Protocol::Udp(_) => false,
    }
}

fn listen_options(listener: &Listener) -> ListenOptions {
    let socket = &listener.socket;
    ListenOptions {
        backlog: socket.backlog,
        keep_alive: socket.keep_alive,
        receive_buffer: socket.receive_buffer,
        send_buffer: socket.send_buffer,
        fast_open: socket.fast_open,
        defer_accept: socket.defer_accept,
    }
}

/// Those of the file system stay there else.
pub(super) fn remove_unix_sockets(bound: &[(Arc<str>, BoundAddress)]) {
    for (_, address) in bound {
        if let BoundAddress::Unix(path) = address {
            // Somebody else may have removed it: that is what is wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn not_bound(listener: &Listener, cause: io::Error) -> ApplyError {
    ApplyError::Bind {
        listener: Arc::clone(&listener.name),
        address: listener.address.clone(),
        cause,
    }
}
