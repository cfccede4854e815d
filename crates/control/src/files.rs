//! Watching the files that the configuration names: certificates and their keys, bodies of answers, lists of users.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::source::Fingerprint;

/// The files that the last load has read, or tried to.
#[derive(Debug, Default)]
pub(crate) struct WatchedFiles(Vec<Watched>);

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// Which version of it the load saw.
    seen: Option<Fingerprint>,
    /// How many looks in a row it could not have been read.
    lost_for: u8,
}

impl WatchedFiles {
    /// These files, as they are now.
    pub(crate) fn new(mut paths: Vec<PathBuf>) -> Self {
        paths.sort_unstable();
        paths.dedup();
        let watched = paths.into_iter().map(|path| Watched {
            seen: Fingerprint::of(&path),
            path,
            lost_for: 0,
        });
        Self(watched.collect())
    }

    /// Whether one of them is another now. One that is being replaced may be missing for a moment: that is no change yet.
    pub(crate) fn have_changed(&self) -> bool {
        self.0.iter().any(|file| {
            let now = Fingerprint::of(&file.path);
            now.is_some() && now != file.seen
        })
    }

    /// Those that were read, and could not be any more at this look and the one before. Each is told of once, until it is there again.
    pub(crate) fn lost(&mut self) -> Vec<&Path> {
        let was_read = self.0.iter_mut().filter(|file| file.seen.is_some());
        let lost = was_read.filter_map(|file| {
            if access(&file.path, Access::READ_OK).is_ok() {
                file.lost_for = 0;
                return None;
            }
            file.lost_for = file.lost_for.saturating_add(1);
            (file.lost_for == LOST_AFTER).then_some(&*file.path)
        });
        lost.collect()
    }
}

/// A file that is being replaced may be missing at one look.
const LOST_AFTER: u8 = 2;

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

    #[test]
    fn a_file_that_stays_away_is_told_of_once() {
        let path = std::env::temp_dir().join(format!("sluice-lost-{}", std::process::id()));
        let never = path.with_extension("never");
        fs::write(&path, "a").expect("write");
        let mut watched = WatchedFiles::new(vec![path.clone(), never]);
        assert!(watched.lost().is_empty());
        for _ in 0..2 {
            fs::remove_file(&path).expect("remove");
            assert!(watched.lost().is_empty(), "it may be about to come");
            assert_eq!(watched.lost(), [&*path]);
            assert!(watched.lost().is_empty(), "told already");
            fs::write(&path, "a").expect("write");
            assert!(watched.lost().is_empty());
        }
        fs::remove_file(&path).expect("clean up");
    }
}
