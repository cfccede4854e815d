//! What it costs that all is on which keeps failures from clients, while nothing fails: sluice beside itself.

use super::requests::Shape;
use super::{CPU, RATE, Scenario};
use crate::report::{Better, Table};
use crate::subjects::{Kind, Setup, Subject};
use crate::window::Timing;

pub(super) fn run(subjects: &[Subject], timing: Timing) -> Vec<Table> {
    let pair: Vec<Subject> = subjects
        .iter()
        .filter(|subject| subject.kind == Kind::Sluice)
        .take(1)
        .flat_map(|sluice| {
            let mut bare = sluice.clone();
            (bare.kind, bare.label) = (Kind::Bare, Kind::Bare.name().to_owned());
            [sluice.clone(), bare]
        })
        .collect();
    let name = Scenario::Guarded.name();
    let mut tables = vec![
        Table::new(name, CPU, "µs a request", Better::Lower, &pair),
        Table::new(name, RATE, "requests a second", Better::Higher, &pair),
    ];
    let shape = Shape::pinned("/128", 128, 64).set_up(Setup::Guarded);
    for round in 1..=timing.rounds {
        // First one, then the other is the first of a pair: what changes over time changes for both.
        let turn = (0..pair.len()).map(|place| (place + round) % pair.len());
        for row in turn {
            let subject = &pair[row];
            match shape.window(subject, timing) {
                Ok(window) => {
                    tables[0].add(row, window.micros_each(), None);
                    tables[1].add(row, window.rate(), window.doubt());
                }
                Err(error) => tables[0].note(row, Some(format!("failed: {error:#}"))),
            }
            let so_far = super::latest(&tables, row);
            crate::progress(&format!(
                "{name} {round}/{} {}: {so_far}",
                timing.rounds, subject.label
            ));
        }
    }
    tables
}
