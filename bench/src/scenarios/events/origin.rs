//! A server that is a process of its own, so that it can be killed and stopped.
//!
//! It serves at its address what a steady server serves, and answers checks at another port of the same host. It ends when
//! its standard input does, as a good server ends: it takes no more, and ends what it has begun.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cores;
use crate::load::cluster::{Character, Cluster, SERVER};
use crate::load::poll::{Event, EventFlags, Poll};
use crate::subjects::CHECK_PORT;

/// Serves at `address` until it is told to end, or whoever began it has ended.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    cores::stay_on(cores::LOAD)?;
    let addresses = [address, SocketAddr::new(address.ip(), CHECK_PORT)];
    let characters = [Character::Steady, Character::Prompt];
    let mut cluster = Cluster::new(&addresses, &characters, 0.0, 0)?;
    let poll = Poll::new()?;
    cluster.listen(&poll)?;
    cluster.begin();
    poll.add(std::io::stdin(), INPUT, EventFlags::IN)?;
    let mut events: Vec<Event> = Vec::with_capacity(64);
    let mut told_to_end: Option<Instant> = None;
    while told_to_end.is_none_or(|since| since.elapsed() < LONGEST_END) {
        let due = cluster.next().map(|next| next - Instant::now().min(next));
        poll.wait(&mut events, due.unwrap_or(PATIENCE).min(PATIENCE))?;
        for event in &events {
            let token = event.data.u64();
            if token & SERVER != 0 {
                cluster.ready(token, &poll);
            } else {
                told_to_end.get_or_insert_with(Instant::now);
            }
        }
        cluster.turn();
        if told_to_end.is_some() && !cluster.retire() {
            break;
        }
    }
    Ok(())
}

const INPUT: u64 = 0;
const PATIENCE: Duration = Duration::from_millis(100);
/// What is begun takes a few milliseconds.
const LONGEST_END: Duration = Duration::from_secs(1);
