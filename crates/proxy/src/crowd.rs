//! Who is connected to a listener, over all workers, where there are limits to that.

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
pub struct Crowds(HashMap<Arc<str>, Arc<Crowd>>);

impl Crowds {
    /// Those of `plan`: of listeners that were there before as they are.
    #[must_use]
    pub fn updated(&self, plan: &Plan) -> Self {
        let crowds = plan.listeners.iter().map(|listener| {
            let known = self.0.get(&listener.name).map(Arc::clone);
            (Arc::clone(&listener.name), known.unwrap_or_default())
        });
        Self(crowds.collect())
    }

    pub(crate) fn get(&self, listener: &str) -> Option<&Arc<Crowd>> {
        self.0.get(listener)
    }
}

/// Those connected to one listener.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    all: AtomicU32,
    hasher: RandomState,
    /// How many of each client; only of those that are connected, so it is no larger than the crowd. In parts, so that workers
    /// seldom wait for each other.
    clients: [Mutex<HashMap<IpAddr, u32>>; PARTS],
}

impl Crowd {
    /// Lets a client in.
    ///
    /// # Errors
    /// Which limit is reached.
    pub(crate) fn enter(
        self: &Arc<Self>,
        client: IpAddr,
        limits: ConnectionLimits,
    ) -> Result<Presence, Crowded> {
        let most = limits.all.unwrap_or(u32::MAX);
        let more = |all: u32| (all < most).then(|| all + 1);
        let entered = self
            .all
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.map_err(|_| Crowded::Listener)?;
        let mut presence = Presence {
            crowd: Arc::clone(self),
            client: None,
        };
        if let Some(most) = limits.per_client {
            let client = site(client);
            // What has entered leaves again where this fails.
            if !self.count(client, most) {
                return Err(Crowded::Client);
            }
            presence.client = Some(client);
        }
        Ok(presence)
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
    /// Where clients are counted.
    client: Option<IpAddr>,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.crowd.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(client) = self.client {
            self.crowd.leave(client);
        }
    }
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

    fn limits(all: u32, per_client: u32) -> ConnectionLimits {
        ConnectionLimits {
            all: Some(all),
            per_client: Some(per_client),
        }
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
        let remembered = crowd
            .clients
            .iter()
            .map(|part| part.lock().expect("no panic").len());
        assert_eq!(remembered.sum::<usize>(), 0);
        assert_eq!(crowd.all.load(Ordering::Relaxed), 0);
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
