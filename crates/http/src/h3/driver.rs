//! What goes on beside the requests of a connection: settings and farewells, said and heard.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use quinn::{ConnectionError, ReadError, RecvStream, SendStream};

use super::control::{self, Peer, Speech};
use super::core::Core;
use super::fault::Code;
use super::noise::FRAME;

/// Says and hears what concerns the whole connection, until that has ended.
#[must_use = "it does nothing unless it is polled"]
pub struct Driver {
    core: Rc<Core>,
    opening: Option<Waiting<SendStream>>,
    /// Our control stream. It must not end before the connection does.
    control: Option<SendStream>,
    /// To be said on it.
    out: Vec<u8>,
    has_left: bool,
    accepting: Waiting<RecvStream>,
    streams: Vec<(RecvStream, Speech)>,
}

/// A future of `quinn`, which waits in a list and must not be made anew for each poll.
pub(super) type Waiting<T> = Pin<Box<dyn Future<Output = Result<T, ConnectionError>>>>;

impl Driver {
    pub(super) fn new(core: Rc<Core>) -> Self {
        let out = control::greeting(core.peer, core.max_head as u64);
        let opening: Waiting<SendStream> = {
            let quinn = core.quinn.clone();
            Box::pin(async move { quinn.open_uni().await })
        };
        Self {
            accepting: accept(&core),
            core,
            opening: Some(opening),
            control: None,
            out,
            has_left: false,
            streams: Vec::new(),
        }
    }

    /// Whether the other side has said what it begins with: its settings.
    pub fn has_greeted(&self) -> bool {
        self.core.heard.get().has_settings
    }

    /// Says what is to be said, as far as the other side takes it.
    fn poll_say(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        if let Some(opening) = &mut self.opening {
            self.control = Some(ready!(opening.as_mut().poll(cx))?);
            self.opening = None;
        }
        if let Some(id) = self.core.farewell.get().filter(|_| !self.has_left) {
            self.has_left = true;
            control::put_farewell(&mut self.out, id);
        }
        let Some(control) = &mut self.control else {
            return Poll::Ready(Ok(()));
        };
        while !self.out.is_empty() {
            match ready!(Pin::new(&mut *control).poll_write(cx, &self.out)) {
                Ok(count) => drop(self.out.drain(..count)),
                // The other side must not do without it. It will find out, or has gone.
                Err(_) => self.out.clear(),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Hears what there is; an error is the end of the connection.
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Result<(), Code> {
        let mut heard = self.core.heard.get();
        let before = heard.farewell;
        let mut index = 0;
        while let Some((stream, speech)) = self.streams.get_mut(index) {
            match listen(stream, speech, &self.core, &mut heard, cx)? {
                Poll::Ready(()) => drop(self.streams.swap_remove(index)),
                Poll::Pending => index += 1,
            }
        }
        self.core.heard.set(heard);
        if heard.farewell != before {
            self.core.wake_asked();
        }
        Ok(())
    }
}

impl Future for Driver {
    /// How the connection has ended.
    type Output = io::Error;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Error> {
        let this = &mut *self;
        this.core.watch(cx);
        if let Poll::Ready(Err(error)) = this.poll_say(cx) {
            return Poll::Ready(error.into());
        }
        while let Poll::Ready(accepted) = this.accepting.as_mut().poll(cx) {
            let stream = match accepted {
                Ok(stream) => stream,
                Err(error) => return Poll::Ready(error.into()),
            };
            this.accepting = accept(&this.core);
            let _ = this.core.noise.spend(FRAME);
            this.streams.push((stream, Speech::of(this.core.peer)));
        }
        if let Err(code) = this.poll_hear(cx) {
            this.core.close(code);
            return Poll::Ready(io::ErrorKind::InvalidData.into());
        }
        if this.core.peer == Peer::Server && this.core.is_idle() {
            this.core.close(Code::NoError);
            return Poll::Ready(io::ErrorKind::NotConnected.into());
        }
        Poll::Pending
    }
}

fn accept(core: &Core) -> Waiting<RecvStream> {
    let quinn = core.quinn.clone();
    Box::pin(async move { quinn.accept_uni().await })
}

/// Takes what has come on a stream. Ready where nothing more of it is listened to.
fn listen(
    stream: &mut RecvStream,
    speech: &mut Speech,
    core: &Core,
    heard: &mut control::Heard,
    cx: &mut Context<'_>,
) -> Result<Poll<()>, Code> {
    loop {
        let Poll::Ready(chunk) = pin!(stream.read_chunk(CHUNK, true)).poll(cx) else {
            return Ok(Poll::Pending);
        };
        match chunk {
            Ok(Some(chunk)) => {
                if !core.noise.spend(chunk.bytes.len()) {
                    return Err(Code::ExcessiveLoad);
                }
                speech.take(&chunk.bytes, heard)?;
            }
            Ok(None) | Err(ReadError::Reset(_)) => {
                speech.end()?;
                return Ok(Poll::Ready(()));
            }
            // The connection is gone, which is found out elsewhere.
            Err(_) => return Ok(Poll::Ready(())),
        }
        if speech.is_ignored() {
            // Fails where it has ended by itself.
            let _ = stream.stop(Code::StreamCreationError.into());
            return Ok(Poll::Ready(()));
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("core", &self.core)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

/// Bytes that are taken at a time.
const CHUNK: usize = 4096;
