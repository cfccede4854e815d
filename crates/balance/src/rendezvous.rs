//! Rendezvous hashing: each server draws a lot for each key, and the best lot wins. Without tables, with exact shares by
//! weight; and where a server leaves, its keys only go elsewhere, spread over all others. It asks every server, so it is for
//! few of them.
//!
//! Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous" (1996); weights as in Schindelhauer and Schomaker,
//! "Weighted Distributed Hash Tables" (2005): the lowest −ln u / weight wins, u being the upper 52 bits, and a half, of what
//! is [`derived`] from key and identity, as a number between 0 and 1. Memory: none.

use crate::key::derived;
use crate::servers::Servers;
use crate::view::View;

/// The place of the server of those that `may` be picked which has the key.
pub(crate) fn pick<S: Servers>(
    view: &View<'_, S>,
    key: u64,
    may: impl Fn(usize) -> bool,
) -> Option<usize> {
    let mut first: Option<(f64, u64, usize)> = None;
    for (place, member) in view.members.iter().enumerate() {
        if !may(place) {
            continue;
        }
        // Arrivals of Poisson processes: who comes first is decided in proportion to the rates.
        let arrival = waiting(derived(key, member.id)) / f64::from(member.weight);
        if first.is_none_or(|(earliest, id, _)| (arrival, member.id) < (earliest, id)) {
            first = Some((arrival, member.id, place));
        }
    }
    first.map(|(_, _, place)| place)
}

/// −ln u for the number u between 0 and 1 that the hash stands for. Not by the mathematics library, whose last digits
/// differ between systems: balancers on both would disagree about a key now and then.
fn waiting(hash: u64) -> f64 {
    // 52 bits and a half: never 0 nor 1.
    let bits = ((hash >> 12) as f64 + 0.5).to_bits();
    let exponent = f64::from(u16::try_from(bits >> 52).unwrap_or(0)) - (1_023.0 + 52.0);
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1_023 << 52);
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let series = ARTANH.iter().fold(0.0, |sum, term| sum * square + term);
    -(exponent * std::f64::consts::LN_2 + 2.0 * ratio * series)
}

/// The series of artanh x / x in x², its last term first. For mantissas the error of the logarithm is below 10⁻⁹.
const ARTANH: [f64; 8] = [
    1.0 / 15.0,
    1.0 / 13.0,
    1.0 / 11.0,
    1.0 / 9.0,
    1.0 / 7.0,
    1.0 / 5.0,
    1.0 / 3.0,
    1.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_a_logarithm() {
        for hash in (0..64).map(|shift| u64::MAX >> shift).chain(1..100_000) {
            let hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let exact = -(((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64).ln();
            assert!((waiting(hash) - exact).abs() < 2e-9, "{hash}");
        }
    }
}
