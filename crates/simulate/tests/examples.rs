//! Every scenario in `examples/simulate/`, and every one on the page about it, runs.

use std::path::{Path, PathBuf};

use sluice_simulate::Scenario;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn runs(name: &str, mut scenario: Scenario) {
    // Of a million pairs of server and balancer one policy will do.
    let (seeds, requests) = if scenario.servers() > 1_000 {
        let policy = scenario.policies()[0].name.clone();
        scenario.set_policies(&[policy]).expect("a policy");
        (1, 500)
    } else {
        (2, 2_000)
    };
    scenario.set_seeds(None, Some(seeds));
    scenario.shorten(requests);
    let comparison = sluice_simulate::run(&scenario, 1, &|_| ());
    assert_eq!(comparison.rows.len(), scenario.policies().len(), "{name}");
    for row in &comparison.rows {
        let (p50, p999) = (row.p50().mean, row.p999().mean);
        assert!(0.0 < p50 && p50 <= p999, "{name}, {}", row.policy);
        assert!(row.errors().mean < 0.9, "{name}, {}", row.policy);
    }
}

#[test]
fn examples_run() {
    let folder = root().join("examples/simulate");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(
            text.starts_with("# ") && text.contains("# To see: "),
            "{name}"
        );
        let scenario = Scenario::load(&path).unwrap_or_else(|error| panic!("{error}"));
        runs(&name, scenario);
        count += 1;
    }
    assert!(count >= 10, "only {count} examples");
}

#[test]
fn scenarios_on_the_page_run() {
    let page = std::fs::read_to_string(root().join("docs/simulate.md")).expect("the page");
    let blocks: Vec<&str> = page
        .split("```toml scenario\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block)
        .collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let scenario = Scenario::parse("docs/simulate.md", block, Path::new(""));
        runs(
            "docs/simulate.md",
            scenario.unwrap_or_else(|error| panic!("{error}")),
        );
    }
}
