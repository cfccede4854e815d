//! A table with an entry for each remainder of a key: one look, shares even to a hundredth, and few other keys move where a
//! server comes or leaves.
//!
//! Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016), section 3.4. Every server
//! prefers the entries in an order of its own, by an offset and a step [`derived`] from its identity; they take turns in choosing, as
//! often as their weights say: the k-th turn of a server is due at k / weight, k from 0, and of equals the lower identity comes first.
//!
//! Where one of twenty to a thousand servers comes or leaves, less than 1.5 % of the other servers' keys move; where the table has
//! to grow, nearly all do, which happens at 656 servers, 1,311, and so on.
//!
//! Memory: 4 bytes an entry, hence 262,148 bytes for up to 655 servers, and from 400 to 800 bytes a server above; shared by all
//! workers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::key::derived;
use crate::keyed::ATTEMPTS;
use crate::servers::Servers;
use crate::view::{Member, View};

/// The place of a server for each remainder.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    entries: Arc<[u32]>,
}

impl Table {
    /// A table of `size` entries, see [`crate::Kind::Maglev`].
    pub(crate) fn new(members: &[Member], size: Option<u32>) -> Self {
        let size = table_size(members.len(), size);
        let mut entries = vec![FREE; usize::try_from(size).unwrap_or(0)];
        let mut turns: BinaryHeap<Reverse<Turns>> = (0..)
            .zip(members)
            .map(|(place, member)| Reverse(Turns::new(place, member, size)))
            .collect();
        for _ in 0..size {
            if let Some(mut next) = turns.peek_mut() {
                next.0.choose(&mut entries);
            }
        }
        Self {
            entries: entries.into(),
        }
    }

    /// The server that has the key, or stands in for it; `None` where none of [`ATTEMPTS`] is eligible. Who stands in is looked
    /// up by another hash of the key, so that the keys of one server spread over all others.
    pub(crate) fn pick<S: Servers>(&self, view: &View<'_, S>, key: u64) -> Option<usize> {
        self.entry(key)
            .filter(|&place| view.is_eligible(place))
            .or_else(|| {
                (1..ATTEMPTS)
                    .filter_map(|attempt| {
                        self.entry(derived(key, u64::try_from(attempt).unwrap_or(0)))
                    })
                    .find(|&place| view.is_eligible(place))
            })
    }

    fn entry(&self, key: u64) -> Option<usize> {
        let size = u64::try_from(self.entries.len()).ok()?;
        let entry = usize::try_from(key.checked_rem(size)?).ok()?;
        // A free entry, in a table without servers, is beyond all places.
        usize::try_from(*self.entries.get(entry)?).ok()
    }
}

/// A server that chooses entries, the one whose turn it is first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Turns {
    /// When it is its turn: k / weight for the k-th, in 2⁻³² of a round.
    due: u64,
    /// By identity where two are due: so the order of the servers does not matter.
    id: u64,
    place: u32,
    weight: u64,
    taken: u64,
    /// The entry it likes best of those it did not look at yet, and how far it is from one to the next.
    next: u64,
    step: u64,
    size: u64,
}

impl Turns {
    fn new(place: u32, member: &Member, size: u32) -> Self {
        let size = u64::from(size);
        Self {
            due: 0,
            id: member.id,
            place,
            weight: member.whole_weight().max(1),
            taken: 0,
            next: derived(member.id, 0) % size,
            step: derived(member.id, 1) % (size - 1) + 1,
            size,
        }
    }

    /// Takes the free entry that it likes best. There must be one.
    fn choose(&mut self, entries: &mut [u32]) {
        // As the size is a prime, it comes to every entry.
        for _ in 0..self.size {
            let entry = usize::try_from(self.next).unwrap_or(usize::MAX);
            self.next = (self.next + self.step) % self.size;
            if let Some(entry) = entries.get_mut(entry).filter(|entry| **entry == FREE) {
                *entry = self.place;
                break;
            }
        }
        self.taken += 1;
        self.due = (self.taken << 32) / self.weight;
    }
}

/// An entry that no server has chosen yet.
const FREE: u32 = u32::MAX;

/// Entries for each server at least: one more or less is a hundredth then.
const FOR_EACH: usize = 100;
/// Entries of a table that the file does not size: the next prime above it.
const USUAL: u32 = 1 << 16;
/// Entries of a table at most, nearly: 32 MiB.
const SIZE_MAX: u32 = 1 << 23;

/// Grown by doubling: were it to follow the number of servers closely, with each new one all keys would move.
fn table_size(servers: usize, wished: Option<u32>) -> u32 {
    let least = wished.unwrap_or_else(|| {
        u32::try_from(servers.saturating_mul(FOR_EACH))
            .unwrap_or(SIZE_MAX)
            .clamp(USUAL, SIZE_MAX)
            .next_power_of_two()
    });
    let every_server = u32::try_from(servers).unwrap_or(SIZE_MAX);
    // There is a prime between any number and its double.
    let least = least.max(every_server).clamp(2, SIZE_MAX);
    (least..2 * least)
        .find(|&size| is_prime(size))
        .unwrap_or(SIZE_MAX)
}

fn is_prime(number: u32) -> bool {
    (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_primes_that_suffice() {
        assert_eq!(table_size(0, None), 65_537);
        assert_eq!(table_size(655, None), 65_537);
        assert_eq!(table_size(656, None), 131_101);
        assert_eq!(table_size(1_310, None), 131_101);
        assert_eq!(table_size(1_311, None), 262_147);
        assert_eq!(table_size(10_000, None), 1_048_583);
        assert_eq!(table_size(10_000_000, None), 8_388_617);
        assert_eq!(table_size(3, Some(0)), 3);
        assert_eq!(table_size(3, Some(1_000)), 1_009);
        assert_eq!(table_size(3, Some(u32::MAX)), 8_388_617);
        assert_eq!(table_size(5_000, Some(7)), 5_003);
        for servers in [700, 5_000, 40_000] {
            let size = usize::try_from(table_size(servers, None)).expect("fits");
            assert!((100..=201).contains(&(size / servers)), "{size}");
        }
    }

    fn counts(weights: &[f32], size: Option<u32>) -> Vec<f64> {
        let member = |(server, &weight)| Member {
            server,
            id: crate::key_hash(&usize::to_le_bytes(server)),
            weight,
        };
        let members: Vec<Member> = weights.iter().enumerate().map(member).collect();
        let mut counts = vec![0.0; weights.len()];
        for &entry in Table::new(&members, size).entries.iter() {
            counts[usize::try_from(entry).expect("a place")] += 1.0;
        }
        counts
    }

    #[test]
    fn a_table_is_as_large_as_said() {
        let table = Table::new(&[], None);
        assert_eq!(size_of_val(&*table.entries), 262_148);
        assert!(table.entries.iter().all(|&entry| entry == FREE));
    }

    #[test]
    fn shares_of_the_table_are_even_to_a_hundredth() {
        for servers in [1, 3, 100, 655, 1_000] {
            let counts = counts(&vec![1.0; servers], None);
            let (least, most) = counts
                .iter()
                .fold((f64::MAX, 0.0_f64), |(least, most), &count| {
                    (least.min(count), most.max(count))
                });
            assert!(most <= least * 1.01, "{servers}: {least} to {most}");
        }
        for weights in [
            &[5.0, 1.0, 1.0][..],
            &[1.0, 2.0, 3.0, 50.0],
            &[65_535.0, 1.0, 300.0],
        ] {
            let counts = counts(weights, None);
            let total: f64 = weights.iter().copied().map(f64::from).sum();
            for (count, &weight) in counts.iter().zip(weights) {
                let fair = 65_537.0 * f64::from(weight) / total;
                assert!(
                    (count - fair).abs() <= 1.0 + fair * 0.001,
                    "{weight}: {count} for {fair}"
                );
            }
        }
    }

    #[test]
    fn every_server_has_an_entry() {
        let mut weights = vec![1.0; 500];
        weights[3] = 65_535.0;
        assert!(counts(&weights, None).iter().all(|&count| count >= 1.0));
        assert!(
            counts(&[1.0; 500], Some(1))
                .iter()
                .all(|&count| count >= 1.0)
        );
    }
}
