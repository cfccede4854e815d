//! Connections of HTTP/2.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use sluice_http::h2::{Http2Connection, Settings};
use sluice_net::Stream;
use tokio::time::{Sleep, sleep};

use super::{CONNECTION_WINDOW, MAX_HEAD, STREAM_WINDOW, State};
use crate::connection::Counted;

/// Moves frames until the connection ends, and sees to it that a server which is no more there is found out.
pub(super) async fn drive(
    mut connection: Http2Connection,
    mut stream: Stream,
    counted: Counted,
    state: Rc<State>,
) {
    let mut room = vec![0; ROOM].into_boxed_slice();
    let mut asked = false;
    let mut is_settled = false;
    let mut silence = pin!(sleep(SILENCE));
    let ended = poll_fn(|cx| {
        loop {
            if let Poll::Ready(error) = connection.poll_receive(cx, &mut stream, &mut room) {
                return Poll::Ready(error.kind());
            }
            match connection.poll_send(cx, &mut stream) {
                Poll::Ready(Err(error)) => return Poll::Ready(error.kind()),
                Poll::Ready(Ok(())) if connection.is_finished() => {
                    return Poll::Ready(io::ErrorKind::NotConnected);
                }
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            if !is_settled && connection.has_greeted() {
                is_settled = true;
                state.settled.notify_waiters();
            }
            if silence.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            restart(silence.as_mut());
            if connection.has_heard() || state.streams.get() == 0 {
                asked = false;
            } else if asked {
                return Poll::Ready(io::ErrorKind::TimedOut);
            } else {
                asked = true;
                connection.ping();
            }
        }
    })
    .await;
    // Says goodbye where that takes no waiting.
    poll_fn(|cx| Poll::Ready(stream.poll_shutdown(cx).is_ready())).await;
    state.end(ended);
    drop(counted);
}

fn restart(silence: Pin<&mut Sleep>) {
    silence.reset(tokio::time::Instant::now() + SILENCE);
}

pub(super) const SETTINGS: Settings = Settings {
    max_concurrent_streams: 0,
    initial_window: STREAM_WINDOW,
    connection_window: CONNECTION_WINDOW,
    max_head: MAX_HEAD,
};
/// What is received in one go.
const ROOM: usize = 16 << 10;
/// How long a server with requests under way may be silent before it is asked whether it is there, and then again.
const SILENCE: Duration = Duration::from_secs(10);
