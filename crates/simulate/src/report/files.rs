//! The results for other programs: CSV and JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{Comparison, Measure, Row};

impl Comparison {
    /// A line for each policy: each measure's mean, and within how much of it the true mean lies with 95 % confidence
    /// (empty with one seed). Latencies are in seconds, shares from 0 to 1.
    pub fn csv(&self) -> String {
        let mut text = "policy,seeds".to_owned();
        for measure in Measure::ALL {
            let _ = write!(text, ",{0},{0}_within", measure.name());
        }
        text.push('\n');
        for row in &self.rows {
            let _ = write!(text, "{},{}", quoted(&row.policy), row.runs.len());
            for measure in Measure::ALL {
                let estimate = row.estimate(measure);
                let within = estimate.within.map_or(String::new(), |w| w.to_string());
                let _ = write!(text, ",{},{within}", estimate.mean);
            }
            text.push('\n');
        }
        text
    }

    /// The same as an object, with the figures of every run.
    pub fn json(&self) -> String {
        let policies: Vec<Value> = self.rows.iter().map(|row| self.row_json(row)).collect();
        let whole = json!({
            "scenario": self.description,
            "simulated_requests": self.simulated,
            "policies": policies,
        });
        let mut text = format!("{whole:#}");
        text.push('\n');
        text
    }

    fn row_json(&self, row: &Row) -> Value {
        let estimates: Map<String, Value> = Measure::ALL
            .iter()
            .map(|&measure| {
                let estimate = row.estimate(measure);
                let value = json!({ "mean": estimate.mean, "within": estimate.within });
                (measure.name().to_owned(), value)
            })
            .collect();
        let runs: Vec<Value> = self
            .seeds
            .iter()
            .zip(&row.runs)
            .map(|(seed, run)| {
                let mut values: Map<String, Value> = Measure::ALL
                    .iter()
                    .map(|&measure| (measure.name().to_owned(), json!(run.get(measure))))
                    .collect();
                values.insert("seed".to_owned(), json!(seed));
                Value::Object(values)
            })
            .collect();
        let groups: Vec<Value> = (0..self.groups.len())
            .map(|group| {
                json!({
                    "name": self.groups[group],
                    "share": row.group_share(group).mean,
                    "utilization": row.group_utilization(group).mean,
                })
            })
            .collect();
        json!({ "policy": row.policy, "estimates": estimates, "groups": groups, "runs": runs })
    }
}

/// RFC 4180 §2: what holds a comma, a quote or a line end stands in quotes.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
