//! Which side of a split takes a request: by chance, or by a position that a client keeps.

/// A side of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// What tells it from the others wherever the split is written: [`side_id`] of its name.
    pub id: u64,
    /// How much it takes beside the others; 0 is nothing.
    pub weight: u32,
}

/// The id of a side by the hash of its name.
pub fn side_id(name_hash: u64) -> u64 {
    mixed(name_hash)
}

/// The side that a client at `position` is on: the same as long as the weights keep their proportions, in every process and in
/// whatever order the sides stand. A client changes sides only towards one whose weight has grown beside that of its own. `None` where
/// all weights are 0.
///
/// Weighted rendezvous: each side draws a time from the position, the sooner the larger its weight, and the soonest has it. So
/// what two sides are to a client does not depend on the others.
pub fn side_of(position: u64, sides: impl IntoIterator<Item = Side>) -> Option<usize> {
    let mut soonest: Option<(usize, f64)> = None;
    for (index, side) in sides.into_iter().enumerate() {
        if side.weight == 0 {
            continue;
        }
        let time = -unit(mixed(position ^ side.id)).ln() / f64::from(side.weight);
        if soonest.is_none_or(|(_, least)| time < least) {
            soonest = Some((index, time));
        }
    }
    soonest.map(|(index, _)| index)
}

/// The side for `chance`, any 64 bits that are drawn anew for each request. `None` where all weights are 0.
pub fn side_by_chance(
    chance: u64,
    weights: impl IntoIterator<Item = u32, IntoIter: Clone>,
) -> Option<usize> {
    let weights = weights.into_iter();
    let total: u64 = weights.clone().map(u64::from).sum();
    // Below the total, as `chance` is below 2^64.
    let mut left = (u128::from(chance) * u128::from(total)) >> u64::BITS;
    for (index, weight) in weights.enumerate() {
        let weight = u128::from(weight);
        if left < weight {
            return Some(index);
        }
        left -= weight;
    }
    None
}

/// A number above 0 and below 1 from the upper 52 bits.
fn unit(bits: u64) -> f64 {
    // With its lowest bit set, what is left has 53 bits and is exact.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let numerator = ((bits >> 12) * 2 + 1) as f64;
    numerator / (1_u64 << 53) as f64
}

/// Each bit depends on all bits: the output function of `SplitMix64` (Steele, Lea and Flood, 2014).
fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests;
