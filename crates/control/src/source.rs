//! Where the configuration comes from: a file, or the command line.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sluice_config::{Loaded, Report, Surroundings, from_addresses, load};
use thiserror::Error;

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, which may change while we run.
    File(PathBuf),
    /// A text that is part of the program.
    Text {
        /// What to call it.
        name: String,
        /// What would be in the file.
        text: String,
    },
    /// `--listen` and `--to`.
    Addresses {
        /// Where to listen.
        listen: Vec<String>,
        /// The servers.
        to: Vec<String>,
    },
}

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file is wrong.
    #[error("{}", .0.summary())]
    Wrong(Report),
}

impl Source {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// Every mistake in it, or that it cannot be read.
    pub fn load(&self) -> Result<Loaded, LoadError> {
        match self {
            Self::File(path) => {
                let text = fs::read_to_string(path).map_err(|cause| LoadError::Unreadable {
                    path: path.clone(),
                    cause,
                })?;
                load_text(&path.display().to_string(), text, path.parent())
            }
            Self::Text { name, text } => load_text(name, text.clone(), None),
            Self::Addresses { listen, to } => from_addresses(listen, to).map_err(LoadError::Wrong),
        }
    }

    /// Something that differs when the file was written or replaced; `None` where there is no file.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        let Self::File(path) = self else {
            return None;
        };
        // Follows links: configuration maps are replaced by turning a link.
        let metadata = fs::metadata(path).ok()?;
        Some(Fingerprint {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// Which version of a file this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

fn load_text(name: &str, text: String, folder: Option<&Path>) -> Result<Loaded, LoadError> {
    let source = sluice_config::Source {
        name: name.to_owned(),
        text,
    };
    load(&source, &Process { folder }).map_err(LoadError::Wrong)
}

/// This process's environment and files.
struct Process<'a> {
    folder: Option<&'a Path>,
}

impl Surroundings for Process<'_> {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn secret(&self, path: &Path) -> Result<String, String> {
        let path = self
            .folder
            .map_or_else(|| path.to_owned(), |folder| folder.join(path));
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let source = Source::File("/no/such/sluice.toml".into());
        let error = source.load().expect_err("missing");
        assert!(
            error.to_string().contains("/no/such/sluice.toml"),
            "{error}"
        );
        assert_eq!(source.fingerprint(), None);
    }

    #[test]
    fn a_replaced_file_has_another_fingerprint() {
        let path = std::env::temp_dir().join(format!("sluice-source-{}", std::process::id()));
        fs::write(&path, "a").expect("write");
        let source = Source::File(path.clone());
        let before = source.fingerprint();
        assert!(before.is_some());
        fs::write(&path, "ab").expect("write");
        assert_ne!(source.fingerprint(), before);
        fs::remove_file(&path).expect("clean up");
    }
}
