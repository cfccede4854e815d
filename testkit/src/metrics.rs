//! Prometheus' text format, read back.

use std::collections::BTreeMap;

/// All samples of one scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// In the order of the page.
    pub samples: Vec<Sample>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// With its suffix, such as `_bucket`.
    pub name: String,
    /// By name.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Metrics {
    /// Parses a page. Panics at the first line that is not in the format.
    pub fn parse(page: &str) -> Self {
        let lines = page
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let sample = |line| Sample::parse(line).unwrap_or_else(|| panic!("not a sample: {line:?}"));
        Self {
            samples: lines.map(sample).collect(),
        }
    }

    /// The sum of every sample with this name and at least these labels; 0 when there is none, as an untouched counter.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let values = self.matching(name, labels).map(|sample| sample.value);
        // The sum of nothing is -0.
        values.sum::<f64>() + 0.0
    }

    /// [`Self::sum`] of what is counted in whole numbers; panics where it is none.
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        let sum = self.sum(name, labels);
        format!("{sum:.0}")
            .parse()
            .ok()
            .filter(|count: &usize| (sum - *count as f64).abs() < f64::EPSILON)
            .unwrap_or_else(|| panic!("{name}{labels:?} is {sum}"))
    }

    /// The value of the only sample with this name and at least these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut matching = self.matching(name, labels);
        let value = matching.next()?.value;
        assert!(
            matching.next().is_none(),
            "several samples of {name}{labels:?}"
        );
        Some(value)
    }

    fn matching<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            let has = |(label, value): &(&str, &str)| {
                sample
                    .labels
                    .get(*label)
                    .is_some_and(|found| found == value)
            };
            sample.name == name && labels.iter().all(has)
        })
    }
}

impl Sample {
    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.split_at(line.find(['{', ' '])?);
        let mut labels = BTreeMap::new();
        let mut rest = rest;
        if let Some(inside) = rest.strip_prefix('{') {
            rest = inside;
            while !rest.starts_with('}') {
                let (label, after) = rest.split_once("=\"")?;
                let (value, after) = quoted(after)?;
                labels.insert(label.to_owned(), value);
                rest = after.strip_prefix(',').unwrap_or(after);
            }
            rest = &rest[1..];
        }
        let value = match rest.trim() {
            "+Inf" => f64::INFINITY,
            number => number.parse().ok()?,
        };
        Some(Self {
            name: name.to_owned(),
            labels,
            value,
        })
    }
}

/// The text up to the closing quote, unescaped, and what follows the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let page = "# HELP a b\n# TYPE a counter\na{x=\"1\",y=\"q\\\"}\\n\"} 2\na{x=\"2\"} 3.5\n\nb 1e3\nc{le=\"+Inf\"} +Inf\n";
        let metrics = Metrics::parse(page);
        assert!((metrics.sum("a", &[]) - 5.5).abs() < 1e-9);
        assert_eq!(metrics.count("a", &[("x", "1")]), 2);
        assert_eq!(metrics.value("a", &[("x", "1")]), Some(2.0));
        assert_eq!(metrics.value("a", &[("y", "q\"}\n")]), Some(2.0));
        assert_eq!(metrics.value("b", &[]), Some(1000.0));
        assert_eq!(metrics.value("c", &[("le", "+Inf")]), Some(f64::INFINITY));
        assert_eq!(metrics.value("absent", &[]), None);
    }

    #[test]
    #[should_panic(expected = "not a sample")]
    fn a_broken_line_is_noticed() {
        Metrics::parse("a{x=\"1} 2");
    }
}
