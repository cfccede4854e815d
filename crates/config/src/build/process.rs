//! `[runtime]`, `[admin]` and `[logs]`

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{
    AccessFormat, AccessLog, Admin, LogFormat, LogLevel, LogTarget, Logs, MaxMemory, Runtime,
};
use crate::read::{Section, Typed};
use sluice_model::BindAddress;

impl Builder<'_> {
    pub(super) fn runtime(&mut self, file: &Section) -> Option<Runtime> {
        let section = file.table("runtime")?;
        if let Some(balancer) = section.table("balancer") {
            self.balancer(balancer);
        }
        Some(Runtime {
            workers: match &section.read("workers")?.typed {
                Typed::Number(workers) => Some(usize::try_from(*workers).ok()?),
                _ => None,
            },
            max_connections: section.value("max-connections"),
            max_memory: section
                .read("max-memory")
                .and_then(|read| match read.typed {
                    Typed::Size(bytes) => Some(MaxMemory::Bytes(bytes)),
                    Typed::Share(percent) => Some(MaxMemory::Share(percent)),
                    _ => None,
                }),
            secret_key: section.value("secret-key"),
            watch: section.value("watch")?,
        })
    }

    fn balancer(&mut self, section: &Section) {
        let (Some((index, span)), Some(count)) = (
            section.with_span::<u32>("index"),
            section.value::<u32>("count"),
        ) else {
            return;
        };
        if index >= count {
            self.findings.push(
                Diagnostic::error(
                    span.clone(),
                    format!("there is no balancer {index} of {count}"),
                )
                .help(format!("they are counted from 0 to {}", count - 1)),
            );
        }
    }

    /// `None` too where it is wrong, which is then reported.
    pub(super) fn admin(&mut self, file: &Section) -> Option<Admin> {
        let section = file.table("admin")?;
        let (address, span) = section.with_span::<BindAddress>("address")?;
        if !address.is_local_only() && section.set_at("token").is_none() {
            self.findings.push(
                Diagnostic::error(
                    span.clone(),
                    "an admin address that other machines can reach needs a `token`",
                )
                .help("set `token = \"${SLUICE_ADMIN_TOKEN}\"`, or listen on 127.0.0.1 only"),
            );
        }
        Some(Admin {
            address,
            token: section.value("token"),
        })
    }

    pub(super) fn logs(&mut self, file: &Section) -> Option<Logs> {
        let section = file.table("logs")?;
        Some(Logs {
            level: match section.value("level")? {
                "error" => LogLevel::Error,
                "warn" => LogLevel::Warn,
                "debug" => LogLevel::Debug,
                "trace" => LogLevel::Trace,
                _ => LogLevel::Info,
            },
            format: match section.value("format")? {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            access: match &section.read("access")?.typed {
                Typed::Table(access) => self.access_log(access),
                _ => None,
            },
        })
    }

    fn access_log(&self, section: &Section) -> Option<AccessLog> {
        let format = match section.value("format")? {
            "json" => AccessFormat::Json,
            "combined" => AccessFormat::Combined,
            _ => return None,
        };
        let to = match section.value("to")? {
            LogTarget::File(path) => LogTarget::File(self.surroundings.written(&path)),
            to => to,
        };
        Some(AccessLog { format, to })
    }
}
