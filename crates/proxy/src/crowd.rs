//! Who is connected, to each listener and to all of them, over all workers.
//!
//! Everybody is counted, limit or not: a limit that comes with a reload then knows who was there before. Only clients one by
//! one are counted where they are limited, as that takes a lock; those who were there before are entered when that begins.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sluice_config::Plan;
use sluice_config::plan::ConnectionLimits;
use sluice_telemetry::metrics::Crowded;

/// The crowds of all listeners, by name. Belongs to the control plane.
#[derive(Clone, Debug, Default)]
pub struct Crowds {
    listeners: HashMap<Arc<str>, Arc<Crowd>>,
    everybody: Arc<AtomicU32>,
}

impl Crowds {
    /// Those of `plan`: of listeners that were there before as they are.
    #[must_use]
    pub fn updated(&self, plan: &Plan) -> Self {
        let crowds = plan.listeners.iter().map(|listener| {
            let known = self.listeners.get(&listener.name).map(Arc::clone);
            let crowd = known.unwrap_or_else(|| Arc::new(Crowd::among(&self.everybody)));
            (Arc::clone(&listener.name), crowd)
        });
        Self {
            listeners: crowds.collect(),
            everybody: Arc::clone(&self.everybody),
        }
    }

    pub(crate) fn get(&self, listener: &str) -> Option<&Arc<Crowd>> {
        self.listeners.get(listener)
    }
}

/// Those connected to one listener.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    all: AtomicU32,
    /// Those connected to all listeners together.
    everybody: Arc<AtomicU32>,
    hasher: RandomState,
    /// How many of each client; only of those that are connected, so it is no larger than the crowd. In parts, so that workers
    /// seldom wait for each other.
    clients: [Mutex<HashMap<IpAddr, u32>>; PARTS],
}

/// How many there may be at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// `max-connections` of `[runtime]`
    pub(crate) everybody: Option<u32>,
    /// What the listener says.
    pub(crate) listener: ConnectionLimits,
}

impl Crowd {
    fn among(everybody: &Arc<AtomicU32>) -> Self {
        Self {
            everybody: Arc::clone(everybody),
            ..Self::default()
        }
    }

    /// Lets a client in.
    ///
    /// # Errors
    /// Which limit is reached.
    pub(crate) fn enter(self: &Arc<Self>, client: IpAddr, room: Room) -> Result<Presence, Crowded> {
        if !take(&self.everybody, room.everybody) {
            return Err(Crowded::Process);
        }
        if !take(&self.all, room.listener.all) {
            self.everybody.fetch_sub(1, Ordering::Relaxed);
            return Err(Crowded::Listener);
        }
        let mut presence = Presence {
            crowd: Arc::clone(self),
            client: site(client),
            is_known: false,
        };
        // What has entered leaves again where this fails.
        match room.listener.per_client {
            Some(most) if !presence.introduce(most) => Err(Crowded::Client),
            _ => Ok(presence),
        }
    }

    fn count(&self, client: IpAddr, most: u32) -> bool {
        let mut clients = self
            .part(client)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        let is_free = *count < most;
        if is_free {
            *count += 1;
        }
        is_free
    }

    fn leave(&self, client: IpAddr) {
        let mut clients = self
            .part(client)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&client);
            }
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the remainder is less than the length"
    )]
    fn part(&self, client: IpAddr) -> &Mutex<HashMap<IpAddr, u32>> {
        let hash = self.hasher.hash_one(client).to_le_bytes();
        &self.clients[usize::from(hash[0]) % PARTS]
    }
}

/// That a client is connected; ends when dropped.
#[derive(Debug)]
pub(crate) struct Presence {
    crowd: Arc<Crowd>,
    client: IpAddr,
    /// Whether it is counted among those of its client.
    is_known: bool,
}

impl Presence {
    /// Counts it among those of its client from now on, where it is not yet, whatever the limit says: it is here already.
    pub(crate) fn is_limited_by_client(&mut self) {
        if !self.is_known {
            self.introduce(u32::MAX);
        }
    }

    fn introduce(&mut self, most: u32) -> bool {
        self.is_known = self.crowd.count(self.client, most);
        self.is_known
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.crowd.everybody.fetch_sub(1, Ordering::Relaxed);
        self.crowd.all.fetch_sub(1, Ordering::Relaxed);
        if self.is_known {
            self.crowd.leave(self.client);
        }
    }
}

/// Counts one more, where there are less than `most`.
fn take(count: &AtomicU32, most: Option<u32>) -> bool {
    let most = most.unwrap_or(u32::MAX);
    let more = |all: u32| (all < most).then(|| all + 1);
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        .is_ok()
}

/// Whom an address stands for: of IPv6 the network of 64 bits, all of which is mostly one client's.
fn site(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

const PARTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(all: u32, per_client: u32) -> Room {
        Room {
            everybody: None,
            listener: ConnectionLimits {
                all: Some(all),
                per_client: Some(per_client),
            },
        }
    }

    fn remembered(crowd: &Crowd) -> usize {
        let parts = crowd.clients.iter();
        parts.map(|part| part.lock().expect("no panic").len()).sum()
    }

    #[test]
    fn each_limit_holds_and_who_leaves_makes_room() {
        let crowd = Arc::new(Crowd::default());
        let enter = |client: &str| crowd.enter(client.parse().expect("an address"), limits(3, 2));
        let first = enter("192.0.2.1").expect("room");
        let _second = enter("::ffff:192.0.2.1").expect("room");
        assert_eq!(enter("192.0.2.1").err(), Some(Crowded::Client));
        let third = enter("2001:db8::1").expect("room");
        assert_eq!(enter("192.0.2.3").err(), Some(Crowded::Listener));
        drop(third);
        drop(first);
        let _again = enter("192.0.2.1").expect("room again");
        let _other = enter("192.0.2.3").expect("room again");
        assert_eq!(enter("192.0.2.4").err(), Some(Crowded::Listener));
    }

    #[test]
    fn nobody_is_remembered_who_has_left() {
        let crowd = Arc::new(Crowd::default());
        for last in 0..=255 {
            let client = [192, 0, 2, last].into();
            drop(crowd.enter(client, limits(10, 1)).expect("room"));
        }
        assert_eq!(remembered(&crowd), 0);
        assert_eq!(crowd.all.load(Ordering::Relaxed), 0);
        assert_eq!(crowd.everybody.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn all_listeners_together_have_a_limit() {
        let everybody = Arc::new(AtomicU32::new(0));
        let crowds = [(); 2].map(|()| Arc::new(Crowd::among(&everybody)));
        let enter = |which: usize, all: Option<u32>| {
            let room = Room {
                everybody: Some(2),
                listener: ConnectionLimits {
                    all,
                    per_client: None,
                },
            };
            crowds[which].enter([192, 0, 2, 1].into(), room)
        };
        let first = enter(0, Some(1)).expect("room");
        // Who is not let in by its listener takes no place of the others.
        assert_eq!(enter(0, Some(1)).err(), Some(Crowded::Listener));
        let _second = enter(1, None).expect("room");
        assert_eq!(enter(1, None).err(), Some(Crowded::Process));
        drop(first);
        let _third = enter(1, None).expect("room again");
    }

    #[test]
    fn who_was_there_before_the_limit_counts() {
        let crowd = Arc::new(Crowd::default());
        let client = [192, 0, 2, 1].into();
        let mut before: Vec<_> = (0..3)
            .map(|_| crowd.enter(client, Room::default()).expect("room"))
            .collect();
        assert_eq!(
            crowd.enter(client, limits(3, 9)).err(),
            Some(Crowded::Listener)
        );
        // Said again and again, it is counted once.
        for presence in &mut before {
            presence.is_limited_by_client();
            presence.is_limited_by_client();
        }
        assert_eq!(
            crowd.enter(client, limits(9, 3)).err(),
            Some(Crowded::Client)
        );
        before.pop();
        drop(crowd.enter(client, limits(9, 3)).expect("room"));
        drop(before);
        assert_eq!(remembered(&crowd), 0);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let crowd = Arc::new(Crowd::default());
        let enter = |client: &str| crowd.enter(client.parse().expect("an address"), limits(9, 1));
        let _one = enter("2001:db8:0:1::1").expect("room");
        assert_eq!(enter("2001:db8:0:1:ffff::2").err(), Some(Crowded::Client));
        let _other = enter("2001:db8:0:2::1").expect("room");
    }
}
