//! The plot: percentiles of latency by policy on a logarithmic scale, a row for each policy.

use std::fmt::Write as _;

use super::{Comparison, Estimate, Measure, Row, table};

impl Comparison {
    /// The plot as an SVG document. Whiskers are confidence intervals.
    pub fn svg(&self) -> String {
        let scale = Scale::over(&self.rows);
        let labels = self.rows.iter().map(|row| row.policy.chars().count());
        // Letters of 13 px are 7.3 px wide, about.
        let left = 40.0 + 7.3 * labels.max().unwrap_or(0) as f64;
        let height = TOP + ROW * self.rows.len() as f64 + BOTTOM;
        let width = left + WIDTH + 90.0;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
             <title>Latency by policy</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <text x=\"20\" y=\"26\" font-size=\"15\" fill=\"#1f2328\">Latency by policy</text>\n\
             <text x=\"20\" y=\"46\" font-size=\"12\" fill=\"#59636e\">{}</text>\n",
            escaped(&self.description)
        );
        legend(&mut text);
        grid(&mut text, &scale, left, height);
        for (index, row) in self.rows.iter().enumerate() {
            let y = TOP + ROW * (index as f64 + 0.5);
            self::row(&mut text, row, &scale, left, y);
        }
        text.push_str("</svg>\n");
        text
    }
}

/// In pixels.
const TOP: f64 = 96.0;
const BOTTOM: f64 = 40.0;
const ROW: f64 = 34.0;
const WIDTH: f64 = 620.0;

/// Of the percentiles, from blue to red; told apart by those who see no colours too, as they grow darker.
const COLOURS: [&str; 4] = ["#79c0ff", "#2f81f7", "#d97706", "#b91c1c"];

/// A logarithmic axis.
struct Scale {
    /// Logarithms of seconds.
    least: f64,
    most: f64,
}

impl Scale {
    fn over(rows: &[Row]) -> Self {
        let latencies = || {
            rows.iter()
                .flat_map(|row| Measure::PERCENTILES.map(|measure| row.estimate(measure).mean))
                .filter(|latency| *latency > 0.0)
        };
        let least = latencies().fold(f64::INFINITY, f64::min);
        let most = latencies().fold(0.0, f64::max);
        if !least.is_finite() {
            return Self {
                least: -3.0,
                most: 0.0,
            };
        }
        Self {
            least: (least * 0.85).log10(),
            most: (most * 1.25).log10(),
        }
    }

    /// Pixels from the axis' beginning.
    fn place(&self, seconds: f64) -> f64 {
        let share = (seconds.max(1e-12).log10() - self.least) / (self.most - self.least);
        WIDTH * share.clamp(0.0, 1.0)
    }

    /// 1, 2 and 5 of each power of ten that is in sight.
    fn ticks(&self) -> impl Iterator<Item = f64> + '_ {
        (-10_i32..6)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
            .filter(|tick| (self.least..=self.most).contains(&tick.log10()))
    }
}

fn legend(text: &mut String) {
    for (index, (measure, colour)) in Measure::PERCENTILES.iter().zip(COLOURS).enumerate() {
        let x = 26.0 + 80.0 * index as f64;
        let _ = writeln!(
            text,
            "<circle cx=\"{x:.1}\" cy=\"66\" r=\"5\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"70.5\" fill=\"#1f2328\">{}</text>",
            x + 10.0,
            measure.title()
        );
    }
}

fn grid(text: &mut String, scale: &Scale, left: f64, height: f64) {
    for tick in scale.ticks() {
        let x = left + scale.place(tick);
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#d1d9e0\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\" fill=\"#59636e\">{}</text>",
            height - BOTTOM,
            height - BOTTOM + 18.0,
            round(tick)
        );
    }
}

fn row(text: &mut String, row: &Row, scale: &Scale, left: f64, y: f64) {
    let _ = writeln!(
        text,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#1f2328\">{}</text>",
        left - 14.0,
        y + 4.5,
        escaped(&row.policy)
    );
    let places = Measure::PERCENTILES.map(|measure| row.estimate(measure));
    let [first, .., last] = places.map(|estimate| left + scale.place(estimate.mean));
    let _ = writeln!(
        text,
        "<line x1=\"{first:.1}\" y1=\"{y:.1}\" x2=\"{last:.1}\" y2=\"{y:.1}\" stroke=\"#8c959f\" stroke-width=\"2\"/>"
    );
    for (estimate, colour) in places.into_iter().zip(COLOURS) {
        mark(text, estimate, colour, scale, left, y);
    }
    let _ = writeln!(
        text,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" fill=\"#59636e\">{}</text>",
        last + 12.0,
        y + 4.0,
        table::latency(Estimate {
            within: None,
            ..places[3]
        })
    );
}

/// A percentile with its confidence interval.
fn mark(text: &mut String, estimate: Estimate, colour: &str, scale: &Scale, left: f64, y: f64) {
    let x = |seconds| left + scale.place(seconds);
    if let Some(within) = estimate.within {
        let (low, high) = (x(estimate.mean - within), x(estimate.mean + within));
        let (top, bottom) = (y - 8.0, y + 8.0);
        let _ = writeln!(
            text,
            "<path d=\"M{low:.1} {top:.1}V{bottom:.1}M{low:.1} {y:.1}H{high:.1}M{high:.1} {top:.1}V{bottom:.1}\" \
             stroke=\"{colour}\" fill=\"none\"/>"
        );
    }
    let _ = writeln!(
        text,
        "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>",
        x(estimate.mean)
    );
}

/// A round number of seconds in its unit.
fn round(seconds: f64) -> String {
    let (scale, unit) = match seconds {
        seconds if seconds < 0.999e-6 => (1e9, "ns"),
        seconds if seconds < 0.999e-3 => (1e6, "µs"),
        seconds if seconds < 0.999 => (1e3, "ms"),
        _ => (1.0, "s"),
    };
    format!("{:.0} {unit}", seconds * scale)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Scenario, run};

    #[test]
    fn a_plot_has_a_mark_for_each_percentile_and_escapes_names() {
        let text = "policies = [{ policy = 'random', name = 'a<b&c' }, 'maglev']\nrequests = 500\nseeds = 2\n\
             arrivals.utilization = '50%'\nservers = [{ count = 3, service.exponential = '1ms' }]";
        let scenario = Scenario::parse("a", text, Path::new("")).expect("a good scenario");
        let svg = run(&scenario, 1, &|_| ()).svg();
        // The legend's four, and four for each policy.
        assert_eq!(svg.matches("<circle ").count(), 12);
        assert_eq!(svg.matches("<path ").count(), 8);
        assert!(svg.contains(">a&lt;b&amp;c</text>"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
