//! The project's pages are held to what they say: links lead somewhere, and configurations on them are good. Tests only.

mod configurations;
mod links;

use std::path::{Path, PathBuf};

use crate::workspace::root;

/// Every page, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let folders = ["", "docs", "examples", "bench", "fuzz", "conformance"];
    let paths: Vec<_> = folders
        .iter()
        .flat_map(|folder| pages_in(&root().join(folder)))
        .collect();
    assert!(paths.len() > 5, "too few pages to be all: {paths:?}");
    paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(path).expect("a page")))
        .collect()
}

fn pages_in(folder: &Path) -> Vec<PathBuf> {
    // Not every folder need be there.
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("a folder entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}
