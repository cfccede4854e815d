//! Where a TLS connection goes that is passed on unopened: by the first message of its client.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use sluice_config::plan::{Refused, ServerNames, UpstreamId};
use sluice_net::Stream;
use sluice_telemetry::End;
use sluice_telemetry::metrics::Hello;
use sluice_wire::tls::{Alert, HelloError, HelloReader};

use crate::deadline::Deadline;
use crate::live::LiveListener;
use crate::preface::{Silence, receive};
use crate::worker::Worker;

/// What the hello led to.
pub(crate) struct Chosen {
    pub(crate) upstream: UpstreamId,
    /// What was received, the hello first: all of it goes to the server.
    pub(crate) received: Vec<u8>,
}

/// A client whose hello is read.
pub(crate) struct Hearing<'a> {
    pub(crate) stream: &'a mut Stream,
    pub(crate) deadline: &'a mut Deadline,
    pub(crate) listener: &'a LiveListener,
    pub(crate) worker: &'a Rc<Worker>,
    /// Where the name is put that the client asks for, in lower case.
    pub(crate) server_name: &'a mut Option<Box<str>>,
}

impl Hearing<'_> {
    /// Reads the hello, of which `received` has come already, and chooses by it. A client that is refused has been told
    /// so when this returns.
    ///
    /// # Errors
    /// Why the session ends.
    pub(crate) async fn choose(
        mut self,
        names: &ServerNames,
        mut received: Vec<u8>,
    ) -> Result<Chosen, End> {
        self.deadline.set(Instant::now() + names.hello_timeout);
        let mut reader = HelloReader::default();
        loop {
            let chosen = match reader.read(&received) {
                Ok(None) => None,
                Ok(Some(hello)) => {
                    *self.server_name = hello
                        .server_name
                        .map(|name| name.to_ascii_lowercase().into());
                    Some(names.choose(hello.server_name, hello.protocols))
                }
                Err(error) => {
                    self.count(word_of_error(error));
                    return self.refuse(error.alert(), End::BadRequest).await;
                }
            };
            match chosen {
                None => self.receive(&mut received).await?,
                Some(Ok((entry, upstream))) => {
                    let is_named = self.server_name.is_some();
                    self.count(if is_named {
                        Hello::Named
                    } else {
                        Hello::Unnamed
                    });
                    if let Some(metrics) = self.listener.server_name(entry) {
                        metrics.connections.increment();
                    }
                    return Ok(Chosen { upstream, received });
                }
                Some(Err(refused)) => {
                    let (word, alert) = word_of_refused(refused);
                    self.count(word);
                    return self.refuse(alert, End::NoRoute).await;
                }
            }
        }
    }

    async fn receive(&mut self, received: &mut Vec<u8>) -> Result<(), End> {
        let more = receive(self.stream, received, self.deadline, self.worker).await;
        more.map_err(|silence| match silence {
            Silence::Closed => {
                self.count(Hello::Closed);
                End::ClientClosed
            }
            Silence::Late => {
                self.count(Hello::Timeout);
                End::ClientTimeout
            }
        })
    }

    fn count(&self, word: Hello) {
        self.listener.metrics.hellos.increment(word);
    }

    /// Sends the alert and ends the connection so that it arrives, although the client may still send: closing at once
    /// would reset the connection.
    async fn refuse(self, alert: Alert, end: End) -> Result<Chosen, End> {
        let Self {
            stream,
            deadline,
            worker,
            ..
        } = self;
        deadline.set(Instant::now() + LINGER);
        let record = alert.record();
        let mut sent = 0;
        let mut dropped = 0;
        poll_fn(|cx| {
            while let Some(rest) = record.get(sent..).filter(|rest| !rest.is_empty()) {
                match stream.poll_write(cx, rest) {
                    Poll::Ready(Ok(count)) if count > 0 => sent += count,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return deadline.poll(cx),
                }
            }
            if stream.poll_shutdown(cx).is_pending() {
                return deadline.poll(cx);
            }
            while dropped < LINGER_BYTES && deadline.poll(cx).is_pending() {
                let mut scratch = worker.scratch();
                match stream.poll_read(cx, scratch.body_area()) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(count)) => dropped += count,
                }
            }
            Poll::Ready(())
        })
        .await;
        Err(end)
    }
}

fn word_of_error(error: HelloError) -> Hello {
    match error {
        HelloError::NotTls => Hello::NotTls,
        HelloError::TooLong => Hello::TooLong,
        HelloError::Version
        | HelloError::RecordLength
        | HelloError::Unexpected
        | HelloError::Malformed
        | HelloError::Illegal => Hello::Malformed,
    }
}

fn word_of_refused(refused: Refused) -> (Hello, Alert) {
    match refused {
        Refused::NoName => (Hello::NoName, Alert::MissingExtension),
        Refused::UnknownName => (Hello::UnknownName, Alert::UnrecognizedName),
        Refused::NoProtocol => (Hello::NoProtocol, Alert::NoApplicationProtocol),
    }
}

/// How long a client that was refused may go on sending into the void.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 << 10;
