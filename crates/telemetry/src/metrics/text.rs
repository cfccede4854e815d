//! The Prometheus text format, version 0.0.4.

use std::fmt::{Display, Write};

use super::catalogue::{Family, Kind};
use super::histogram::HistogramTotal;

/// Writes families and their samples into a text.
pub(crate) struct Exposition<'a> {
    out: &'a mut String,
}

impl<'a> Exposition<'a> {
    pub(crate) fn new(out: &'a mut String) -> Self {
        Self { out }
    }

    /// Writes the family's head and gives what its samples are written with.
    pub(crate) fn family(&mut self, family: &'static Family) -> Samples<'_> {
        self.out.push_str("# HELP ");
        self.out.push_str(family.name);
        self.out.push(' ');
        self.out.push_str(family.help);
        self.out.push_str("\n# TYPE ");
        self.out.push_str(family.name);
        self.out.push(' ');
        self.out.push_str(family.kind.as_str());
        self.out.push('\n');
        Samples {
            out: self.out,
            family,
        }
    }
}

/// Writes the samples of one family.
pub(crate) struct Samples<'a> {
    out: &'a mut String,
    family: &'static Family,
}

impl Samples<'_> {
    /// One sample; `values` are those of the family's labels, in order.
    pub(crate) fn sample(&mut self, values: &[&str], value: impl Display) {
        debug_assert_ne!(self.family.kind, Kind::Histogram);
        self.name_and_labels("", values, None);
        self.value(value);
    }

    /// The samples of one histogram.
    pub(crate) fn histogram(&mut self, values: &[&str], total: &HistogramTotal) {
        debug_assert_eq!(self.family.kind, Kind::Histogram);
        let mut count = 0;
        for (bound, cumulative) in total.cumulative() {
            self.name_and_labels("_bucket", values, Some(bound));
            self.value(cumulative);
            count = cumulative;
        }
        self.name_and_labels("_sum", values, None);
        self.value(total.sum_seconds());
        self.name_and_labels("_count", values, None);
        self.value(count);
    }

    fn name_and_labels(&mut self, suffix: &str, values: &[&str], bound: Option<f64>) {
        debug_assert_eq!(
            self.family.labels.len(),
            values.len(),
            "{}",
            self.family.name
        );
        self.out.push_str(self.family.name);
        self.out.push_str(suffix);
        let mut opening = '{';
        for (label, value) in self.family.labels.iter().zip(values) {
            self.out.push(opening);
            self.out.push_str(label);
            self.out.push_str("=\"");
            escape_label_value(self.out, value);
            self.out.push('"');
            opening = ',';
        }
        if let Some(bound) = bound {
            self.out.push(opening);
            if bound.is_infinite() {
                self.out.push_str("le=\"+Inf\"");
            } else {
                self.write(format_args!("le=\"{bound}\""));
            }
            opening = ',';
        }
        if opening == ',' {
            self.out.push('}');
        }
    }

    fn value(&mut self, value: impl Display) {
        self.write(format_args!(" {value}\n"));
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing into a String does not fail.
        let _ = self.out.write_fmt(arguments);
    }
}

fn escape_label_value(out: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}
