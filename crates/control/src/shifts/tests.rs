use std::path::Path;

use sluice_config::{Source, Surroundings, load};

use super::*;

struct Nothing;

impl Surroundings for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn secret(&self, _path: &Path) -> Result<String, String> {
        Err("there are no files".to_owned())
    }
}

fn plan(weights: [u32; 2]) -> Plan {
    let [one, two] = weights;
    let text = format!(
        "[listeners.web]\naddress = ':8080'\n[[routes]]\nname = 'canary'\n\
         split = [{{ upstream = 'v1', weight = {one} }}, {{ upstream = 'v2', weight = {two} }}]\n\
         [upstreams.v1]\nservers = ['127.0.0.1:9001']\n[upstreams.v2]\nservers = ['127.0.0.1:9002']\n"
    );
    let name = "test".to_owned();
    let loaded = load(&Source { name, text }, &Nothing);
    loaded.unwrap_or_else(|report| panic!("{report:?}")).plan
}

fn shifts(weights: [u32; 2]) -> (Arc<Shifts>, Arc<Registry>) {
    let registry = Arc::new(Registry::new("test"));
    let shifts = Arc::new(Shifts::new(&registry));
    apply(&shifts, weights);
    (shifts, registry)
}

fn apply(shifts: &Shifts, weights: [u32; 2]) {
    let splits = shifts.splits_of(&plan(weights));
    shifts.replace(splits);
}

fn now(shifts: &Shifts) -> Vec<u32> {
    let state = shifts.get("canary").expect("a split");
    state.sides.iter().map(|side| side.weight).collect()
}

fn at_once(to: &str) -> Wanted {
    Wanted {
        to: to.to_owned(),
        ..Wanted::default()
    }
}

fn stepwise(abort_if: &[&str]) -> Wanted {
    Wanted {
        step: Some("30%".to_owned()),
        every: Some("10s".to_owned()),
        abort_if: abort_if.iter().map(|text| (*text).to_owned()).collect(),
        min_requests: Some(10),
        ..at_once("v2")
    }
}

/// In virtual time: nothing waits but for what the test does.
fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(test)
}

async fn seconds(count: u64) {
    tokio::time::sleep(std::time::Duration::from_secs(count)).await;
}

/// The sides have had so many requests more, and failed so many of them.
fn requests(registry: &Registry, canary: [u64; 2], baseline: [u64; 2]) {
    for (name, [ended, failures]) in [("v2", canary), ("v1", baseline)] {
        let side = registry.side(0, "canary", name);
        side.ended.add(ended);
        side.failures.add(failures);
    }
}

fn last(shifts: &Shifts) -> (Option<ShiftEnd>, String) {
    let shift = shifts.get("canary").expect("a split").shift;
    let shift = shift.expect("there was one");
    (shift.ended, shift.says)
}

#[test]
fn all_at_once_and_back() {
    let (shifts, registry) = shifts([90, 10]);
    let state = shifts.begin("canary", &at_once("v2")).expect("right");
    assert_eq!(now(&shifts), [0, 1]);
    assert_eq!(
        state.shift.and_then(|shift| shift.ended),
        Some(ShiftEnd::Completed)
    );
    let again = shifts.begin("canary", &at_once("v2"));
    assert_eq!(again, Err(ShiftError::HasAll("v2".to_owned())));
    shifts.back("canary").expect("right");
    assert_eq!(now(&shifts), [90, 10]);
    let mut text = String::new();
    registry.render(&mut text);
    let share = "sluice_split_share_ratio{route=\"canary\",upstream=\"v2\"} 0.1\n";
    assert!(text.contains(share), "{text}");
    let ended = "sluice_split_shifts_total{route=\"canary\",end=\"completed\"} 1\n";
    assert!(text.contains(ended), "{text}");
}

#[test]
fn what_is_told_of_wrong_names() {
    let (shifts, _registry) = shifts([1, 1]);
    let wrong = |route: &str, to: &str| {
        let error = shifts.begin(route, &at_once(to)).expect_err("wrong");
        error.to_string()
    };
    assert_eq!(
        wrong("canari", "v2"),
        "there is no route `canari` with a split; there are: canary"
    );
    assert_eq!(
        wrong("canary", "v3"),
        "the split of route `canary` has no side `v3`; it has: v1, v2"
    );
    let none = Shifts::default().back("canary").expect_err("wrong");
    assert_eq!(
        none.to_string(),
        "there is no route `canary` with a split, nor any other"
    );
    let idle = shifts.stop("canary").expect_err("none runs");
    assert_eq!(idle, ShiftError::NotUnderWay("canary".to_owned()));
}

#[test]
fn what_was_set_stays_while_the_file_says_the_same() {
    let (shifts, _registry) = shifts([90, 10]);
    shifts.begin("canary", &at_once("v2")).expect("right");
    apply(&shifts, [90, 10]);
    assert_eq!(now(&shifts), [0, 1]);
    assert!(shifts.get("canary").expect("a split").shift.is_some());
    apply(&shifts, [50, 50]);
    assert_eq!(now(&shifts), [50, 50]);
    assert_eq!(shifts.get("canary").expect("a split").shift, None);
    let splits = Splits::default();
    shifts.replace(splits);
    assert_eq!(shifts.all(), []);
}

#[test]
fn a_good_side_gets_more_step_by_step_until_it_has_all() {
    run(async {
        let (shifts, registry) = shifts([90, 10]);
        let wanted = stepwise(&["error-rate > 1%", "error-rate > baseline + 1%"]);
        shifts.begin("canary", &wanted).expect("right");
        let other = shifts.begin("canary", &at_once("v1"));
        assert_eq!(other, Err(ShiftError::UnderWay("canary".to_owned())));
        for share in [40, 70, 100] {
            seconds(1).await;
            let state = shifts.get("canary").expect("a split");
            assert!(
                (state.sides[1].share * 100.0 - f64::from(share)).abs() < 1e-9,
                "{state:?}"
            );
            // With too few requests it does not go on, however long that takes.
            requests(&registry, [9, 0], [100, 0]);
            seconds(100).await;
            assert_eq!(shifts.get("canary").expect("a split").sides, state.sides);
            let (ended, says) = last(&shifts);
            assert_eq!(ended, None);
            let expected = format!("at {share}%, 9 of the 10 requests that a step takes");
            assert_eq!(says, expected);
            requests(&registry, [1, 0], [0, 0]);
            seconds(2).await;
        }
        let end = (Some(ShiftEnd::Completed), "it has all requests".to_owned());
        assert_eq!(last(&shifts), end);
        assert_eq!(now(&shifts), [0, 1]);
    });
}

#[test]
fn a_bad_side_goes_back_and_says_why() {
    run(async {
        let (shifts, registry) = shifts([90, 10]);
        shifts
            .begin("canary", &stepwise(&["error-rate > 1%"]))
            .expect("right");
        seconds(1).await;
        requests(&registry, [100, 1], [100, 0]);
        seconds(11).await;
        assert_eq!(last(&shifts).0, None, "it is at the bound");
        requests(&registry, [50, 25], [200, 1]);
        seconds(2).await;
        let says = "at 70%, error-rate > 1%: it was 50.0% over 50 requests, of the others 0.5%";
        assert_eq!(last(&shifts), (Some(ShiftEnd::WentBack), says.to_owned()));
        assert_eq!(now(&shifts), [90, 10]);
        // It has ended: nothing comes after it.
        seconds(100).await;
        assert_eq!(now(&shifts), [90, 10]);
    });
}

#[test]
fn what_is_bad_for_all_is_no_reason_where_they_are_compared() {
    run(async {
        let (shifts, registry) = shifts([90, 10]);
        shifts
            .begin("canary", &stepwise(&["error-rate > baseline + 5%"]))
            .expect("right");
        seconds(1).await;
        requests(&registry, [100, 50], [100, 48]);
        seconds(10).await;
        assert_eq!(last(&shifts).0, None);
        requests(&registry, [100, 50], [100, 2]);
        seconds(2).await;
        assert_eq!(last(&shifts).0, Some(ShiftEnd::WentBack));
    });
}

#[test]
fn it_can_be_stopped_taken_back_and_overtaken_by_a_reload() {
    run(async {
        let (shifts, _registry) = shifts([90, 10]);
        let wanted = stepwise(&[]);
        shifts.begin("canary", &wanted).expect("right");
        seconds(1).await;
        let half = now(&shifts);
        shifts.stop("canary").expect("it runs");
        seconds(100).await;
        assert_eq!(now(&shifts), half);
        assert_eq!(
            last(&shifts),
            (Some(ShiftEnd::Stopped), "stopped by hand".to_owned())
        );
        shifts.begin("canary", &wanted).expect("none runs");
        seconds(1).await;
        assert_ne!(now(&shifts), half);
        shifts.back("canary").expect("right");
        seconds(100).await;
        assert_eq!(now(&shifts), half, "as it was before the last shift");
        shifts.begin("canary", &wanted).expect("none runs");
        apply(&shifts, [1, 1]);
        seconds(100).await;
        assert_eq!(now(&shifts), [1, 1]);
        // Without anything to watch, the last step is the end.
        shifts.begin("canary", &wanted).expect("none runs");
        seconds(11).await;
        assert_eq!(last(&shifts).0, Some(ShiftEnd::Completed));
        assert_eq!(now(&shifts), [0, 1]);
    });
}
