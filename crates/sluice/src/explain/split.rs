//! Which side of a route's split a request goes to, and why.

use std::fmt::Write as _;

use sluice_config::plan::{Side, Split, SplitBy};
use sluice_route::Facts;

use crate::shift::Split as LiveSplit;

/// The sides with their shares, as they are in `live` where that is known, and the request's. Returns the request's side; `None` where chance decides.
pub(super) fn describe(
    split: &Split,
    live: Option<&LiveSplit>,
    facts: &Facts<'_>,
    text: &mut String,
) -> Result<Option<usize>, std::fmt::Error> {
    let weight = |side: &Side| live.map_or(side.weight, |live| live.weight(&side.name));
    let all: u64 = split.sides.iter().map(weight).map(u64::from).sum();
    for side in &split.sides {
        let weight = weight(side);
        let by_hand = if weight == side.weight {
            ""
        } else {
            "; shifted"
        };
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
        let share = f64::from(weight) * 100.0 / all.max(1) as f64;
        writeln!(
            text,
            "side      {} (weight {weight} of {all}: {share:.1}%{by_hand})",
            side.name
        )?;
    }
    let weights = |side: usize| split.sides.get(side).map_or(0, weight);
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
