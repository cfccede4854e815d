//! `early-data` of `tls`: requests within the handshake.

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::read::{Section, Typed};

impl Builder<'_> {
    /// How many bytes are taken early, if any; `None` where that is wrong, which is then reported.
    #[expect(
        clippy::option_option,
        reason = "wrong, switched off, or so many bytes"
    )]
    pub(super) fn early_data(&mut self, tls: &Section) -> Option<Option<u32>> {
        let read = tls.read("early-data")?;
        let size = match &read.typed {
            Typed::Flag(false) => return Some(None),
            Typed::Flag(true) => MAX_SIZE,
            Typed::Table(table) => u32::try_from(table.value::<usize>("max-size")?).ok()?,
            _ => return None,
        };
        // A client that is known by its certificate is taken at its word for more than can be said again by anybody.
        self.out_of_place(tls, &["client-auth"], |key| {
            Diagnostic::error(0..0, format!("`{key}` cannot stand beside `early-data`"))
                .help("what comes before the handshake is done could be a copy of what a known client sent")
        });
        self.out_of_place(tls, &["ticket-keys"], |key| {
            Diagnostic::error(0..0, format!("`{key}` has no use beside `early-data`")).help(
                "a ticket could be used twice: with `early-data` sessions are kept in memory, each for one use",
            )
        });
        Some(Some(size))
    }

    /// Of a listener that is not http.
    pub(super) fn no_early_data(&mut self, listener: &Section) {
        let Some(tls) = listener.table("tls") else {
            return;
        };
        self.out_of_place(tls, &["early-data"], |key| {
            Diagnostic::error(0..0, format!("`{key}` is for http listeners only"))
                .help("what may be said twice without harm can only be told of requests")
        });
    }
}

/// The default of `max-size`.
const MAX_SIZE: u32 = 16 << 10;
