//! UDP: datagrams of each client to a server of its own choice and back, for as long as they keep talking.
//!
//! A listener's sessions are all one task's: [`Port`] is how the worker speaks to it, [`pump`] is the task, [`table`] is who
//! is there and who was silent longest, [`session`] is one client, [`unanswered`]
//! what its server has yet to answer.

mod port;
mod pump;
mod session;
mod table;
mod unanswered;

pub(crate) use port::Port;
