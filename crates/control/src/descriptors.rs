//! Says so where the file allows more connections than there can be descriptors.

use sluice_config::Plan;
use sluice_net::descriptors;

/// Looks at what `plan` allows.
pub(crate) fn look(plan: &Plan) {
    let (Some(wanted), Some(limit)) = (plan.runtime.max_connections, descriptors::limit()) else {
        return;
    };
    if u64::from(wanted) >= limit {
        tracing::warn!(
            max_connections = wanted,
            open_files = limit,
            "runtime.max-connections is more than the limit of open files bears: connections will wait before they are refused"
        );
    }
}
