//! The table that a person reads.

use std::fmt::Write as _;

use super::{Comparison, Estimate, Measure, Row};

impl Comparison {
    /// The results as aligned text, a line for each policy.
    pub fn table(&self) -> String {
        let mut lines = vec![HEADS.map(str::to_owned).to_vec()];
        lines.extend(self.rows.iter().map(cells));
        let mut text = format!("{}\n\n", self.description);
        align(&mut text, &lines);
        text.push('\n');
        if self.groups.len() > 1 {
            let heads = self.groups.iter().map(|group| format!("to {group}"));
            let mut lines = vec![std::iter::once("policy".to_owned()).chain(heads).collect()];
            lines.extend(self.rows.iter().map(|row| self.group_cells(row)));
            align(&mut text, &lines);
            text.push_str("\nShare of requests by servers, and the utilization of these.\n");
        }
        text.push_str(if self.seeds.len() > 1 {
            "±: 95 % confidence over seeds. "
        } else {
            "One seed: how far these figures are from others' is not known. "
        });
        text.push_str(
            "Utilization: least, mean and most used server.\nImbalance: the most used server by the mean. \
             Latencies are those of answers and timeouts.\n",
        );
        text
    }

    fn group_cells(&self, row: &Row) -> Vec<String> {
        let cell = |group| {
            let share = 100.0 * row.group_share(group).mean;
            let utilization = 100.0 * row.group_utilization(group).mean;
            format!("{share:.2} %, used {utilization:.0} %")
        };
        let cells = (0..self.groups.len()).map(cell);
        std::iter::once(row.policy.clone()).chain(cells).collect()
    }
}

const HEADS: [&str; 8] = [
    "policy",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "errors",
    "utilization",
    "imbalance",
];

/// Names to the left, figures to the right.
fn align(text: &mut String, lines: &[Vec<String>]) {
    let columns = lines.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            lines
                .iter()
                .map(|line| width(&line[column]))
                .max()
                .unwrap_or(0)
        })
        .collect();
    for line in lines {
        for (column, (cell, wide)) in line.iter().zip(&widths).enumerate() {
            let padding = " ".repeat(wide - width(cell));
            let _ = match column {
                0 => write!(text, "{cell}{padding}"),
                _ => write!(text, "  {padding}{cell}"),
            };
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
}

fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.policy.clone()];
    for measure in Measure::PERCENTILES {
        cells.push(latency(row.estimate(measure)));
    }
    cells.push(share(row.errors()));
    let [least, mean, most] = [
        Measure::UtilizationMin,
        Measure::UtilizationMean,
        Measure::UtilizationMax,
    ]
    .map(|measure| format!("{:.0}", 100.0 * row.estimate(measure).mean));
    cells.push(format!("{least} / {mean} / {most} %"));
    cells.push(with_error(row.imbalance(), 1.0, 2, ""));
    cells
}

/// Seconds, in the unit that suits them, to three digits.
pub(super) fn latency(estimate: Estimate) -> String {
    let (scale, unit) = match estimate.mean {
        mean if mean < 1e-6 => (1e9, " ns"),
        mean if mean < 1e-3 => (1e6, " µs"),
        mean if mean < 1.0 => (1e3, " ms"),
        _ => (1.0, " s"),
    };
    let decimals = match estimate.mean * scale {
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    with_error(estimate, scale, decimals, unit)
}

fn share(estimate: Estimate) -> String {
    if estimate.mean == 0.0 {
        return "0".to_owned();
    }
    let decimals = if estimate.mean < 0.01 { 3 } else { 2 };
    with_error(estimate, 100.0, decimals, " %")
}

fn with_error(estimate: Estimate, scale: f64, decimals: usize, unit: &str) -> String {
    let mean = estimate.mean * scale;
    match estimate.within {
        Some(within) => format!("{mean:.decimals$} ±{:.decimals$}{unit}", within * scale),
        None => format!("{mean:.decimals$}{unit}"),
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}
