//! Waiting in an upstream's queue until a server has a free place.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use sluice_telemetry::End;
use sluice_telemetry::metrics::Refusal;
use sluice_upstream::{Asked, Cluster, InFlight, Tried, Wait};

/// What may end the waiting but a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// The client has gone away.
    Gone,
    /// The moment has come.
    Due,
}

/// A place at a server that was not tried yet, now or when it becomes free; `None` where waiting is of no use. The caller
/// says by `interrupted` when the moment has come that it is told, and when the client has gone.
///
/// # Errors
/// Why there is none. Where it was refused, that is counted.
pub(crate) async fn wait(
    cluster: &Rc<Cluster>,
    tried: &mut Tried,
    asked: Asked,
    mut interrupted: impl FnMut(&mut Context<'_>, Instant) -> Option<Interruption>,
) -> Result<Option<InFlight>, End> {
    let Some(settings) = cluster.settings().queue else {
        return Ok(None);
    };
    let until = asked.now + settings.timeout;
    let refuse = |why: Refusal| {
        cluster.refused(why, asked.priority);
        End::from(why)
    };
    loop {
        let mut turn = match cluster.wait(tried, asked) {
            Wait::Useless => return Ok(None),
            Wait::Free(place) => return Ok(Some(place)),
            Wait::Full => return Err(refuse(Refusal::QueueFull)),
            Wait::Turn(turn) => turn,
        };
        let mut due = turn.may_stay(asked.now, until).map_err(refuse)?;
        let place = poll_fn(|cx| {
            loop {
                if let Poll::Ready(called) = Pin::new(&mut turn).poll(cx) {
                    return Poll::Ready(called.map_err(refuse));
                }
                match interrupted(cx, due) {
                    None => return Poll::Pending,
                    Some(Interruption::Gone) => return Poll::Ready(Err(End::ClientClosed)),
                    Some(Interruption::Due) => match turn.may_stay(Instant::now(), until) {
                        Ok(later) => due = later,
                        Err(why) => return Poll::Ready(Err(refuse(why))),
                    },
                }
            }
        })
        .await?;
        if let Some(place) = place {
            cluster.note_tried(tried, &place);
            return Ok(Some(place));
        }
    }
}
