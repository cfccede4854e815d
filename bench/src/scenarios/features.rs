//! What a feature costs: the same requests with it and, in the same round, without it.

use super::requests::{Asks, Shape};
use super::{CPU, RATE, Scenario, in_turn};
use crate::report::{Better, Table};
use crate::subjects::{Setup, Subject};
use crate::window::Timing;

pub(super) fn run(
    scenario: Scenario,
    subjects: &[Subject],
    timing: Timing,
    setup: Setup,
    asks: Asks,
) -> Vec<Table> {
    let subjects = &Subject::able_to(subjects, setup);
    let with = Shape::pinned("/128", 128, 64).asking(asks).set_up(setup);
    let without = with.set_up(Setup::Plain).asking(match asks {
        // Nobody sets one.
        Asks::WithCookie => Asks::Usual,
        other => other,
    });
    let name = scenario.name();
    let each = "µs a request";
    let table = |quantity, unit, better| Table::new(name, quantity, unit, better, subjects);
    let mut tables = vec![
        table(CPU, each, Better::Lower),
        table("processor time without it", each, Better::Lower),
        table("what it adds", each, Better::Lower),
        table(RATE, "requests a second", Better::Higher),
    ];
    in_turn(
        scenario,
        subjects,
        timing.rounds,
        &mut tables,
        |subject, row, tables| {
            // Each comes first in every other round: what changes over time changes for both.
            let is_first = tables[0].rows[row].samples.len() % 2 == 0;
            let early = is_first.then(|| with.window(subject, timing)).transpose()?;
            let plain = without.window(subject, timing)?;
            let window = match early {
                Some(window) => window,
                None => with.window(subject, timing)?,
            };
            let (cost, base) = (window.micros_each(), plain.micros_each());
            tables[0].add(row, cost, None);
            tables[1].add(row, base, None);
            tables[2].add(row, cost - base, None);
            tables[3].add(row, window.rate(), window.doubt());
            Ok(())
        },
    );
    tables
}
