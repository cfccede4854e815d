//! The order of policies, and the gaps between them, in a cluster after that of "Load is not what you should balance: Introducing
//! Prequal" (NSDI 2024): a hundred balancers before a hundred servers, half of which share their machine with something
//! that comes and goes.

use std::path::PathBuf;

use sluice_simulate::{Comparison, Scenario};

const TURNS: &str = "weighted-round-robin";
const LEAST_LOADED: &str = "least-connections";
const C3: &str = "c3";
const PREQUAL: &str = "prequal probes=asked";

fn table(utilization: u32) -> Comparison {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!(
        "../../examples/simulate/prequal-table-{utilization}.toml"
    ));
    let mut scenario = Scenario::load(&path).unwrap_or_else(|error| panic!("{error}"));
    let policies = [TURNS, LEAST_LOADED, C3, PREQUAL].map(str::to_owned);
    scenario.set_policies(&policies).expect("policies");
    scenario.set_seeds(None, Some(2));
    scenario.shorten(100_000);
    sluice_simulate::run(&scenario, 2, &|_| ())
}

/// How many times as long p99 is under `slow` as under `fast`.
fn gap(table: &Comparison, slow: &str, fast: &str) -> f64 {
    let p99 = |policy| table.row(policy).expect("a row").p99().mean;
    p99(slow) / p99(fast)
}

#[test]
fn at_70_percent() {
    let table = table(70);
    let shown = table.table();
    assert!(gap(&table, TURNS, LEAST_LOADED) > 1.05, "{shown}");
    assert!(gap(&table, LEAST_LOADED, C3) > 2.0, "{shown}");
    assert!(gap(&table, LEAST_LOADED, PREQUAL) > 2.0, "{shown}");
    // Both leave the servers with antagonists alone, and with room to spare neither is far ahead.
    assert!((0.8..1.4).contains(&gap(&table, C3, PREQUAL)), "{shown}");
}

#[test]
fn at_90_percent() {
    let table = table(90);
    let shown = table.table();
    assert!(gap(&table, TURNS, LEAST_LOADED) > 1.4, "{shown}");
    assert!(gap(&table, LEAST_LOADED, C3) > 2.0, "{shown}");
    assert!(gap(&table, C3, PREQUAL) > 1.1, "{shown}");
    assert!(gap(&table, TURNS, PREQUAL) > 5.0, "{shown}");
}
