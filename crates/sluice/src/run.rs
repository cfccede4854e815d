//! `sluice run`: config, build, spawn, wait, drain.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use sluice_config::{Loaded, Plan};
use sluice_control::{LoadError, Source, Stopped, Supervisor, log_format, log_level};
use sluice_telemetry::{Readiness, Registry, logging};
use tokio::sync::watch;

use crate::command_line::RunArguments;
use crate::{USAGE, admin, check};

pub(crate) fn run(arguments: RunArguments) -> ExitCode {
    let (source, wrong) = if arguments.listen.is_empty() {
        let file = arguments
            .config
            .unwrap_or_else(|| PathBuf::from("sluice.toml"));
        (Source::File(file), ExitCode::FAILURE)
    } else {
        let source = Source::Addresses {
            listen: arguments.listen,
            to: arguments.to,
        };
        (source, ExitCode::from(USAGE))
    };
    let loaded = match source.load() {
        Ok(loaded) => loaded,
        Err(error) => {
            check::tell(&error);
            if let (LoadError::Unreadable { .. }, Source::File(file)) = (&error, &source) {
                eprintln!(
                    "help: name the file with `-c FILE`, or see `sluice run --help` ({} is the default)",
                    file.display()
                );
            }
            return wrong;
        }
    };
    check::show(&loaded.warnings);
    match serve(source, loaded, |_, _| {}) {
        Ok(Stopped::InOrder) => ExitCode::SUCCESS,
        Ok(Stopped::InDisorder) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a loaded configuration until the process is told to stop. `started` is called once traffic is taken, on the
/// control plane's runtime.
pub(crate) fn serve(
    source: Source,
    loaded: Loaded,
    started: impl FnOnce(&Supervisor, &Arc<Registry>),
) -> anyhow::Result<Stopped> {
    sluice_net::descriptors::raise_limit();
    let registry = Arc::new(Registry::new(env!("CARGO_PKG_VERSION")));
    let logs = &loaded.plan.logs;
    let dropped = Arc::clone(&registry.process().process_log_dropped);
    let logging = logging::init(log_level(logs), log_format(logs), dropped)?;
    let readiness = Arc::new(Readiness::default());

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the control plane")?;
    runtime.block_on(async {
        let first = admin::Admin::bind(loaded.plan.admin.as_ref())?;
        let supervisor = Supervisor::start(
            source,
            loaded,
            Arc::clone(&registry),
            Arc::clone(&readiness),
            Some(logging),
        )
        .await?;
        started(&supervisor, &registry);
        let admin = admin::Admin::new(&registry, &readiness, supervisor.fleet());
        let plans: watch::Receiver<Arc<Plan>> = supervisor.plans();
        let admin = tokio::spawn(admin.follow(first, plans));
        let stopped = supervisor.run(check::show).await;
        admin.abort();
        Ok(stopped)
    })
}
