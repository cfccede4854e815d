//! `sluice shift`: which share the sides of a route's split get, told to a running sluice by its admin address.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;

use crate::USAGE;
use crate::admin_client::{AdminClient, encoded, read};
use crate::command_line::ShiftArguments;

pub(crate) fn shift(arguments: &ShiftArguments) -> ExitCode {
    let answer = match (&arguments.route, asked(arguments)) {
        (None, Some(_)) => {
            eprintln!(
                "error: which route is meant is missing\nhelp: `sluice shift ROUTE …`; `sluice shift` says which there are"
            );
            return ExitCode::from(USAGE);
        }
        (None, None) => client(arguments).and_then(|admin| Split::all(&admin)),
        (Some(route), asked) => {
            let path = format!("{PATH}/{}", encoded(route));
            let body = client(arguments).and_then(|admin| match asked {
                Some(asked) => admin.put(&path, &asked.to_string()),
                None => admin.get(&path),
            });
            let split = body.and_then(|body| read::<Split>(&body));
            split.map(|split| vec![split])
        }
    };
    match answer {
        Ok(splits) if splits.is_empty() => {
            println!("no route has a split");
            ExitCode::SUCCESS
        }
        Ok(splits) => {
            let texts: Vec<_> = splits.iter().map(described).collect();
            print!("{}", texts.join("\n"));
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}

fn client(arguments: &ShiftArguments) -> Result<AdminClient, ExitCode> {
    AdminClient::of(&arguments.admin)
}

/// What is to be done; `None` where it is only asked how things are.
fn asked(arguments: &ShiftArguments) -> Option<serde_json::Value> {
    if arguments.stop {
        return Some(json!("stop"));
    }
    if arguments.back {
        return Some(json!("back"));
    }
    let to = arguments.to.as_ref()?;
    Some(json!({
        "to": to,
        "step": arguments.step,
        "every": arguments.every,
        "abort-if": arguments.abort_if,
        "min-requests": arguments.min_requests,
    }))
}

fn described(split: &Split) -> String {
    let mut text = format!("route     {}\n", split.route);
    // Writing to a text cannot fail.
    for side in &split.sides {
        let by_hand = if side.weight == side.weight_of_file {
            String::new()
        } else {
            format!("; {} in the file", side.weight_of_file)
        };
        let _ = writeln!(
            text,
            "side      {} {:.1}% (weight {}{by_hand})",
            side.upstream,
            side.share * 100.0,
            side.weight
        );
    }
    if let Some(shift) = &split.shift {
        let steps = shift.steps.as_ref();
        let steps = steps.map_or_else(String::new, |steps| format!(" {steps}"));
        let _ = writeln!(
            text,
            "shift     to {}{steps}: {}, {}",
            shift.to, shift.state, shift.says
        );
        for condition in &shift.abort_if {
            let _ = writeln!(text, "abort-if  {condition}");
        }
    }
    text
}

/// Where they are told of.
pub(crate) const PATH: &str = "/api/shifts";

#[derive(Deserialize)]
struct Told {
    routes: Vec<Split>,
}

/// A split of a running sluice.
#[derive(Deserialize)]
pub(crate) struct Split {
    pub(crate) route: String,
    sides: Vec<Side>,
    pub(crate) shift: Option<Shift>,
}

impl Split {
    /// All of them; what went wrong is told.
    pub(crate) fn all(admin: &AdminClient) -> Result<Vec<Self>, ExitCode> {
        let body = admin.get(PATH)?;
        read::<Told>(&body).map(|told| told.routes)
    }

    /// Whether it is that of this route.
    pub(crate) fn is_of(&self, route: &str) -> bool {
        self.route == route
    }

    /// The weight of a side now; 0 where it has no such side.
    pub(crate) fn weight(&self, upstream: &str) -> u32 {
        let side = self.sides.iter().find(|side| side.upstream == upstream);
        side.map_or(0, |side| side.weight)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Side {
    upstream: String,
    weight: u32,
    weight_of_file: u32,
    share: f64,
}

/// What shifts it, or has.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Shift {
    pub(crate) to: String,
    /// `running`, or how it ended.
    pub(crate) state: String,
    pub(crate) says: String,
    steps: Option<String>,
    abort_if: Vec<String>,
}
