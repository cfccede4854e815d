//! Conditions on values of a JSON text.

use serde_json::Value;
use sluice_config::plan::{JsonCondition, JsonTest};

use super::http::excerpt;

/// Whether all conditions hold; where one does not, why.
pub(super) fn check(conditions: &[JsonCondition], body: &[u8]) -> Result<(), String> {
    if conditions.is_empty() {
        return Ok(());
    }
    let document: Value = serde_json::from_slice(body)
        .map_err(|error| format!("no JSON: {error}, in {}", excerpt(body)))?;
    conditions
        .iter()
        .try_for_each(|condition| holds(condition, &document))
}

fn holds(condition: &JsonCondition, document: &Value) -> Result<(), String> {
    let path = condition.path.join(".");
    let Some(value) = find(document, &condition.path) else {
        return Err(format!("there is no `{path}`"));
    };
    let shown = || excerpt(text(value).as_bytes());
    let compared = |holds: fn(f64, f64) -> bool, sign: &str, bound: f64| match value.as_f64() {
        Some(number) if holds(number, bound) => Ok(()),
        Some(number) => Err(format!("`{path}` is {number}, expected {sign} {bound}")),
        None => Err(format!("`{path}` is {}, expected a number", shown())),
    };
    match &condition.test {
        JsonTest::Below(bound) => compared(|number, bound| number < bound, "<", *bound),
        JsonTest::AtMost(bound) => compared(|number, bound| number <= bound, "<=", *bound),
        JsonTest::Above(bound) => compared(|number, bound| number > bound, ">", *bound),
        JsonTest::AtLeast(bound) => compared(|number, bound| number >= bound, ">=", *bound),
        JsonTest::Is(pattern) if pattern.matches(text(value).as_bytes()) => Ok(()),
        JsonTest::Is(pattern) => Err(format!("`{path}` is {}, expected `{pattern}`", shown())),
        JsonTest::IsNot(pattern) if !pattern.matches(text(value).as_bytes()) => Ok(()),
        JsonTest::IsNot(pattern) => Err(format!(
            "`{path}` is {}, expected another than `{pattern}`",
            shown()
        )),
    }
}

fn find<'a>(document: &'a Value, path: &[Box<str>]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, name| match value {
        Value::Object(members) => members.get(&**name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// A string as it is, anything else as JSON writes it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use sluice_route::Pattern;

    use super::*;

    const BODY: &str = r#"{"status": "healthy", "up": true, "cpu": 94.5, "count": 3, "none": null,
        "checks": {"database": {"status": "sick", "ms": 12}}, "nodes": [{"state": "ok"}, {"state": "lost"}]}"#;

    fn checked(path: &str, test: JsonTest, body: &str) -> Result<(), String> {
        let condition = JsonCondition {
            path: path.split('.').map(Into::into).collect(),
            test,
        };
        check(&[condition], body.as_bytes())
    }

    fn is(text: &str) -> JsonTest {
        JsonTest::Is(Pattern::parse(text).expect("a pattern"))
    }

    #[test]
    fn values_are_found_and_compared() {
        let is_not = JsonTest::IsNot(Pattern::parse("sick").expect("a pattern"));
        for (path, test, expected) in [
            ("status", is("healthy"), Ok(())),
            ("status", is("heal*"), Ok(())),
            ("up", is("true"), Ok(())),
            ("count", is("3"), Ok(())),
            ("none", is("null"), Ok(())),
            ("nodes.0.state", is("ok"), Ok(())),
            ("cpu", JsonTest::Below(95.0), Ok(())),
            ("count", JsonTest::AtMost(3.0), Ok(())),
            ("count", JsonTest::AtLeast(3.0), Ok(())),
            ("checks.database.ms", JsonTest::Above(11.0), Ok(())),
            (
                "cpu",
                JsonTest::Below(94.5),
                Err("`cpu` is 94.5, expected < 94.5"),
            ),
            (
                "count",
                JsonTest::Above(3.0),
                Err("`count` is 3, expected > 3"),
            ),
            (
                "status",
                JsonTest::Above(3.0),
                Err("`status` is \"healthy\", expected a number"),
            ),
            (
                "checks.database.status",
                is("healthy"),
                Err("`checks.database.status` is \"sick\", expected `healthy`"),
            ),
            (
                "checks.database.status",
                is_not,
                Err("`checks.database.status` is \"sick\", expected another than `sick`"),
            ),
            (
                "nodes.2.state",
                is("ok"),
                Err("there is no `nodes.2.state`"),
            ),
            ("nodes.x", is("ok"), Err("there is no `nodes.x`")),
            (
                "status.deeper",
                is("ok"),
                Err("there is no `status.deeper`"),
            ),
        ] {
            let outcome = checked(path, test, BODY);
            assert_eq!(outcome, expected.map_err(str::to_owned), "{path}");
        }
    }

    #[test]
    fn what_is_no_json_holds_nothing() {
        for body in ["", "ok", "{\"status\": \"ok\"", "\u{feff}{}"] {
            let outcome = checked("status", is("ok"), body);
            assert!(
                outcome.is_err_and(|why| why.starts_with("no JSON")),
                "{body}"
            );
        }
        assert_eq!(check(&[], b"ok"), Ok(()));
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let deep = "[".repeat(60_000);
        assert!(checked("0", is("ok"), &deep).is_err());
    }
}
