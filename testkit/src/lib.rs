//! Clients, scripted servers and a running balancer, for tests.
//!
//! Everything here is plain blocking sockets and threads, so that what is tested is never tested with itself. Tests
//! speak only to loopback addresses. Nothing waits without a deadline: what does not happen within [`DEADLINE`] fails
//! the test with a message that says what was waited for. A test is the only caller, so a surprise is a panic.

#![expect(
    clippy::missing_panics_doc,
    reason = "a panic is how a test fails: every function here may"
)]

mod accept;
mod balancer;
mod client;
mod command;
mod corpus;
mod echo;
mod http2;
mod memory;
mod message;
mod metrics;
mod network;
mod ports;
mod redis;
mod script;
mod scripted;
mod tcp_echo;
mod udp;
mod unreachable;
mod wait;

pub use accept::Connections;
pub use balancer::{Balancer, Count, Options};
pub use client::RawClient;
pub use command::{Finished, binary, curl, run};
pub use corpus::{corpus, corpus_at_every_length};
pub use echo::{EchoReply, EchoServer, digest, pattern};
pub use http2::{
    Frame, Http2Client, Http2Server, PREFACE, flag, header_block, kind, request, websocket_request,
};
pub use memory::resident_kib;
pub use message::{Head, ReadError, Response, StartLine};
pub use metrics::{Metrics, Sample};
pub use network::in_private_network;
pub use ports::{free_address, free_port};
pub use redis::RedisServer;
pub use rustix::process::Signal;
pub use script::Script;
pub use scripted::{End, Record, ScriptedServer};
pub use tcp_echo::TcpEchoServer;
pub use tempfile::TempDir;
pub use udp::{UdpClient, UdpServer};
pub use unreachable::{SilentPort, refused_address};
pub use wait::{DEADLINE, Gate, wait_for, wait_until};
