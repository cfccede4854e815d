//! The files of the tests, and the environment they refer to.

use std::path::{Path, PathBuf};

use sluice_config::{Source, Surroundings};

/// An environment that is the same everywhere.
pub(crate) struct World;

impl Surroundings for World {
    fn env(&self, name: &str) -> Option<String> {
        let value = match name {
            "PORT" => "8080",
            "WORKERS" => "4",
            "WATCH" => "false",
            "APP" => "app",
            "EMPTY" => "",
            "WORD" => "hunter2",
            "SLUICE_ADMIN_TOKEN" => "hunter2hunter2",
            "SLUICE_SECRET_KEY" => "hunter2hunter2hunter2",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn secret(&self, path: &Path) -> Result<String, String> {
        match path.to_str() {
            Some("/run/secrets/key") => Ok("hunter2hunter2hunter2".to_owned()),
            Some("/run/secrets/empty") => Ok(String::new()),
            _ => Err("no such file or directory".to_owned()),
        }
    }
}

/// The configuration files of a folder beside this one, or of a path from there, by name.
pub(crate) fn files(folder: &str) -> Vec<Source> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("a folder that can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| Source {
            name: path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
            text: std::fs::read_to_string(path).expect("a file that can be read"),
        })
        .collect()
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
