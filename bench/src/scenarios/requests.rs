//! What a request costs, and how many a second there are: the closed loop.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;

use super::{CPU, RATE, Scenario, in_turn};
use crate::cores;
use crate::load::exchange::HttpClients;
use crate::load::flow::Door;
use crate::load::h2::{Call, H2Clients};
use crate::load::h3::H3Clients;
use crate::load::origin::{self, Service};
use crate::load::requests::Heads;
use crate::load::{Clients, Load, Placement, ciphered};
use crate::report::{Better, Table};
use crate::subjects::{Job, Protocol, SERVICES, Setup, Subject, TENANTS, TOKEN};
use crate::window::{Timing, Window};

/// What is asked for, over how much, from where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    path: &'static str,
    body_length: usize,
    connections: usize,
    workers: usize,
    pinned: bool,
    dialect: Dialect,
    setup: Setup,
    asks: Asks,
}

/// What clients of HTTP/1.1 say beside the path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asks {
    /// What browsers say.
    Usual,
    /// Of a thousand places, one after the other.
    Spread,
    /// With a field that the server is not to see.
    WithDebug,
    /// With a token.
    WithToken,
    /// With the cookie that they were given.
    WithCookie,
}

/// How clients ask.
#[derive(Debug, Clone, Copy)]
enum Dialect {
    H1,
    H1OverTls,
    /// With so many requests under way on each connection.
    H2(usize),
    /// HTTP/3, likewise.
    H3(usize),
    /// Unary calls, to servers of HTTP/2 as well.
    Grpc(usize),
}

impl Shape {
    /// One worker on one core, load and servers on the other.
    pub(super) fn pinned(path: &'static str, body_length: usize, connections: usize) -> Self {
        Self {
            path,
            body_length,
            connections,
            workers: 1,
            pinned: true,
            dialect: Dialect::H1,
            setup: Setup::Plain,
            asks: Asks::Usual,
        }
    }

    /// Two workers; where all runs is left to the kernel.
    pub(super) fn two_workers(path: &'static str, body_length: usize, connections: usize) -> Self {
        Self {
            path,
            body_length,
            connections,
            workers: 2,
            pinned: false,
            dialect: Dialect::H1,
            setup: Setup::Plain,
            asks: Asks::Usual,
        }
    }

    /// The same with the subject set up otherwise.
    pub(super) fn set_up(self, setup: Setup) -> Self {
        Self { setup, ..self }
    }

    /// The same with clients that say something else.
    pub(super) fn asking(self, asks: Asks) -> Self {
        Self { asks, ..self }
    }

    /// The same over TLS.
    pub(super) fn over_tls(self) -> Self {
        Self {
            dialect: Dialect::H1OverTls,
            ..self
        }
    }

    /// The same in HTTP/2 in the clear, with `streams` requests under way on each connection.
    pub(super) fn in_streams(self, streams: usize) -> Self {
        Self {
            dialect: Dialect::H2(streams),
            ..self
        }
    }

    /// The same in HTTP/3.
    pub(super) fn in_quic_streams(self, streams: usize) -> Self {
        Self {
            dialect: Dialect::H3(streams),
            ..self
        }
    }

    /// `connections` in HTTP/2 in the clear with `streams` unary calls under way on each.
    pub(super) fn grpc(connections: usize, streams: usize) -> Self {
        Self {
            dialect: Dialect::Grpc(streams),
            ..Self::pinned("", 0, connections)
        }
    }

    fn units(self) -> (&'static str, &'static str) {
        match self.dialect {
            Dialect::Grpc(_) => ("µs a call", "calls a second"),
            _ => ("µs a request", "requests a second"),
        }
    }

    fn protocol(self) -> Protocol {
        match self.dialect {
            Dialect::H1 => Protocol::Http,
            Dialect::H1OverTls => Protocol::Tls,
            Dialect::H2(_) => Protocol::H2,
            Dialect::H3(_) => Protocol::H3,
            Dialect::Grpc(_) => Protocol::Grpc,
        }
    }

    fn heads(self) -> Heads {
        match self.asks {
            Asks::Usual => Heads::usual(self.path),
            Asks::Spread => Heads::spread((0..TENANTS * SERVICES).map(|number| {
                let (tenant, service) = (number / SERVICES, number % SERVICES);
                let host = format!("tenant-{tenant}.example.com");
                (host, format!("/service-{service}{}", self.path))
            })),
            Asks::WithDebug => Heads::with_field(self.path, "X-Debug", "on"),
            Asks::WithToken => {
                Heads::with_field(self.path, "Authorization", &format!("Bearer {TOKEN}"))
            }
            Asks::WithCookie => Heads::with_cookies(self.path),
        }
    }

    /// One window of this against one subject.
    pub(super) fn window(self, subject: &Subject, timing: Timing) -> Result<Window> {
        let each = self.connections / self.workers;
        let h1 = |door| HttpClients::closed(door, each, self.heads(), self.body_length);
        match self.dialect {
            Dialect::H1 => self.measure(subject, timing, |to| Ok(h1(Door::plain(to)))),
            Dialect::H1OverTls => self.measure(subject, timing, |to| {
                let offer = ciphered::offer(&["http/1.1"])?;
                Ok(h1(Door::ciphered(to, Arc::new(offer))))
            }),
            Dialect::H2(streams) => self.measure(subject, timing, |to| {
                let call = Call::get(self.path, self.body_length);
                Ok(H2Clients::new(Door::plain(to), call, each, streams))
            }),
            Dialect::H3(streams) => self.measure(subject, timing, |to| {
                H3Clients::new(to, self.path, self.body_length, each, streams)
            }),
            Dialect::Grpc(streams) => self.measure(subject, timing, |to| {
                let call = Call::grpc();
                Ok(H2Clients::new(Door::plain(to), call, each, streams))
            }),
        }
    }

    fn measure<C: Clients>(
        self,
        subject: &Subject,
        timing: Timing,
        clients: impl Fn(SocketAddr) -> Result<C>,
    ) -> Result<Window> {
        let servers = origin::addresses(SERVERS)?;
        let core = self.pinned.then_some(cores::PROXY);
        let mut job = Job::new(self.protocol(), &servers, self.workers, core)?;
        job.setup = self.setup;
        let clients = (0..self.workers)
            .map(|_| clients(job.listen))
            .collect::<Result<_>>()?;
        let placement = Placement {
            core: self.pinned.then_some(cores::LOAD),
            spin: self.pinned,
        };
        let service = match self.dialect {
            Dialect::Grpc(_) => Service::Grpc,
            _ => Service::Http,
        };
        let load = Load::start(clients, service, &servers, placement)?;
        let running = subject.start(&job)?;
        let window = Window::measure(&running, &load, timing)?;
        load.stop()?;
        Ok(window)
    }
}

pub(super) fn run(
    scenario: Scenario,
    subjects: &[Subject],
    timing: Timing,
    shape: Shape,
) -> Vec<Table> {
    let subjects = &Subject::able(subjects, shape.protocol());
    let name = scenario.name();
    let (each, rate) = shape.units();
    let mut tables = vec![
        Table::new(name, CPU, each, Better::Lower, subjects),
        Table::new(
            name,
            "processor time in its own code",
            each,
            Better::Lower,
            subjects,
        ),
        Table::new(name, RATE, rate, Better::Higher, subjects),
    ];
    in_turn(
        scenario,
        subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            let window = shape.window(subject, timing)?;
            tables[0].add(row, window.micros_each(), None);
            tables[1].add(row, window.micros_each() * window.cpu.user_share(), None);
            tables[2].add(
                row,
                window.rate(),
                if shape.pinned { window.doubt() } else { None },
            );
            Ok(())
        },
    );
    tables
}

/// Servers behind each subject.
pub(super) const SERVERS: usize = 3;
