//! Waiting in an upstream's queue until a server has a free place.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use sluice_telemetry::End;
use sluice_upstream::{Asked, Cluster, InFlight, Tried, Wait};

/// A place at a server that was not tried yet, now or when it becomes free; `None` where waiting is of no use. The caller
/// ends the waiting by `gives_up`, and sets its deadline.
///
/// # Errors
/// Why there is none.
pub(crate) async fn wait(
    cluster: &Rc<Cluster>,
    tried: &mut Tried,
    asked: Asked,
    mut gives_up: impl FnMut(&mut Context<'_>) -> Option<End>,
) -> Result<Option<InFlight>, End> {
    loop {
        let mut turn = match cluster.wait(tried, asked) {
            Wait::Useless => return Ok(None),
            Wait::Free(place) => return Ok(Some(place)),
            Wait::Full => return Err(End::QueueFull),
            Wait::Turn(turn) => turn,
        };
        let place = poll_fn(|cx| match Pin::new(&mut turn).poll(cx) {
            Poll::Ready(place) => Poll::Ready(Ok(place)),
            Poll::Pending => gives_up(cx).map_or(Poll::Pending, |end| Poll::Ready(Err(end))),
        })
        .await
        .inspect_err(|end| {
            if *end == End::QueueTimeout {
                cluster.metrics().queue_timeouts.increment();
            }
        })?;
        if let Some(place) = place {
            cluster.note_tried(tried, &place);
            return Ok(Some(place));
        }
    }
}
