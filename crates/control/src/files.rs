//! Watching the files that the configuration names: certificates and their keys.

use std::path::PathBuf;

use crate::source::Fingerprint;

/// The files that the last load has read, or tried to, and which versions of them it saw.
#[derive(Debug, Default)]
pub(crate) struct WatchedFiles {
    seen: Vec<(PathBuf, Option<Fingerprint>)>,
}

impl WatchedFiles {
    /// These files, as they are now.
    pub(crate) fn new(mut paths: Vec<PathBuf>) -> Self {
        paths.sort_unstable();
        paths.dedup();
        let seen = paths
            .into_iter()
            .map(|path| {
                let fingerprint = Fingerprint::of(&path);
                (path, fingerprint)
            })
            .collect();
        Self { seen }
    }

    /// Whether one of them is another now. One that is being replaced may be missing for a moment: that is no change yet.
    pub(crate) fn have_changed(&self) -> bool {
        self.seen.iter().any(|(path, seen)| {
            let now = Fingerprint::of(path);
            now.is_some() && now != *seen
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_written_has_changed_and_one_that_is_missing_has_not() {
        let path = std::env::temp_dir().join(format!("sluice-watched-{}", std::process::id()));
        let missing = path.with_extension("missing");
        fs::write(&path, "a").expect("write");
        let watch = || WatchedFiles::new(vec![path.clone(), missing.clone(), path.clone()]);
        let watched = watch();
        assert!(!watched.have_changed());
        fs::write(&path, "ab").expect("write");
        assert!(watched.have_changed());
        let watched = watch();
        fs::remove_file(&path).expect("remove");
        assert!(!watched.have_changed(), "it may come back");
        fs::write(&missing, "b").expect("write");
        assert!(watched.have_changed(), "what was missing is there");
        fs::remove_file(&missing).expect("clean up");
    }
}
