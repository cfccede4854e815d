//! Driving `rustls`: records in, application data and records out. No socket here.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, ReadEarlyData,
    UnbufferedConnectionCommon, UnbufferedStatus,
};
use rustls::{CommonState, Error};

/// A TLS connection, of which side whatever.
pub(crate) enum Records {
    /// We are the server.
    Server(UnbufferedServerConnection),
    /// We are the client.
    Client(UnbufferedClientConnection),
}

/// `rustls` shows nothing of them, which hold keys.
impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server(…)",
            Self::Client(_) => "Client(…)",
        })
    }
}

/// What shall be done, beside working off what was received and what the protocol itself wants to say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task<'a> {
    /// No more.
    Receive,
    /// Cipher these bytes.
    Write(&'a [u8]),
    /// Say that we are done (`close_notify`).
    Close,
}

/// Where ciphered bytes are collected: a vector that is not cleared, and how much of it is filled.
#[derive(Debug)]
pub(crate) struct Out<'a> {
    bytes: &'a mut Vec<u8>,
    filled: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Driven {
    /// How many of the received bytes are used up; the rest is a record that is not whole.
    pub(crate) used: usize,
    /// Whether the other side has said that it is done.
    pub(crate) peer_closed: bool,
    /// Whether the task could be done: not before the handshake has come far enough.
    pub(crate) done: bool,
    /// Whether application data came before the handshake was done.
    pub(crate) early: bool,
}

impl Records {
    /// The state that both sides have.
    pub(crate) fn common(&self) -> &CommonState {
        match self {
            Self::Server(connection) => connection,
            Self::Client(connection) => connection,
        }
    }

    /// Works off `received`, in place. Application data goes to `plain`, what is to be sent to `out`. After an error, `out`
    /// holds the alert that says so.
    pub(crate) fn drive(
        &mut self,
        received: &mut [u8],
        task: Task<'_>,
        plain: &mut dyn FnMut(&[u8]),
        out: &mut Out<'_>,
    ) -> Result<Driven, Error> {
        match self {
            Self::Server(connection) => drive(
                connection,
                UnbufferedConnectionCommon::<ServerConnectionData>::process_tls_records,
                read_early,
                received,
                task,
                plain,
                out,
            ),
            Self::Client(connection) => drive(
                connection,
                UnbufferedConnectionCommon::<ClientConnectionData>::process_tls_records,
                |_, _| Err(Error::General("servers send no early data".to_owned())),
                received,
                task,
                plain,
                out,
            ),
        }
    }
}

impl<'a> Out<'a> {
    /// Goes on behind the first `filled` bytes.
    pub(crate) fn behind(bytes: &'a mut Vec<u8>, filled: usize) -> Self {
        Self { bytes, filled }
    }

    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    /// At least `length` bytes to write to.
    fn room(&mut self, length: usize) -> &mut [u8] {
        let end = self.filled + length;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }
}

fn drive<Data>(
    connection: &mut UnbufferedConnectionCommon<Data>,
    process: impl for<'c, 'i> Fn(
        &'c mut UnbufferedConnectionCommon<Data>,
        &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Data>,
    read_early: impl Fn(ReadEarlyData<'_, '_, Data>, &mut dyn FnMut(&[u8])) -> Result<usize, Error>,
    received: &mut [u8],
    task: Task<'_>,
    plain: &mut dyn FnMut(&[u8]),
    out: &mut Out<'_>,
) -> Result<Driven, Error> {
    let mut driven = Driven::default();
    loop {
        let rest = received.get_mut(driven.used..).unwrap_or_default();
        let UnbufferedStatus { mut discard, state } = process(connection, rest);
        let state = match state {
            Ok(state) => state,
            Err(error) => {
                last_words(connection, process, out);
                return Err(error);
            }
        };
        match state {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    plain(record.payload);
                }
            }
            ConnectionState::EncodeTlsData(message) => encode(message, out)?,
            // It is in `out`, on its way.
            ConnectionState::TransmitTlsData(sent) => sent.done(),
            ConnectionState::PeerClosed => driven.peer_closed = true,
            ConnectionState::WriteTraffic(mut traffic) => {
                driven.used += discard;
                match task {
                    Task::Receive => {}
                    Task::Write(bytes) => {
                        // Explicit nonce, content type, tag and header of each record.
                        let most = bytes.len() + (bytes.len() / (1 << 14) + 1) * 64;
                        fill(out, most, |room| traffic.encrypt(bytes, room))?;
                    }
                    Task::Close => fill(out, 64, |room| traffic.queue_close_notify(room))?,
                }
                driven.done = true;
                return Ok(driven);
            }
            ConnectionState::BlockedHandshake | ConnectionState::Closed => {
                driven.used += discard;
                return Ok(driven);
            }
            ConnectionState::ReadEarlyData(data) => {
                discard += read_early(data, plain)?;
                driven.early = true;
            }
            _ => return Err(Error::General("an unknown state".to_owned())),
        }
        driven.used += discard;
    }
}

/// Hands on what came before the handshake was done. How many of the received bytes that has used up.
fn read_early(
    mut data: ReadEarlyData<'_, '_, ServerConnectionData>,
    plain: &mut dyn FnMut(&[u8]),
) -> Result<usize, Error> {
    let mut discard = 0;
    while let Some(record) = data.next_record() {
        let record = record?;
        discard += record.discard;
        plain(record.payload);
    }
    Ok(discard)
}

/// Fetches what is to be sent in spite of an error, the alert that tells of it among that, and not a message more: the bytes at
/// fault would be looked at again.
fn last_words<Data>(
    connection: &mut UnbufferedConnectionCommon<Data>,
    process: impl for<'c, 'i> Fn(
        &'c mut UnbufferedConnectionCommon<Data>,
        &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Data>,
    out: &mut Out<'_>,
) {
    while connection.wants_write() {
        let Ok(ConnectionState::EncodeTlsData(message)) = process(connection, &mut []).state else {
            return;
        };
        if encode(message, out).is_err() {
            return;
        }
    }
}

fn encode<Data>(mut message: EncodeTlsData<'_, Data>, out: &mut Out<'_>) -> Result<(), Error> {
    let mut room = 0;
    // The second time there is as much room as it asked for.
    for _ in 0..2 {
        match message.encode(out.room(room)) {
            Ok(written) => {
                out.filled += written;
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(wanted)) => room = wanted.required_size,
            Err(EncodeError::AlreadyEncoded) => break,
        }
    }
    Err(Error::General("a message could not be encoded".to_owned()))
}

fn fill(
    out: &mut Out<'_>,
    most: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), Error> {
    let mut room = most;
    for _ in 0..2 {
        match write(out.room(room)) {
            Ok(written) => {
                out.filled += written;
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(wanted)) => room = wanted.required_size,
            Err(EncryptError::EncryptExhausted) => break,
        }
    }
    Err(Error::EncryptError)
}
