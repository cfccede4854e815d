//! A client's stream until the head of its request is whole.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use quinn::{RecvStream, SendStream};
use sluice_wire::qpack::Encoder;

use super::core::Core;
use super::exchange::{Http3Exchange, Rest};
use super::fault::{Code, Fault};
use super::frames::Piece;
use super::stream::{Out, Wire};
use crate::exchange::{DraftedRequest, Refusal, RequestBody, Supplies};
use crate::websocket;

/// A stream that a client has begun.
#[derive(Debug)]
pub struct RequestStream {
    wire: Wire,
}

/// A request whose head is whole.
#[derive(Debug)]
pub struct Request {
    /// Its head in HTTP/1.1.
    pub head: Vec<u8>,
    /// How its body follows.
    pub kind: RequestBody,
    /// Whether it is `HEAD`.
    pub is_head: bool,
    /// What it is answered by.
    pub exchange: Http3Exchange,
}

/// Why a request is not served. The client has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// It is not in order, or too much.
    Refused(Refusal),
    /// The client has left.
    Gone,
}

impl From<Fault> for Unserved {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Stream(_) | Fault::Connection(_) => Self::Refused(Refusal::Malformed),
            Fault::TooLarge => Self::Refused(Refusal::TooLarge),
            Fault::Rejected | Fault::Enough | Fault::Gone => Self::Gone,
        }
    }
}

impl RequestStream {
    pub(super) fn new(send: SendStream, receive: RecvStream, core: &Rc<Core>) -> Self {
        Self {
            wire: Wire::new(send, receive, core),
        }
    }

    /// Receives the head.
    ///
    /// # Errors
    /// Why the request is not served.
    pub async fn head(mut self, supplies: &mut impl Supplies) -> Result<Request, Unserved> {
        let outcome = match poll_fn(|cx| self.wire.poll_piece(cx)).await {
            Ok(Some(Piece::Section(section))) => {
                let mut head = supplies.buffer();
                let drafted =
                    poll_fn(|cx| Poll::Ready(self.draft(cx, &section, &mut head, supplies)));
                drafted.await.map(|(drafted, rest)| (drafted, rest, head))
            }
            Ok(Some(Piece::Data(_))) => Err(Fault::Connection(Code::FrameUnexpected).into()),
            Ok(None) => Err(Fault::Stream(Code::RequestIncomplete).into()),
            Err(fault) => Err(fault.into()),
        };
        match outcome {
            Ok((drafted, rest, head)) => Ok(Request {
                head,
                kind: drafted.kind,
                is_head: drafted.is_head,
                exchange: Http3Exchange::served(self.wire, rest, drafted.length),
            }),
            Err(Refused { fault, refusal }) => {
                self.refuse(fault, refusal).await;
                Err(refusal.map_or(Unserved::from(fault), Unserved::Refused))
            }
        }
    }

    /// Makes the head of the fields, with what has come of the rest.
    fn draft(
        &mut self,
        cx: &mut Context<'_>,
        section: &[u8],
        head: &mut Vec<u8>,
        supplies: &mut impl Supplies,
    ) -> Result<(DraftedRequest, Rest), Refused> {
        let core = Rc::clone(&self.wire.core);
        let mut draft = core.draft.borrow_mut();
        draft.clear(core.max_head);
        core.decode(section, |name, value| draft.take(name, value, head))?;
        // The end has mostly come with the head.
        let rest = match self.wire.poll_piece(cx)? {
            Poll::Pending => Rest::ToCome,
            Poll::Ready(piece) => piece.into(),
        };
        let key = || websocket::key(supplies.random());
        let drafted = draft.finish(rest != Rest::Ended, key, head);
        let drafted = drafted.map_err(|refusal| Refused {
            fault: Fault::Stream(Code::MessageError),
            refusal: Some(refusal),
        })?;
        if let (Some(length), Rest::Data(data)) = (drafted.length, &rest)
            && data.len() as u64 > length
        {
            return Err(Fault::Stream(Code::MessageError).into());
        }
        Ok((drafted, rest))
    }

    /// Tells the client: by a status where its fields are understood, else by an error.
    async fn refuse(&mut self, fault: Fault, refusal: Option<Refusal>) {
        let status = match (fault, refusal) {
            (Fault::TooLarge, None) | (_, Some(Refusal::TooLarge)) => 431,
            (_, Some(Refusal::Protocol)) => 501,
            _ => return self.wire.fail(fault),
        };
        self.wire.put_section(|out| {
            Encoder.begin(out);
            Encoder.status(status, out);
        });
        self.wire.sending = Out::Ending;
        // As far as the client takes it.
        let _ = poll_fn(|cx| self.wire.poll_send(cx)).await;
        let _ = self.wire.send.stopped().await;
    }
}

/// A request that is refused: how the stream ends, unless there is a better reason.
struct Refused {
    fault: Fault,
    refusal: Option<Refusal>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            refusal: None,
        }
    }
}
