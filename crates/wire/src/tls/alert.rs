//! What a client is told when its connection ends before it began.

/// A fatal alert (RFC 8446 §6.2), by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Alert {
    /// Something else came where the hello should be.
    UnexpectedMessage = 10,
    /// A record is too long, or empty.
    RecordOverflow = 22,
    /// The hello is well-formed, and not taken all the same.
    HandshakeFailure = 40,
    /// A part of the hello has a value that it must not have.
    IllegalParameter = 47,
    /// The hello's parts do not fill it.
    DecodeError = 50,
    /// The version is not spoken.
    ProtocolVersion = 70,
    /// Nobody is there to take the connection on.
    InternalError = 80,
    /// No server name was sent, and one is needed (RFC 8446 §9.2).
    MissingExtension = 109,
    /// The server name leads nowhere (RFC 6066 §3).
    UnrecognizedName = 112,
    /// None of the application protocols leads anywhere (RFC 7301 §3.2).
    NoApplicationProtocol = 120,
}

impl Alert {
    /// The alert as a record, as it goes over the wire before any key is agreed on.
    pub const fn record(self) -> [u8; 7] {
        const ALERT: u8 = 21;
        const FATAL: u8 = 2;
        // The version that RFC 8446 §5.1 has records carry; clients of older ones take it in a first answer.
        [ALERT, 3, 3, 0, 2, FATAL, self as u8]
    }
}
