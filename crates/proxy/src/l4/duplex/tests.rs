//! Joined streams over real sockets: what arrives, how they end, when the kernel copies.

use std::future::poll_fn;
use std::rc::Rc;

use testkit::DEADLINE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::rig::{run, tcp_pair, worker};

const LONG: Duration = Duration::from_mins(1);

/// Both near ends, joined by the test, and both far ones.
struct Joint {
    client: Stream,
    server: Stream,
    worker: Rc<Worker>,
    deadline: Deadline,
}

impl Joint {
    async fn new() -> (Self, TcpStream, TcpStream) {
        let (client, far_client) = tcp_pair().await;
        let (server, far_server) = tcp_pair().await;
        let joint = Self {
            client,
            server,
            worker: worker(),
            deadline: Deadline::new(Instant::now() + LONG),
        };
        (joint, far_client, far_server)
    }

    fn duplex(&mut self, idle: Duration) -> Duplex<'_> {
        Duplex::new(
            &mut self.client,
            &mut self.server,
            &self.worker,
            &mut self.deadline,
            idle,
        )
    }
}

/// Runs it to its end, and closes both streams as whoever runs it does then.
async fn ended(duplex: &mut Duplex<'_>) -> DuplexEnd {
    let end = poll_fn(|cx| duplex.poll(cx)).await;
    for stream in [&mut *duplex.client, &mut *duplex.server] {
        // One of them may have been told already.
        let _ = poll_fn(|cx| stream.poll_shutdown(cx)).await;
    }
    end
}

fn body(length: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(length).collect()
}

#[test]
fn each_side_may_end_before_the_other() {
    run(async {
        let (mut joint, mut client, mut server) = Joint::new().await;
        let mut duplex = joint.duplex(LONG);
        let talk = async {
            client.write_all(b"question").await.expect("send");
            client.shutdown().await.expect("end");
            let mut asked = Vec::new();
            server
                .read_to_end(&mut asked)
                .await
                .expect("the end is passed on");
            assert_eq!(asked, b"question");
            // The client has ended its side; the answer still arrives.
            server.write_all(b"answer").await.expect("send");
            server.shutdown().await.expect("end");
            let mut answered = Vec::new();
            client.read_to_end(&mut answered).await.expect("receive");
            assert_eq!(answered, b"answer");
        };
        let (end, ()) = tokio::join!(ended(&mut duplex), talk);
        assert_eq!(end, DuplexEnd::Complete);
        assert_eq!(duplex.received(), (8, 6));
    });
}

#[test]
fn what_was_received_before_goes_first() {
    run(async {
        let (mut joint, mut client, mut server) = Joint::new().await;
        let mut duplex = joint
            .duplex(LONG)
            .with_bytes_for_server(b"early ".to_vec())
            .with_bytes_for_client(b"head ".to_vec());
        let talk = async {
            client.write_all(b"bird").await.expect("send");
            client.shutdown().await.expect("end");
            server.write_all(b"tail").await.expect("send");
            server.shutdown().await.expect("end");
            let (mut asked, mut answered) = (String::new(), String::new());
            server.read_to_string(&mut asked).await.expect("receive");
            client.read_to_string(&mut answered).await.expect("receive");
            assert_eq!((&*asked, &*answered), ("early bird", "head tail"));
        };
        let (end, ()) = tokio::join!(ended(&mut duplex), talk);
        assert_eq!(end, DuplexEnd::Complete);
        assert_eq!(duplex.received(), (10, 9));
    });
}

#[test]
fn large_transfers_both_ways_at_once_arrive_whole() {
    run(async {
        let (mut joint, mut client, mut server) = Joint::new().await;
        let mut duplex = joint.duplex(LONG);
        let (up, down) = (body(5_000_000), body(7_000_000));
        let talk = async {
            let (mut from_client, mut to_client) = client.split();
            let (mut from_server, mut to_server) = server.split();
            let (mut got_up, mut got_down) = (Vec::new(), Vec::new());
            let (a, b, c, d) = tokio::join!(
                async {
                    to_client.write_all(&up).await?;
                    to_client.shutdown().await
                },
                async {
                    to_server.write_all(&down).await?;
                    to_server.shutdown().await
                },
                from_server.read_to_end(&mut got_up),
                from_client.read_to_end(&mut got_down),
            );
            a.and(b).and(c).and(d).expect("sockets");
            assert!(got_up == up && got_down == down);
        };
        let (end, ()) = tokio::join!(ended(&mut duplex), talk);
        assert_eq!(end, DuplexEnd::Complete);
        assert_eq!(duplex.received(), (5_000_000, 7_000_000));
    });
}

#[test]
fn bulk_goes_through_the_kernel_and_small_talk_does_not() {
    run(async {
        let (mut joint, mut client, server) = Joint::new().await;
        let mut duplex = joint.duplex(LONG);
        let mut was_bulk = false;
        let mut sent = 0;
        let mut got = 0;
        let block = body(256 * 1024);
        let mut room = vec![0; 1 << 20];
        // Bulk: the client sends as fast as it can.
        let last = Instant::now() + DEADLINE;
        while Instant::now() < last {
            if sent < 64 * block.len() {
                sent += client.try_write(&block).unwrap_or(0);
            }
            step(&mut duplex).await;
            was_bulk |= duplex.to_server.bulk;
            got += server.try_read(&mut room).unwrap_or(0);
            if sent >= 64 * block.len() && got == sent {
                break;
            }
        }
        assert_eq!(got, sent, "everything arrives");
        assert!(was_bulk);
        // Small talk: soon the direction copies again, and holds no pipe.
        for _ in 0..2 {
            client.write_all(b"hello").await.expect("send");
            arrives(&mut duplex, &server, 5).await;
        }
        assert!(!duplex.to_server.bulk);
        assert!(duplex.to_server.pipe.is_none());
        // And bulk once more.
        was_bulk = false;
        let last = Instant::now() + DEADLINE;
        while Instant::now() < last {
            let _ = client.try_write(&block);
            step(&mut duplex).await;
            let _ = server.try_read(&mut room);
            was_bulk |= duplex.to_server.bulk;
            if was_bulk {
                break;
            }
        }
        assert!(was_bulk);
    });
}

async fn step(duplex: &mut Duplex<'_>) {
    poll_fn(|cx| {
        assert!(duplex.poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    tokio::task::yield_now().await;
}

async fn arrives(duplex: &mut Duplex<'_>, at: &TcpStream, count: usize) {
    let mut room = [0; 64];
    let mut got = 0;
    let last = Instant::now() + DEADLINE;
    while Instant::now() < last {
        step(duplex).await;
        got += at.try_read(&mut room).unwrap_or(0);
        if got == count {
            return;
        }
    }
    panic!("{got} of {count} bytes arrived");
}

#[test]
fn a_side_that_breaks_is_named() {
    run(async {
        let (mut joint, client, _server) = Joint::new().await;
        reset(client);
        assert_eq!(ended(&mut joint.duplex(LONG)).await, DuplexEnd::ClientBroke);

        let (mut joint, _client, server) = Joint::new().await;
        reset(server);
        assert_eq!(ended(&mut joint.duplex(LONG)).await, DuplexEnd::ServerBroke);
    });
}

fn reset(stream: TcpStream) {
    let near = Socket::Tcp(stream);
    near.reset_on_close();
}

#[test]
fn silence_of_both_ends_it_and_one_sides_words_do_not() {
    run(async {
        let (mut joint, _client, _server) = Joint::new().await;
        let mut duplex = joint.duplex(Duration::from_millis(5));
        assert_eq!(ended(&mut duplex).await, DuplexEnd::Idle);
        assert_eq!(duplex.received(), (0, 0));
    });
}

#[test]
fn taking_what_waits_is_no_silence() {
    run(async {
        let (mut joint, client, server) = Joint::new().await;
        let mut duplex = joint.duplex(LONG);
        // Until nothing moves any more: the server takes nothing.
        let block = body(256 * 1024);
        let mut still = 0;
        let last = Instant::now() + DEADLINE;
        while Instant::now() < last {
            let before = duplex.progress();
            let sent = client.try_write(&block).unwrap_or(0);
            step(&mut duplex).await;
            still = if sent == 0 && duplex.progress() == before {
                still + 1
            } else {
                0
            };
            if still == 500 {
                break;
            }
        }
        assert!(duplex.to_server.waiting() > 0);
        let (received, waiting) = (duplex.received(), duplex.to_server.waiting());
        let mut room = vec![0; 1 << 20];
        let last = Instant::now() + DEADLINE;
        while Instant::now() < last {
            let before = duplex.progress();
            let _ = server.try_read(&mut room);
            step(&mut duplex).await;
            if duplex.received() == received && duplex.to_server.waiting() < waiting {
                assert_ne!(duplex.progress(), before, "it counts as progress");
                return;
            }
            if duplex.received() != received {
                // All that waited left in one go, and more was received at once.
                return;
            }
        }
        panic!("nothing moved");
    });
}
