//! Clients that open keep-alive connections, make one request on each and
//! then let it rest, to see what an idle connection holds.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use super::flow::{Door, Flow};
use super::poll::{EventFlags, Poll};
use super::socket::Moved;
use super::{Clients, Tally, requests};

/// Opens connections until there are as many as [`Tally::goal`] says.
pub(crate) struct IdleClients {
    door: Door,
    heads: Vec<Vec<u8>>,
    connections: Vec<Resting>,
    under_way: usize,
    scratch: Vec<u8>,
}

struct Resting {
    flow: Flow,
    state: State,
}

#[derive(PartialEq)]
enum State {
    Asked,
    Answered,
    Gone,
}

impl IdleClients {
    pub(crate) fn new(door: Door) -> Self {
        Self {
            door,
            heads: requests::browser_like("/128", "shop.example.com"),
            connections: Vec::new(),
            under_way: 0,
            scratch: vec![0; 4096],
        }
    }

    fn open(&mut self, poll: &Poll) -> io::Result<()> {
        let index = self.connections.len();
        let mut flow = self.door.open()?;
        flow.send(&self.heads[index % self.heads.len()]);
        poll.add(
            &flow,
            index as u64,
            EventFlags::IN | EventFlags::RDHUP | EventFlags::ET,
        )?;
        self.connections.push(Resting {
            flow,
            state: State::Asked,
        });
        self.under_way += 1;
        Ok(())
    }
}

impl Clients for IdleClients {
    fn start(&mut self, _: &Poll) -> io::Result<()> {
        Ok(())
    }

    fn ready(&mut self, token: u64, _: EventFlags, _: &Poll, tally: &Tally) {
        let Some(connection) = usize::try_from(token)
            .ok()
            .and_then(|index| self.connections.get_mut(index))
        else {
            return;
        };
        if connection.state == State::Gone {
            return;
        }
        match connection.flow.receive(&mut self.scratch) {
            Moved::WouldBlock => {}
            Moved::Bytes(length) if length > 0 => {
                if connection.state == State::Asked {
                    connection.state = State::Answered;
                    self.under_way -= 1;
                    if self.scratch.starts_with(b"HTTP/1.1 200 ") {
                        tally.completed.fetch_add(1, Relaxed);
                    } else {
                        tally.fail("the answer is not 200");
                    }
                }
            }
            Moved::Bytes(_) | Moved::Broken => {
                if connection.state == State::Asked {
                    self.under_way -= 1;
                }
                connection.state = State::Gone;
                tally.fail("an idle connection was closed");
            }
        }
    }

    fn turn(&mut self, poll: &Poll, tally: &Tally) {
        let goal = usize::try_from(tally.goal.load(Relaxed)).unwrap_or(0);
        while self.connections.len() < goal && self.under_way < AT_ONCE {
            if self.open(poll).is_err() {
                return tally.fail("a connection could not be opened");
            }
        }
    }
}

/// Requests under way at the same time while connections are being opened.
const AT_ONCE: usize = 32;
