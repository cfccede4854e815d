//! Whether a subject answers yet: one request, or a few bytes, and something back.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::settings::{Job, Protocol, Setup, TOKEN};
use crate::load::ciphered::{self, HOST};
use crate::load::{h2, h3};

/// An error until it does.
pub(super) fn answers(job: &Job) -> Result<()> {
    let address = job.listen;
    match job.protocol {
        Protocol::Http => request(connect(address)?, job.setup),
        Protocol::Tls => {
            let offer = Arc::new(ciphered::offer(&["http/1.1"])?);
            let session = ClientConnection::new(offer, ServerName::try_from(HOST)?)?;
            request(StreamOwned::new(session, connect(address)?), job.setup)
        }
        Protocol::H2 => Ok(h2::probe(connect(address)?, &h2::Call::get("/1", 1))?),
        Protocol::Grpc => Ok(h2::probe(connect(address)?, &h2::Call::grpc())?),
        Protocol::H3 => Ok(h3::probe(address, ATTEMPT)?),
        Protocol::Tcp => echo(connect(address)?),
        Protocol::Udp => datagram(address),
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, ATTEMPT)?;
    stream.set_read_timeout(Some(ATTEMPT))?;
    Ok(stream)
}

fn request(mut stream: impl Read + Write, setup: Setup) -> Result<()> {
    let (host, path) = match setup {
        Setup::Routes => ("tenant-1.example.com", "/service-1/1"),
        _ => ("shop.example.com", "/1"),
    };
    let shown = match setup {
        Setup::Token => format!("Authorization: Bearer {TOKEN}\r\n"),
        _ => String::new(),
    };
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{shown}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    ensure!(answer == *b"HTTP/1.1 200", "not answered with 200");
    Ok(())
}

fn echo(mut stream: TcpStream) -> Result<()> {
    stream.write_all(b"anyone there")?;
    stream.read_exact(&mut [0; 12])?;
    Ok(())
}

fn datagram(address: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(ATTEMPT / 10))?;
    socket.connect(address)?;
    socket.send(b"anyone there")?;
    socket.recv(&mut [0; 12])?;
    Ok(())
}

const ATTEMPT: Duration = Duration::from_secs(1);
