//! What was measured: tables for people, Markdown for the documentation, JSON
//! for programs.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use crate::conditions::Conditions;
use crate::statistics::Spread;
use crate::subjects::{Kind, Subject};

/// All of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) conditions: Conditions,
    pub(crate) tables: Vec<Table>,
}

/// One quantity of one scenario, for all subjects.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) scenario: &'static str,
    pub(crate) quantity: Cow<'static, str>,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) rows: Vec<Row>,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    Lower,
    Higher,
}

/// What one subject did.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) subject: String,
    pub(crate) samples: Vec<f64>,
    pub(crate) spread: Option<Spread>,
    /// Median of sluice over median of this one.
    pub(crate) ratio: Option<f64>,
    /// What the ratio, or sluice's own figure, is to be: at most, or at least where higher is better.
    pub(crate) target: Option<f64>,
    pub(crate) reached: Option<bool>,
    /// Why a figure is missing or to be doubted, said once for all rounds.
    pub(crate) notes: Vec<String>,
}

impl Table {
    /// A table with a row for each subject and nothing measured yet.
    pub(crate) fn new(
        scenario: &'static str,
        quantity: impl Into<Cow<'static, str>>,
        unit: &'static str,
        better: Better,
        subjects: &[Subject],
    ) -> Self {
        let rows = subjects
            .iter()
            .map(|subject| Row {
                kind: subject.kind,
                subject: subject.label.clone(),
                samples: Vec::new(),
                spread: None,
                ratio: None,
                target: None,
                reached: None,
                notes: Vec::new(),
            })
            .collect();
        Self {
            scenario,
            quantity: quantity.into(),
            unit,
            better,
            rows,
        }
    }

    /// Adds one round's figure of the subject at `row`.
    pub(crate) fn add(&mut self, row: usize, sample: f64, note: Option<String>) {
        self.rows[row].samples.push(sample);
        self.note(row, note);
    }

    /// Adds a remark about the subject at `row`.
    pub(crate) fn note(&mut self, row: usize, note: Option<String>) {
        self.rows[row].notes.extend(note);
    }

    /// Works out medians and ratios; `target` says what ratio to a subject is to be reached, and for sluice what figure.
    pub(crate) fn close(&mut self, target: impl Fn(Kind) -> Option<f64>) {
        for row in &mut self.rows {
            row.spread = Spread::of(&row.samples);
        }
        let sluice = self
            .rows
            .iter()
            .find(|row| row.kind == Kind::Sluice)
            .and_then(|row| row.spread);
        for row in &mut self.rows {
            row.target = target(row.kind);
            let own = row.spread.map(|spread| spread.median);
            row.ratio = match row.kind {
                Kind::Sluice => None,
                // Of nothing, and of less, there is no ratio.
                _ => sluice
                    .filter(|sluice| sluice.median > 0.0)
                    .zip(own.filter(|&other| other > 0.0))
                    .map(|(sluice, other)| sluice.median / other),
            };
            let figure = if row.kind == Kind::Sluice {
                own
            } else {
                row.ratio
            };
            row.reached = figure
                .zip(row.target)
                .map(|(figure, target)| match self.better {
                    Better::Lower => figure <= target,
                    Better::Higher => figure >= target,
                });
        }
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("\n{} · {} ({})\n", self.scenario, self.quantity, self.unit);
        let width = self
            .rows
            .iter()
            .map(|row| row.subject.len())
            .max()
            .unwrap_or(0);
        for row in &self.rows {
            let cells = row.cells(self.better);
            // Writing into memory does not fail.
            let _ = write!(
                text,
                "  {:width$}  {:>10}  {:>22}  {:>7}  {:>8}  {}",
                row.subject, cells[0], cells[1], cells[2], cells[3], cells[4]
            );
            text.truncate(text.trim_end().len());
            text.push('\n');
            for note in summary(&row.notes) {
                let _ = writeln!(text, "  {:width$}    {note}", "");
            }
        }
        text
    }

    /// For the documentation.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "\n### `{}`: {} ({})\n\n| subject | median | least to most | sluice ÷ it | to reach | |\n|---|--:|--:|--:|--:|---|\n",
            self.scenario, self.quantity, self.unit
        );
        for row in &self.rows {
            let _ = writeln!(
                text,
                "| {} | {} |",
                row.subject,
                row.cells(self.better).join(" | ")
            );
        }
        for row in &self.rows {
            for note in summary(&row.notes) {
                let _ = writeln!(text, "\n{}: {note}.", row.subject);
            }
        }
        text
    }
}

impl Row {
    fn cells(&self, better: Better) -> [String; 5] {
        let bound = match better {
            Better::Lower => "≤",
            Better::Higher => "≥",
        };
        let spread = self.spread;
        [
            spread.map_or_else(|| "failed".to_owned(), |spread| number(spread.median)),
            spread.map_or_else(String::new, |spread| {
                format!("{} … {}", number(spread.least), number(spread.most))
            }),
            self.ratio
                .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            self.target
                .map_or_else(String::new, |target| format!("{bound} {target:.2}")),
            self.reached.map_or_else(String::new, |reached| {
                if reached { "reached" } else { "missed" }.to_owned()
            }),
        ]
    }
}

/// The notes of all rounds, the last of each sort and how often that sort came.
fn summary(notes: &[String]) -> Vec<String> {
    let sort = |note: &str| note.split([':', ';']).next().unwrap_or(note).to_owned();
    let mut sorts: Vec<(String, &str, usize)> = Vec::new();
    for note in notes {
        match sorts.iter_mut().find(|(known, _, _)| *known == sort(note)) {
            Some((_, last, times)) => (*last, *times) = (note, *times + 1),
            None => sorts.push((sort(note), note, 1)),
        }
    }
    sorts
        .into_iter()
        .map(|(_, last, times)| {
            if times > 1 {
                format!("{last} ({times} rounds)")
            } else {
                last.to_owned()
            }
        })
        .collect()
}

/// A line of a table in Markdown.
pub(crate) fn line(head: &str, cells: &[String]) -> String {
    format!("| {head} | {} |", cells.join(" | "))
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn table(better: Better, sluice: f64, nginx: f64) -> Table {
        let subjects =
            [Kind::Sluice, Kind::Forwarder].map(|kind| Subject::new(kind, PathBuf::new()).unwrap());
        let mut table = Table::new("small-64", "CPU", "µs", better, &subjects);
        table.rows[1].kind = Kind::Nginx;
        table.add(0, sluice, None);
        table.add(1, nginx, Some("not saturated: 80 %".into()));
        table.close(|kind| (kind == Kind::Nginx).then_some(0.8));
        table
    }

    #[test]
    fn lower_is_reached_below_the_target_and_higher_above_it() {
        assert_eq!(table(Better::Lower, 8.0, 10.0).rows[1].reached, Some(true));
        assert_eq!(table(Better::Lower, 8.1, 10.0).rows[1].reached, Some(false));
        assert_eq!(table(Better::Higher, 8.0, 10.0).rows[1].reached, Some(true));
        assert_eq!(
            table(Better::Higher, 7.9, 10.0).rows[1].reached,
            Some(false)
        );
    }

    #[test]
    fn a_subject_without_samples_is_said_to_have_failed() {
        let subjects = [Subject::new(Kind::Sluice, PathBuf::new()).unwrap()];
        let mut table = Table::new("start", "time", "ms", Better::Lower, &subjects);
        table.close(|_| None);
        assert!(table.text().contains("failed"));
        assert!(table.markdown().contains("| sluice | failed |"));
    }

    #[test]
    fn notes_of_one_sort_are_said_once() {
        let notes = [
            "not saturated: 80 %".to_owned(),
            "not saturated: 82 %".to_owned(),
            "other".to_owned(),
        ];
        assert_eq!(summary(&notes), ["not saturated: 82 % (2 rounds)", "other"]);
    }
}
