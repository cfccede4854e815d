//! TCP: what a gigabyte costs, and what a connection costs. UDP: what a datagram costs.

use std::net::SocketAddr;

use anyhow::Result;

use super::{CPU, RATE, Scenario, in_turn};
use crate::cores;
use crate::load::bulk::BulkClients;
use crate::load::connects::ConnectClients;
use crate::load::datagrams::{Burst, EchoClients, Single};
use crate::load::origin::{self, Service};
use crate::load::{Clients, Load, Placement};
use crate::report::{Better, Table};
use crate::subjects::{Job, Protocol, Subject};
use crate::window::{Timing, Window};

pub(super) fn bulk(subjects: &[Subject], timing: Timing) -> Vec<Table> {
    let name = Scenario::TcpBulk.name();
    let mut tables = vec![
        Table::new(name, CPU, "s a GB", Better::Lower, subjects),
        Table::new(name, RATE, "GB a second", Better::Higher, subjects),
    ];
    in_turn(
        Scenario::TcpBulk,
        subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            let window = window(subject, timing, TCP_SOURCE, BULK_SERVERS, |to, _| {
                BulkClients::new(to, STREAMS)
            })?;
            let gigabytes = window.bytes as f64 / 1e9;
            tables[0].add(row, window.cpu.running.as_secs_f64() / gigabytes, None);
            tables[1].add(row, gigabytes / window.length.as_secs_f64(), window.doubt());
            Ok(())
        },
    );
    tables
}

pub(super) fn connects(subjects: &[Subject], timing: Timing) -> Vec<Table> {
    let name = Scenario::TcpConnect.name();
    let mut tables = vec![
        Table::new(name, CPU, "µs a connection", Better::Lower, subjects),
        Table::new(name, RATE, "connections a second", Better::Higher, subjects),
    ];
    in_turn(
        Scenario::TcpConnect,
        subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            let window = window(subject, timing, TCP_ECHO, CONNECT_SERVERS, |to, _| {
                ConnectClients::new(to, UNDER_WAY)
            })?;
            tables[0].add(row, window.micros_each(), None);
            tables[1].add(row, window.rate(), window.doubt());
            Ok(())
        },
    );
    tables
}

pub(super) fn datagrams(subjects: &[Subject], timing: Timing) -> Vec<Table> {
    udp(Scenario::Udp, subjects, timing, |to, servers| {
        EchoClients::<Single>::new(to, servers, UDP_CLIENTS)
    })
}

pub(super) fn bursts(subjects: &[Subject], timing: Timing) -> Vec<Table> {
    udp(Scenario::UdpBurst, subjects, timing, |to, servers| {
        EchoClients::<Burst>::new(to, servers, BURST_CLIENTS)
    })
}

fn udp<C: Clients>(
    scenario: Scenario,
    subjects: &[Subject],
    timing: Timing,
    clients: impl Fn(SocketAddr, &[SocketAddr]) -> C,
) -> Vec<Table> {
    let subjects = Subject::able(subjects, Protocol::Udp);
    let name = scenario.name();
    let mut tables = vec![
        Table::new(
            name,
            CPU,
            "µs a datagram and its answer",
            Better::Lower,
            &subjects,
        ),
        Table::new(name, RATE, "answers a second", Better::Higher, &subjects),
    ];
    in_turn(
        scenario,
        &subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            let window = window(subject, timing, UDP_ECHO, UDP_SERVERS, &clients)?;
            tables[0].add(row, window.micros_each(), None);
            tables[1].add(row, window.rate(), window.doubt());
            Ok(())
        },
    );
    tables
}

fn window<C: Clients>(
    subject: &Subject,
    timing: Timing,
    (protocol, service): (Protocol, Service),
    servers: usize,
    clients: impl FnOnce(SocketAddr, &[SocketAddr]) -> C,
) -> Result<Window> {
    let servers = origin::addresses(servers)?;
    let job = Job::new(protocol, &servers, 1, Some(cores::PROXY))?;
    let placement = Placement {
        core: Some(cores::LOAD),
        spin: true,
    };
    let load = Load::start(
        vec![clients(job.listen, &servers)],
        service,
        &servers,
        placement,
    )?;
    let running = subject.start(&job)?;
    let window = Window::measure(&running, &load, timing)?;
    load.stop()?;
    Ok(window)
}

const TCP_SOURCE: (Protocol, Service) = (Protocol::Tcp, Service::Source);
const TCP_ECHO: (Protocol, Service) = (Protocol::Tcp, Service::Echo);
/// The servers of UDP come with the clients; those of TCP beside them have nothing to do.
const UDP_ECHO: (Protocol, Service) = (Protocol::Udp, Service::Echo);
const UDP_SERVERS: usize = 3;
/// Clients with one datagram under way each.
const UDP_CLIENTS: usize = 128;
/// Clients with one burst under way each: no more than a socket's buffer holds.
const BURST_CLIENTS: usize = 8;
/// Streams at the same time.
const STREAMS: usize = 8;
const BULK_SERVERS: usize = 3;
/// Short connections at the same time.
const UNDER_WAY: usize = 64;
/// Enough that no proxy runs out of local ports towards them.
const CONNECT_SERVERS: usize = 16;
