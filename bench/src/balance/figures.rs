//! What is said of the policies: a table and a verdict for each load, and a picture of both.

use std::fmt::Write as _;

use serde::Serialize;

use super::contenders::Contender;
use super::count::Count;
use crate::load::cluster::Character;
use crate::statistics::Spread;
use crate::subjects::Kind;
use crate::window::Window;

/// All contenders under one load.
#[derive(Debug, Serialize)]
pub(crate) struct Contest {
    utilization: f64,
    /// Requests a second.
    rate: f64,
    /// Milliseconds: p99 where every request met a steady server and no line.
    floor: f64,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    kind: Kind,
    contender: String,
    is_default: bool,
    samples: Vec<Sample>,
}

/// One round of one contender.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    /// Milliseconds.
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    /// Of a million requests.
    errors: f64,
    first_error: Option<&'static str>,
    /// Percent of all requests that servers saw.
    to_slow: f64,
    to_failing: f64,
    to_antagonised: f64,
    /// Microseconds of the proxy's processor time for each request.
    processor: f64,
}

impl Sample {
    pub(crate) fn new(requests: &Count, window: &Window, characters: &[Character]) -> Self {
        let millis = |quantile| requests.latencies.value_at_quantile(quantile) as f64 / 1e6;
        let all: u64 = requests.taken.iter().sum();
        let share = |sought: Character| {
            let taken: u64 = characters
                .iter()
                .zip(&requests.taken)
                .filter(|(character, _)| **character == sought)
                .map(|(_, taken)| taken)
                .sum();
            100.0 * taken as f64 / all.max(1) as f64
        };
        let ended = requests.latencies.len() + requests.errors;
        Self {
            p50: millis(0.5),
            p90: millis(0.9),
            p99: millis(0.99),
            p999: millis(0.999),
            errors: 1e6 * requests.errors as f64 / ended.max(1) as f64,
            first_error: requests.first_error,
            to_slow: share(Character::Slow),
            to_failing: share(Character::Failing),
            to_antagonised: share(Character::Antagonised),
            processor: window.micros_each(),
        }
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "p50 {:.1} ms, p99 {:.1} ms, {:.0} errors of a million {}",
            self.p50,
            self.p99,
            self.errors,
            self.first_error.unwrap_or_default()
        )
    }
}

impl Contest {
    pub(crate) fn new(
        utilization: f64,
        rate: f64,
        floor: f64,
        contenders: &[Contender<'_>],
    ) -> Self {
        let rows = contenders
            .iter()
            .map(|contender| Row {
                kind: contender.subject.kind,
                contender: contender.label(),
                is_default: contender.is_default,
                samples: Vec::new(),
            })
            .collect();
        Self {
            utilization,
            rate,
            floor,
            rows,
        }
    }

    pub(crate) fn add(&mut self, row: usize, sample: Sample) {
        self.rows[row].samples.push(sample);
    }

    /// The table, and under it what was to be reached.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "\n### At {:.0} % of the servers' capacity ({:.0} requests a second)\n\nMilliseconds. A steady server without a line would have a p99 of {:.0} ms.\n\n\
             | | p50 | p90 | p99 | p99 least to most | p99.9 | errors of a million | to the slow one | to the failing | to the \
             antagonised | processor µs |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
            self.utilization * 100.0,
            self.rate,
            self.floor
        );
        for row in &self.rows {
            let Some(spread) = row.spread(|sample| sample.p99) else {
                continue;
            };
            // Writing into memory does not fail.
            let _ = writeln!(
                text,
                "| {} | {:.1} | {:.1} | {:.1} | {:.1} … {:.1} | {:.1} | {:.0} | {:.2} % | {:.2} % | {:.2} % | {:.1} |",
                row.contender,
                row.median(|sample| sample.p50),
                row.median(|sample| sample.p90),
                spread.median,
                spread.least,
                spread.most,
                row.median(|sample| sample.p999),
                row.median(|sample| sample.errors),
                row.median(|sample| sample.to_slow),
                row.median(|sample| sample.to_failing),
                row.median(|sample| sample.to_antagonised),
                row.median(|sample| sample.processor),
            );
        }
        text.push('\n');
        text.push_str(&self.verdicts());
        text
    }

    fn verdicts(&self) -> String {
        let Some(peer) = self.best(|row| row.kind.is_peer()) else {
            return String::new();
        };
        let against = |name: &str, row: Option<&Row>, bound: f64| {
            let Some(row) = row else { return String::new() };
            let ratio = row.p99() / peer.p99();
            let word = if ratio <= bound { "reached" } else { "missed" };
            format!(
                "- {name}, {}: p99 {ratio:.2} × that of the best peer, {} (at most {bound:.2}: {word}); errors {:.0} to {:.0}.\n",
                row.contender,
                peer.contender,
                row.median(|sample| sample.errors),
                peer.median(|sample| sample.errors),
            )
        };
        against("Our best", self.best(|row| row.kind == Kind::Sluice), 0.5)
            + &against("Our default", self.best(|row| row.is_default), 1.0)
    }

    fn best(&self, of: impl Fn(&Row) -> bool) -> Option<&Row> {
        self.rows
            .iter()
            .filter(|row| of(row) && !row.samples.is_empty())
            .min_by(|one, other| one.p99().total_cmp(&other.p99()))
    }
}

impl Row {
    fn p99(&self) -> f64 {
        self.median(|sample| sample.p99)
    }

    fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        self.spread(of).map_or(f64::NAN, |spread| spread.median)
    }

    fn spread(&self, of: impl Fn(&Sample) -> f64) -> Option<Spread> {
        let figures: Vec<f64> = self.samples.iter().map(of).collect();
        Spread::of(&figures)
    }
}

/// Bars of p99, one block for each load, on a logarithmic scale: what is twice as long is twice as bad wherever it begins.
pub(crate) fn svg(contests: &[Contest]) -> String {
    let rows: usize = contests.iter().map(|contest| contest.rows.len() + 2).sum();
    let height = rows as f64 * LINE + LINE;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let all = || contests.iter().flat_map(|contest| &contest.rows);
    let longest = all().map(Row::p99).fold(SHORTEST * 2.0, f64::max);
    let scale = (WIDTH - LABELS - FIGURES) / (longest / SHORTEST).ln();
    let mut y = LINE;
    for contest in contests {
        let _ = writeln!(
            text,
            "<text x=\"8\" y=\"{}\" font-weight=\"bold\">p99 in ms at {:.0} % of capacity, logarithmic</text>",
            y + BASE,
            contest.utilization * 100.0
        );
        y += LINE;
        for row in &contest.rows {
            let length = scale * (row.p99() / SHORTEST).max(1.0).ln();
            let colour = if row.kind == Kind::Sluice {
                "#1f77b4"
            } else {
                "#b0b0b0"
            };
            let _ = writeln!(
                text,
                "<text x=\"8\" y=\"{}\">{}</text><rect x=\"{LABELS}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{:.0}</text>",
                y + BASE,
                row.contender,
                y + 3.0,
                LINE - 6.0,
                LABELS + length + 6.0,
                y + BASE,
                row.p99()
            );
            y += LINE;
        }
        y += LINE;
    }
    text.push_str("</svg>\n");
    text
}

/// Pixels.
const WIDTH: f64 = 820.0;
const LABELS: f64 = 260.0;
const FIGURES: f64 = 60.0;
const LINE: f64 = 22.0;
const BASE: f64 = 15.0;
/// Milliseconds where the bars begin.
const SHORTEST: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(p99: f64) -> Sample {
        Sample {
            p50: 1.0,
            p90: 2.0,
            p99,
            p999: p99,
            errors: 0.0,
            first_error: None,
            to_slow: 0.0,
            to_failing: 0.0,
            to_antagonised: 0.0,
            processor: 1.0,
        }
    }

    fn contest() -> Contest {
        let row = |kind, contender: &str, is_default, p99| Row {
            kind,
            contender: contender.to_owned(),
            is_default,
            samples: vec![sample(p99)],
        };
        Contest {
            utilization: 0.7,
            rate: 1000.0,
            floor: 21.0,
            rows: vec![
                row(Kind::Sluice, "sluice first", true, 90.0),
                row(Kind::Sluice, "sluice second", false, 39.0),
                row(Kind::Nginx, "nginx first", false, 80.0),
                row(Kind::Nginx, "nginx second", false, 120.0),
            ],
        }
    }

    #[test]
    fn the_best_of_each_side_are_compared() {
        let text = contest().markdown();
        assert!(text.contains("sluice second: p99 0.49 × that of the best peer, nginx first (at most 0.50: reached)"), "{text}");
        assert!(
            text.contains(
                "sluice first: p99 1.12 × that of the best peer, nginx first (at most 1.00: missed)"
            ),
            "{text}"
        );
    }

    #[test]
    fn every_contender_has_its_bar() {
        let text = svg(&[contest(), contest()]);
        assert_eq!(text.matches("<rect").count(), 9);
        assert!(text.ends_with("</svg>\n"));
    }
}
