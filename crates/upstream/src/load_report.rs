//! What a server's answer says of its load: the field of Open Request Cost Aggregation (ORCA) in its text and JSON form, or a
//! single number.

use serde::Deserialize;
use sluice_balance::Report;
use sluice_config::plan::LoadReport;

/// Reads the value of the field that `form` names; `None` where it says nothing that is understood.
pub fn read_load_report(form: &LoadReport, value: &[u8]) -> Option<Report> {
    let text = std::str::from_utf8(value).ok()?.trim();
    match form {
        LoadReport::Field(_) => Some(Report {
            utilization: Some(share(text)?),
            in_flight: None,
        }),
        LoadReport::Orca => match text.split_once(' ')? {
            ("TEXT", pairs) => Orca::from_pairs(pairs).report(),
            ("JSON", object) => serde_json::from_str::<Orca>(object).ok()?.report(),
            _ => None,
        },
    }
}

/// The parts of an ORCA report that matter here.
#[derive(Debug, Default, Deserialize)]
struct Orca {
    application_utilization: Option<f32>,
    cpu_utilization: Option<f32>,
    #[serde(default)]
    named_metrics: Named,
}

#[derive(Debug, Default, Deserialize)]
struct Named {
    in_flight: Option<f32>,
}

impl Orca {
    /// `cpu_utilization=0.3, named_metrics.in_flight=12`
    fn from_pairs(pairs: &str) -> Self {
        let mut orca = Self::default();
        for pair in pairs.split(',') {
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let value = value.trim().parse().ok();
            match name.trim() {
                "application_utilization" => orca.application_utilization = value,
                "cpu_utilization" => orca.cpu_utilization = value,
                "named_metrics.in_flight" => orca.named_metrics.in_flight = value,
                _ => {}
            }
        }
        orca
    }

    /// What the application says counts before what its processor says.
    fn report(&self) -> Option<Report> {
        let known = |value: Option<f32>| value.filter(|value| value.is_finite() && *value >= 0.0);
        let positive = known(self.application_utilization).filter(|share| *share > 0.0);
        let report = Report {
            utilization: positive.or_else(|| known(self.cpu_utilization)),
            in_flight: known(self.named_metrics.in_flight),
        };
        (report != Report::default()).then_some(report)
    }
}

/// `0.75` or `75%`
fn share(text: &str) -> Option<f32> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim_end().parse::<f32>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (share.is_finite() && share >= 0.0).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(form: &LoadReport, value: &str, utilization: Option<f32>, in_flight: Option<f32>) {
        let report = Report {
            utilization,
            in_flight,
        };
        let read = read_load_report(form, value.as_bytes());
        assert_eq!(read.unwrap_or_default(), report, "{value}");
    }

    #[test]
    fn a_number() {
        let form = LoadReport::Field("x-load".into());
        says(&form, "0.75", Some(0.75), None);
        says(&form, " 75% ", Some(0.75), None);
        says(&form, "1.5", Some(1.5), None);
        for nothing in ["", "-1", "NaN", "inf", "high", "0,5", "%"] {
            says(&form, nothing, None, None);
        }
        assert_eq!(read_load_report(&form, b"\xff"), None);
    }

    #[test]
    fn orca_as_text() {
        let form = LoadReport::Orca;
        says(
            &form,
            "TEXT cpu_utilization=0.3, mem_utilization=0.8",
            Some(0.3),
            None,
        );
        says(
            &form,
            "TEXT application_utilization=0.6,cpu_utilization=0.3,named_metrics.in_flight=12",
            Some(0.6),
            Some(12.0),
        );
        says(
            &form,
            "TEXT application_utilization=0,cpu_utilization=0.3",
            Some(0.3),
            None,
        );
        for nothing in [
            "",
            "TEXT",
            "TEXT ",
            "TEXT cpu_utilization",
            "cpu_utilization=0.3",
            "BIN CgA=",
        ] {
            says(&form, nothing, None, None);
        }
    }

    #[test]
    fn orca_as_json() {
        let form = LoadReport::Orca;
        says(
            &form,
            r#"JSON {"cpu_utilization": 0.3, "mem_utilization": 0.8, "named_metrics": {"in_flight": 12, "x": 1}}"#,
            Some(0.3),
            Some(12.0),
        );
        for nothing in [
            "JSON",
            "JSON {}",
            "JSON []",
            "JSON {\"cpu_utilization\": \"a\"}",
            "JSON {",
        ] {
            says(&form, nothing, None, None);
        }
    }
}
