//! The admin listener's life: bound before traffic is taken, bound anew where a reload moves it.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use anyhow::Context as _;
use sluice_admin::{AdminListener, AdminState, Limits, Token, serve};
use sluice_config::{Plan, plan};
use sluice_control::{Fleet, LiveStores, Servers, Shifts};
use sluice_model::BindAddress;
use sluice_net::listen::{Bound, ListenOptions};
use sluice_telemetry::{Readiness, Registry};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// What the admin listener shows.
pub(crate) struct Admin {
    registry: Arc<Registry>,
    readiness: Arc<Readiness>,
    servers: Arc<Servers>,
    stores: Arc<LiveStores>,
    shifts: Arc<Shifts>,
}

/// A bound admin listener with what the plan said of it.
pub(crate) type Binding = Option<(plan::Admin, AdminListener)>;

impl Admin {
    pub(crate) fn new(registry: &Arc<Registry>, readiness: &Arc<Readiness>, fleet: &Fleet) -> Self {
        Self {
            registry: Arc::clone(registry),
            readiness: Arc::clone(readiness),
            servers: Arc::clone(fleet.servers()),
            stores: Arc::clone(fleet.stores()),
            shifts: Arc::clone(fleet.shifts()),
        }
    }

    /// Binds what the plan asks for.
    pub(crate) fn bind(settings: Option<&plan::Admin>) -> anyhow::Result<Binding> {
        let Some(settings) = settings else {
            return Ok(None);
        };
        let address = &settings.address;
        let listener = listener(address)
            .with_context(|| format!("the admin listener cannot be bound to {address}"))?;
        Ok(Some((settings.clone(), listener)))
    }

    /// Serves, and follows the plan from reload to reload. Where a new address cannot be bound the old one stays.
    pub(crate) async fn follow(self, first: Binding, mut plans: watch::Receiver<Arc<Plan>>) {
        let mut wanted = first.as_ref().map(|(settings, _)| settings.clone());
        let mut running = self.start(first);
        while plans.changed().await.is_ok() {
            let next = plans.borrow_and_update().admin.clone();
            if next == wanted {
                continue;
            }
            let moves = next.as_ref().map(|next| &next.address)
                != wanted.as_ref().map(|wanted| &wanted.address);
            // At the same address the old one has to go first.
            if !moves {
                end(running.take()).await;
            }
            match Self::bind(next.as_ref()) {
                Ok(binding) => {
                    end(running.take()).await;
                    running = self.start(binding);
                    wanted = next;
                }
                Err(error) => tracing::error!(
                    error = format!("{error:#}"),
                    "the admin listener stays as it was"
                ),
            }
        }
    }

    fn start(&self, binding: Binding) -> Option<Running> {
        let (settings, listener) = binding?;
        let state = AdminState {
            registry: Arc::clone(&self.registry),
            readiness: Arc::clone(&self.readiness),
            servers: Arc::clone(&self.servers),
            stores: Arc::clone(&self.stores),
            shifts: Arc::clone(&self.shifts),
            token: settings
                .token
                .as_ref()
                .map(|token| Token::new(token.reveal())),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, state, Limits::default(), async move {
            let _ = stopped.await;
        }));
        Some(Running { stop, task })
    }
}

struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn end(running: Option<Running>) {
    if let Some(Running { stop, task }) = running {
        // Gone already is as good as told.
        let _ = stop.send(());
        let _ = task.await;
    }
}

fn listener(address: &BindAddress) -> std::io::Result<AdminListener> {
    let options = ListenOptions {
        backlog: 128,
        keep_alive: None,
        receive_buffer: None,
        send_buffer: None,
        fast_open: None,
        defer_accept: None,
    };
    let bound = Bound::new(address, &options, 1, false)?;
    let socket = bound.into_sockets().into_iter().next();
    let socket = OwnedFd::from(socket.ok_or(std::io::ErrorKind::NotFound)?);
    match address {
        BindAddress::Unix(_) => UnixListener::from(socket).try_into(),
        BindAddress::AllInterfaces { .. } | BindAddress::Ip(_) => {
            TcpListener::from(socket).try_into()
        }
    }
}
