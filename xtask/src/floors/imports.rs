//! What may import what.

use super::graph::{Graph, Package};
use super::{BESIDE, IMPURE_CRATES, INDEPENDENT, TABLE, floor_of, is_pure};

/// One line for each import that the floors forbid.
pub(crate) fn check(graph: &Graph) -> Vec<String> {
    let mut faults = Vec::new();
    for package in graph.members() {
        let name = &package.name;
        match floor_of(name) {
            Some(floor) => check_room(graph, package, floor, &mut faults),
            None if INDEPENDENT.contains(&name.as_str()) => {
                check_independent(graph, package, &mut faults);
            }
            None if BESIDE.contains(&name.as_str()) => {}
            None => faults.push(format!(
                "{name} has no floor: give it one in xtask/src/floors.rs and ARCHITECTURE.md"
            )),
        }
        if is_pure(name) {
            check_pure(graph, package, &mut faults);
        }
    }
    for (room, _) in TABLE {
        if !graph.members().any(|package| package.name == *room) {
            faults.push(format!(
                "{room} has a floor but is no crate of this workspace"
            ));
        }
    }
    faults
}

fn check_room(graph: &Graph, package: &Package, floor: u8, faults: &mut Vec<String>) {
    let name = &package.name;
    for import in graph.named(&package.links) {
        if BESIDE.contains(&import.name.as_str()) {
            faults.push(format!(
                "{name} imports {}, which lies beside the house",
                import.name
            ));
        }
    }
    for import in graph
        .named(&package.links)
        .chain(graph.named(&package.only_tests))
    {
        if let Some(other) = floor_of(&import.name).filter(|other| *other >= floor) {
            faults.push(format!(
                "{name} (floor {floor}) imports {} (floor {other}), which is not below it",
                import.name
            ));
        }
    }
}

fn check_independent(graph: &Graph, package: &Package, faults: &mut Vec<String>) {
    for import in graph.named(&package.links) {
        if floor_of(&import.name).is_some() {
            faults.push(format!(
                "{} imports {}: it must not share code with what it tests",
                package.name, import.name
            ));
        }
    }
}

fn check_pure(graph: &Graph, package: &Package, faults: &mut Vec<String>) {
    for chain in graph.linked_by(package) {
        if chain
            .last()
            .is_some_and(|last| IMPURE_CRATES.contains(last))
        {
            faults.push(format!(
                "{} is pure but links {}",
                package.name,
                chain.join(" → ")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The whole house, each room importing `model`, with these imports added: who, whom, for tests only.
    fn house(imports: &[(&str, &str, bool)]) -> Graph {
        let mut names: Vec<&str> = TABLE
            .iter()
            .map(|(room, _)| *room)
            .chain(["testkit"])
            .collect();
        let members = names.clone();
        names.extend(imports.iter().flat_map(|(from, to, _)| [*from, *to]));
        names.sort_unstable();
        names.dedup();
        graph(&names, &members, imports)
    }

    fn graph(names: &[&str], members: &[&str], imports: &[(&str, &str, bool)]) -> Graph {
        let package = |name: &&str| {
            let kind = if name.ends_with("-macro") {
                "proc-macro"
            } else {
                "lib"
            };
            json!({ "id": name, "name": name, "manifest_path": "/none/Cargo.toml", "targets": [{ "kind": [kind] }] })
        };
        let node = |name: &&str| {
            let own = imports.iter().filter(|(from, ..)| from == name);
            let deps = own.map(|(_, to, test)| json!({ "pkg": to, "dep_kinds": [{ "kind": test.then_some("dev") }] }));
            json!({ "id": name, "deps": deps.collect::<Vec<_>>() })
        };
        let metadata = json!({
            "packages": names.iter().map(package).collect::<Vec<_>>(),
            "workspace_members": members,
            "resolve": { "nodes": names.iter().map(node).collect::<Vec<_>>() },
        });
        Graph::from_json(metadata.to_string().as_bytes()).expect("metadata")
    }

    #[test]
    fn a_house_in_order_has_no_faults() {
        let imports = [
            ("sluice-config", "sluice-model", false),
            ("sluice-wire", "memchr", false),
            ("sluice-wire", "testkit", true),
            ("sluice-wire", "tokio", true),
            ("sluice-net", "tokio", false),
            ("sluice-config", "thiserror-macro", false),
            ("thiserror-macro", "libc", false),
        ];
        assert_eq!(check(&house(&imports)), Vec::<String>::new());
    }

    #[test]
    fn an_import_of_the_same_or_a_higher_floor_is_found() {
        for (from, to, test) in [
            ("sluice-wire", "sluice-route", false),
            ("sluice-net", "sluice-telemetry", false),
            ("sluice-model", "sluice-proxy", false),
            ("sluice-model", "sluice-wire", true),
        ] {
            let faults = check(&house(&[(from, to, test)]));
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].contains(from)
                    && faults[0].contains(to)
                    && faults[0].contains("not below"),
                "{faults:?}"
            );
        }
    }

    #[test]
    fn a_pure_floor_that_links_the_outside_is_found_with_the_chain() {
        let imports = [
            ("sluice-config", "innocent", false),
            ("innocent", "tokio", false),
        ];
        assert_eq!(
            check(&house(&imports)),
            ["sluice-config is pure but links innocent → tokio"]
        );
    }

    #[test]
    fn a_crate_without_a_floor_and_a_floor_without_a_crate_are_found() {
        let mut members: Vec<&str> = TABLE.iter().skip(1).map(|(room, _)| *room).collect();
        members.push("stray");
        let faults = check(&graph(&members, &members, &[]));
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].starts_with("stray has no floor"));
        assert!(faults[1].starts_with("sluice-model has a floor but"));
    }

    #[test]
    fn what_lies_beside_stays_beside() {
        let linked = check(&house(&[("sluice-proxy", "testkit", false)]));
        assert_eq!(
            linked,
            ["sluice-proxy imports testkit, which lies beside the house"]
        );
        let dependent = check(&house(&[("testkit", "sluice-wire", false)]));
        assert_eq!(
            dependent,
            ["testkit imports sluice-wire: it must not share code with what it tests"]
        );
    }
}
