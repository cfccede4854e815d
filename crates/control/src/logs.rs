//! From what the plan says of logs to what writes them.

use std::io;
use std::sync::Arc;

use sluice_config::plan;
use sluice_telemetry::Target;
use sluice_telemetry::access::{AccessLog, Format};
use sluice_telemetry::logging::LogFormat;
use sluice_telemetry::metrics::Registry;

/// The plan's level in the log's own terms.
pub fn log_level(logs: &plan::Logs) -> tracing::Level {
    match logs.level {
        plan::LogLevel::Error => tracing::Level::ERROR,
        plan::LogLevel::Warn => tracing::Level::WARN,
        plan::LogLevel::Info => tracing::Level::INFO,
        plan::LogLevel::Debug => tracing::Level::DEBUG,
        plan::LogLevel::Trace => tracing::Level::TRACE,
    }
}

/// The plan's format in the log's own terms.
pub fn log_format(logs: &plan::Logs) -> LogFormat {
    match logs.format {
        plan::LogFormat::Text => LogFormat::Text,
        plan::LogFormat::Json => LogFormat::Json,
    }
}

/// Starts the access log that the plan asks for.
pub(crate) fn access_log(
    settings: &plan::AccessLog,
    registry: &Arc<Registry>,
) -> io::Result<AccessLog> {
    let format = match settings.format {
        plan::AccessFormat::Json => Format::Json,
        plan::AccessFormat::Combined => Format::Combined,
    };
    let target = match &settings.to {
        plan::LogTarget::Stdout => Target::Stdout,
        plan::LogTarget::Stderr => Target::Stderr,
        plan::LogTarget::File(path) => Target::File(path.clone()),
    };
    let dropped = Arc::clone(&registry.process().access_log_dropped);
    AccessLog::start(format, target, dropped)
}
