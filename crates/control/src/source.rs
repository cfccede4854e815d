//! Where the configuration comes from: a file, or the command line.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{Access, access};
use sluice_config::plan::{Authorities, Certificate, Countries, Ocsp};
use sluice_config::{FileRole, Loaded, Report, Surroundings, WrongFile, from_addresses, load};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

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
        self.load_noting(&RefCell::default())
    }

    /// The same; the files that the configuration names are noted, whatever comes of it.
    pub(crate) fn load_noting(&self, files: &RefCell<Vec<PathBuf>>) -> Result<Loaded, LoadError> {
        match self {
            Self::File(path) => {
                let text = fs::read_to_string(path).map_err(|cause| LoadError::Unreadable {
                    path: path.clone(),
                    cause,
                })?;
                load_text(&path.display().to_string(), text, path.parent(), files)
            }
            Self::Text { name, text } => load_text(name, text.clone(), None, files),
            Self::Addresses { listen, to } => from_addresses(listen, to).map_err(LoadError::Wrong),
        }
    }

    /// Something that differs when the file was written or replaced; `None` where there is no file.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Self::File(path) => Fingerprint::of(path),
            Self::Text { .. } | Self::Addresses { .. } => None,
        }
    }
}

impl Fingerprint {
    /// `None` where there is no such file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        // Follows links: configuration maps are replaced by turning a link.
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
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

fn load_text(
    name: &str,
    text: String,
    folder: Option<&Path>,
    files: &RefCell<Vec<PathBuf>>,
) -> Result<Loaded, LoadError> {
    let source = sluice_config::Source {
        name: name.to_owned(),
        text,
    };
    load(&source, &Process { folder, files }).map_err(LoadError::Wrong)
}

/// This process's environment and files.
struct Process<'a> {
    folder: Option<&'a Path>,
    /// What was read, or should have been: to be watched.
    files: &'a RefCell<Vec<PathBuf>>,
}

impl Process<'_> {
    /// A path as the configuration file means it.
    fn place(&self, path: &Path) -> PathBuf {
        self.folder
            .map_or_else(|| path.to_owned(), |folder| folder.join(path))
    }

    fn text(&self, path: &Path, role: FileRole) -> Result<String, WrongFile> {
        self.files.borrow_mut().push(path.to_owned());
        fs::read_to_string(path).map_err(|error| unreadable(path, role, &error))
    }
}

fn unreadable(path: &Path, role: FileRole, error: &io::Error) -> WrongFile {
    match error.kind() {
        io::ErrorKind::InvalidData => WrongFile::new(role, "not a text")
            .help("PEM is the text form; from DER: `openssl x509 -inform der`, `openssl pkey -inform der`"),
        io::ErrorKind::NotFound => {
            WrongFile::new(role, format!("there is no file {}", path.display()))
        }
        io::ErrorKind::PermissionDenied => WrongFile::new(role, "this process may not read it"),
        _ => WrongFile::new(role, error.to_string()),
    }
}

impl Surroundings for Process<'_> {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn secret(&self, path: &Path) -> Result<String, String> {
        let text = fs::read_to_string(self.place(path)).map_err(|error| error.to_string())?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn certificate(&self, cert: &Path, key: &Path) -> Result<Certificate, WrongFile> {
        let (cert, key) = (self.place(cert), self.place(key));
        let chain = self.text(&cert, FileRole::Certificate);
        let private_key = self.text(&key, FileRole::Key);
        sluice_tls::load(cert, key, &chain?, &private_key?)
    }

    fn authorities(&self, ca: Option<&Path>) -> Result<Authorities, WrongFile> {
        let Some(ca) = ca else {
            return sluice_tls::system_authorities();
        };
        let path = self.place(ca);
        let text = self.text(&path, FileRole::Authority)?;
        sluice_tls::authorities(path, &text)
    }

    fn ocsp(&self, file: &Path, certificate: &Certificate) -> Result<Ocsp, WrongFile> {
        let path = self.place(file);
        self.files.borrow_mut().push(path.clone());
        let response =
            fs::read(&path).map_err(|error| unreadable(&path, FileRole::Ocsp, &error))?;
        sluice_tls::ocsp(path, &response, &certificate.chain)
    }

    fn revoked(&self, crl: &Path) -> Result<(PathBuf, String), WrongFile> {
        let path = self.place(crl);
        let text = self.text(&path, FileRole::Revoked)?;
        sluice_tls::check_revoked(&text)?;
        Ok((path, text))
    }

    fn content(&self, path: &Path) -> Result<(PathBuf, Arc<[u8]>), String> {
        let path = self.place(path);
        self.files.borrow_mut().push(path.clone());
        let told = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => format!("there is no file {}", path.display()),
            _ => error.to_string(),
        };
        let size = fs::metadata(&path).map_err(told)?.len();
        if size > LARGEST_CONTENT {
            return Err(format!(
                "it has {size} bytes, and is kept in memory: {LARGEST_CONTENT} are the most"
            ));
        }
        let content = fs::read(&path).map_err(told)?;
        Ok((path, content.into()))
    }

    fn file(&self, path: &Path) -> Result<(PathBuf, String), String> {
        let path = self.place(path);
        let text = self.text(&path, FileRole::Certificate);
        text.map(|text| (path, text)).map_err(|wrong| wrong.reason)
    }

    fn countries(&self, path: &Path) -> Result<Countries, WrongFile> {
        let file = self.place(path);
        self.files.borrow_mut().push(file.clone());
        let role = FileRole::Countries;
        let bytes = fs::read(&file).map_err(|error| unreadable(&file, role, &error))?;
        let hash = xxh3_64(&bytes);
        let countries = sluice_geo::Countries::read(bytes).map_err(|error| {
            WrongFile::new(role, error.to_string())
                .help("GeoLite2-Country, DB-IP's lite one and others come as such files")
        })?;
        Ok(Countries {
            file,
            hash,
            lookup: Arc::new(countries),
        })
    }

    fn folder(&self, path: &Path) -> Result<PathBuf, String> {
        let path = self.place(path);
        may_be_written(&path).map(|()| path)
    }

    fn written(&self, path: &Path) -> PathBuf {
        self.place(path)
    }

    fn now(&self) -> Option<SystemTime> {
        Some(SystemTime::now())
    }
}

/// Whether files can be made in a folder, or it can be made itself. Nothing is made to find out.
fn may_be_written(folder: &Path) -> Result<(), String> {
    let wrong = |path: &Path, reason: &str| Err(format!("{}: {reason}", path.display()));
    let absolute = std::path::absolute(folder).map_err(|error| error.to_string())?;
    for path in absolute.ancestors() {
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_dir() => return wrong(path, "this is no folder"),
            Ok(_) if access(path, Access::WRITE_OK | Access::EXEC_OK).is_err() => {
                return wrong(path, "this process may not write there");
            }
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return wrong(path, &error.to_string()),
        }
    }
    Ok(())
}

/// Bytes of a file that clients get from memory.
const LARGEST_CONTENT: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_may_be_missing_where_it_can_be_made() {
        let folder = std::env::temp_dir().join(format!("sluice-folder-{}", std::process::id()));
        fs::write(&folder, "a file").expect("write");
        let inside = may_be_written(&folder.join("acme")).expect_err("a file is no folder");
        assert!(
            inside.contains("no folder") || inside.contains("ot a directory"),
            "{inside}"
        );
        fs::remove_file(&folder).expect("clean up");
        assert_eq!(may_be_written(&folder.join("certificates/acme")), Ok(()));
        assert!(!folder.exists(), "nothing was made");
    }

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
