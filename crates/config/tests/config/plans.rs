//! What right files mean: each file of `good/` with its plan as a snapshot.

use std::fmt::Write as _;

use crate::world::{World, files};
use sluice_config::load;
use sluice_config::plan::{Plan, Protocol};
use sluice_route::{Conditions, Router};

#[test]
fn good_files() {
    for source in files("good") {
        let loaded = load(&source, &World).unwrap_or_else(|report| panic!("{report}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        let shown = shown(loaded.plan);
        assert!(
            !shown.contains("hunter2"),
            "a secret is shown in {}",
            source.name
        );
        insta::with_settings!({
            snapshot_path => "../good",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(source.name.trim_end_matches(".toml"), shown);
        });
    }
}

/// The plan, with the rules of its routers as they were written instead of as they were compiled.
fn shown(mut plan: Plan) -> String {
    let mut rules = String::new();
    for listener in &mut plan.listeners {
        let Protocol::Http(http) = &mut listener.protocol else {
            continue;
        };
        writeln!(rules, "rules of {}:", listener.name).expect("a string takes everything");
        for (conditions, route) in http.router.rules().iter().zip(&http.routes) {
            let name = &plan.routes[route.0].name;
            writeln!(rules, "  {name}: {}", rule(conditions)).expect("a string takes everything");
        }
        http.router = Router::default();
    }
    format!("{plan:#?}\n{rules}")
}

fn rule(conditions: &Conditions) -> String {
    let mut parts: Vec<String> = conditions
        .hosts
        .iter()
        .map(|host| format!("host {host}"))
        .collect();
    parts.extend(conditions.path.iter().map(|path| format!("path {path}")));
    parts.extend(
        conditions
            .methods
            .iter()
            .map(|method| format!("method {method}")),
    );
    parts.extend(
        conditions
            .fields
            .iter()
            .map(|field| format!("{}: {}", field.name(), field.value())),
    );
    if parts.is_empty() {
        return "everything".to_owned();
    }
    parts.join(", ")
}
