//! From text to checked plan: syntax, schema, checks, diagnostics.
//!
//! Text flows in, a [`Plan`] or a [`Report`] of everything that is wrong flows out. The way is a row of stages, a module
//! each:
//!
//! 1. `syntax`: text to a tree of keys and values that know where they stand;
//! 2. `interpolate`: `${NAME}` in text values is replaced;
//! 3. `read`: by the one table of keys in `schema`, values get their types, defaults are filled in;
//! 4. `build`: names become indices, conditions are compiled, the plan is put together;
//! 5. `check`: what can only be seen in the whole: ports used twice, routes that are never reached.
//!
//! No stage stops at the first mistake. Nothing here opens a file or reads the environment: both are handed in as
//! [`Surroundings`]. Nothing here panics, whatever the text.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod build;
mod check;
mod command_line;
mod diagnostic;
mod form;
mod interpolate;
pub mod plan;
mod read;
mod schema;
mod suggest;
mod syntax;
mod units;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub use command_line::from_addresses;
pub use diagnostic::{Diagnostic, Report, Severity, Source, Span};
pub use plan::Plan;
pub use schema::{reference_markdown, schema_json};
pub use units::{ShowDuration, UnitError, duration, share};

use diagnostic::Findings;

/// What a file may refer to beyond itself.
pub trait Surroundings {
    /// The value of an environment variable, if it is set.
    fn env(&self, name: &str) -> Option<String>;

    /// The text of a secret's file, without line ends at its end; a relative path is meant from the configuration
    /// file. The error says why it cannot be read, in one line.
    fn secret(&self, path: &Path) -> Result<String, String>;

    /// A certificate chain and its private key, from a PEM file each, checked to belong together; relative paths are
    /// meant from the configuration file.
    fn certificate(&self, cert: &Path, key: &Path) -> Result<plan::Certificate, WrongFile> {
        let _ = (cert, key);
        Err(WrongFile::new(
            FileRole::Certificate,
            "there are no files here",
        ))
    }

    /// The authorities in a PEM file, or those that this machine trusts.
    fn authorities(&self, ca: Option<&Path>) -> Result<plan::Authorities, WrongFile> {
        let _ = ca;
        Err(WrongFile::new(
            FileRole::Authority,
            "there are no files here",
        ))
    }

    /// The text of lists of revoked certificates in a PEM file, and where it is.
    fn revoked(&self, crl: &Path) -> Result<(PathBuf, String), WrongFile> {
        let _ = crl;
        Err(WrongFile::new(FileRole::Revoked, "there are no files here"))
    }

    /// An answer of OCSP for a certificate, in a DER file.
    fn ocsp(&self, file: &Path, certificate: &plan::Certificate) -> Result<plan::Ocsp, WrongFile> {
        let _ = (file, certificate);
        Err(WrongFile::new(FileRole::Ocsp, "there are no files here"))
    }

    /// A database of countries in `MaxMind`'s format; a relative path is meant from the configuration file.
    fn countries(&self, path: &Path) -> Result<plan::Countries, WrongFile> {
        let _ = path;
        Err(WrongFile::new(
            FileRole::Countries,
            "there are no files here",
        ))
    }

    /// What is in a file that clients get, and where it is; a relative path is meant from the configuration file. The error says
    /// why it cannot be used, in one line.
    fn content(&self, path: &Path) -> Result<(PathBuf, Arc<[u8]>), String> {
        let _ = path;
        Err("there are no files here".to_owned())
    }

    /// The text of a file that several keys of the configuration may name, and where it is; a relative path is meant from the
    /// configuration file. The error says why it cannot be read, in one line.
    fn file(&self, path: &Path) -> Result<(PathBuf, String), String> {
        let _ = path;
        Err("there are no files here".to_owned())
    }

    /// Where a folder is that this process shall keep things in, and which may not be there yet. The error says why that cannot be, in
    /// one line.
    fn folder(&self, path: &Path) -> Result<PathBuf, String> {
        let _ = path;
        Err("there are no files here".to_owned())
    }

    /// Where a file is that this process shall write, and which may not be there yet; a relative path is meant from the configuration
    /// file.
    fn written(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    /// The time, which tells what has expired; `None` where nothing shall.
    fn now(&self) -> Option<SystemTime> {
        None
    }
}

/// What is wrong with a file that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongFile {
    /// Which of the files it is.
    pub role: FileRole,
    /// What is wrong with it, in one line.
    pub reason: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl WrongFile {
    /// A file that is wrong for this reason.
    pub fn new(role: FileRole, reason: impl Into<String>) -> Self {
        Self {
            role,
            reason: reason.into(),
            help: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// `cert`
    Certificate,
    /// `key`
    Key,
    /// `ca`
    Authority,
    /// `crl`
    Revoked,
    /// `ocsp`
    Ocsp,
    /// `database` of `[geo]`
    Countries,
}

/// A file that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the file means.
    pub plan: Plan,
    /// What in it is probably not meant; may be empty.
    pub warnings: Report,
}

/// Loads a configuration file. On failure the report holds every mistake, and the warnings too.
pub fn load(source: &Source, surroundings: &dyn Surroundings) -> Result<Loaded, Report> {
    let mut findings = Findings::default();
    let parsed = syntax::parse(&source.text, &mut findings);
    if !parsed.intact {
        // What could be saved of a broken text would be judged by what was lost.
        schema::hide_secrets(&source.text, &mut findings);
        return Err(Report::new(source, findings));
    }
    let mut table = parsed.table;
    interpolate::resolve(&mut table, &source.text, surroundings, &mut findings);
    load_table(&table, source, surroundings, findings)
}

/// The stages behind the text.
fn load_table(
    table: &syntax::Table,
    source: &Source,
    surroundings: &dyn Surroundings,
    mut findings: Findings,
) -> Result<Loaded, Report> {
    let file = read::read(
        table,
        &schema::keys::FILE,
        &source.text,
        surroundings,
        &mut findings,
    );
    let plan = build::build(&file, &source.text, surroundings, &mut findings);
    let usable = !findings.has_errors();
    let report = Report::new(source, findings);
    match plan {
        Some(plan) if usable => Ok(Loaded {
            plan,
            warnings: report,
        }),
        _ => Err(report),
    }
}
