//! Which side of a route's split a request goes to, and why.

use std::fmt::Write as _;

use sluice_config::plan::{Split, SplitBy};
use sluice_route::Facts;

/// The sides with their shares, and the request's. Returns the request's side; `None` where chance decides.
pub(super) fn describe(
    split: &Split,
    facts: &Facts<'_>,
    text: &mut String,
) -> Result<Option<usize>, std::fmt::Error> {
    let all: u32 = split.sides.iter().map(|side| side.weight).sum();
    for side in &split.sides {
        let share = f64::from(side.weight) * 100.0 / f64::from(all.max(1));
        writeln!(
            text,
            "side      {} (weight {} of {all}: {share:.1}%)",
            side.name, side.weight
        )?;
    }
    let weights = |side: usize| split.sides.get(side).map_or(0, |side| side.weight);
    // With a position, chance is not asked.
    let position = split.position(facts);
    let placed = position.and_then(|_| split.place(facts, 0, weights));
    let name = |side: usize| split.sides.get(side).map_or("", |side| &*side.name);
    let by = match &split.by {
        SplitBy::Request => {
            writeln!(text, "split     by chance, each request by itself")?;
            return Ok(None);
        }
        SplitBy::Key(key) => key.to_string(),
        SplitBy::Assigned(cookie) => format!("cookie {}, which is ours", cookie.name),
    };
    match (placed, &split.by) {
        (Some(placed), _) => {
            let side = name(placed.side);
            writeln!(text, "split     by {by}: goes to {side}, each time")?;
        }
        (None, SplitBy::Assigned(_)) => writeln!(
            text,
            "split     by {by}: the request has none, so chance decides and the answer sets it"
        )?,
        (None, _) => writeln!(
            text,
            "split     by {by}: the request has none, so chance decides"
        )?,
    }
    Ok(placed.map(|placed| placed.side))
}
