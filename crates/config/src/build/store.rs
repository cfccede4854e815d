//! `[stores.NAME]`

use super::Builder;
use crate::diagnostic::Diagnostic;
use crate::plan::{RedisAddress, Store};
use crate::read::Section;

impl Builder<'_> {
    pub(super) fn store(&mut self, section: &Section) -> Option<Store> {
        if let Some(span) = section.set_at("username")
            && section.set_at("password").is_none()
        {
            let report = Diagnostic::error(span.clone(), "a user has a password");
            self.findings
                .push(report.help("add it: `password = \"file:/run/secrets/redis\"`"));
        }
        let redis: RedisAddress = section.value("redis")?;
        Some(Store {
            name: section.name.as_str().into(),
            address: redis.address,
            database: redis.database,
            username: section.value("username"),
            password: section.value("password"),
            timeout: section.value("timeout")?,
            prefix: section.value("prefix")?,
        })
    }
}
