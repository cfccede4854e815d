//! Which package imports which, read from `cargo metadata`.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::workspace::cargo;

/// The packages of the workspace and all that they link.
#[derive(Debug)]
pub(crate) struct Graph {
    packages: HashMap<String, Package>,
    members: Vec<String>,
}

/// One package.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Where its manifest lies.
    pub(crate) folder: PathBuf,
    /// Ids of the packages that it links.
    pub(crate) links: Vec<String>,
    /// Ids of the packages that only its tests or build script use.
    pub(crate) only_tests: Vec<String>,
    /// It runs in the compiler, so nothing of it is linked.
    pub(crate) is_macro: bool,
}

impl Graph {
    pub(crate) fn of_workspace() -> Result<Self> {
        // What only another platform or a build for tests (`cfg(loom)`) links is not in the house.
        let question = [
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform=x86_64-unknown-linux-gnu",
        ];
        let output = cargo(&question).output().context("starting cargo")?;
        ensure!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self::from_json(&output.stdout)
    }

    pub(crate) fn from_json(json: &[u8]) -> Result<Self> {
        let metadata: Metadata = serde_json::from_slice(json).context("reading cargo metadata")?;
        let mut packages = HashMap::new();
        for entry in metadata.packages {
            let package = Package {
                name: entry.name,
                folder: entry
                    .manifest_path
                    .parent()
                    .map(PathBuf::from)
                    .unwrap_or_default(),
                is_macro: entry
                    .targets
                    .iter()
                    .any(|target| target.kind.iter().any(|kind| kind == "proc-macro")),
                ..Package::default()
            };
            packages.insert(entry.id, package);
        }
        for node in metadata.resolve.nodes {
            let package = packages
                .get_mut(&node.id)
                .context("a resolved package that is not listed")?;
            for dependency in node.deps {
                let linked = dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
                let list = if linked {
                    &mut package.links
                } else {
                    &mut package.only_tests
                };
                list.push(dependency.pkg);
            }
        }
        Ok(Self {
            packages,
            members: metadata.workspace_members,
        })
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().filter_map(|id| self.packages.get(id))
    }

    /// The packages with these ids.
    pub(crate) fn named<'a>(&'a self, ids: &'a [String]) -> impl Iterator<Item = &'a Package> {
        ids.iter().filter_map(|id| self.packages.get(id))
    }

    /// The shortest chains of names from `package` to everything it links, directly or not; the package itself left out.
    pub(crate) fn linked_by(&self, package: &Package) -> Vec<Vec<&str>> {
        let mut chains: Vec<Vec<&str>> = Vec::new();
        let mut seen = HashSet::new();
        let mut next: Vec<(Vec<&str>, &String)> =
            package.links.iter().map(|id| (Vec::new(), id)).collect();
        while !next.is_empty() {
            let mut below = Vec::new();
            for (chain, id) in next {
                let Some(found) = self.packages.get(id).filter(|_| seen.insert(id)) else {
                    continue;
                };
                let chain: Vec<&str> = chain.iter().copied().chain([found.name.as_str()]).collect();
                if !found.is_macro {
                    below.extend(found.links.iter().map(|id| (chain.clone(), id)));
                }
                chains.push(chain);
            }
            next = below;
        }
        chains
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<PackageEntry>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct PackageEntry {
    id: String,
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `None` is a normal dependency.
    kind: Option<String>,
}
