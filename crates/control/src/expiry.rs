//! When certificates expire: a metric, and a warning while there is time.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluice_acme::Orders;
use sluice_config::Plan;
use sluice_config::plan::{Certificate, Ocsp, Tls};
use sluice_telemetry::metrics::Registry;

/// Between two looks.
pub(crate) const EVERY: Duration = Duration::from_hours(1);

/// How long before a certificate expires a warning is given, once a day.
const WARN_BEFORE: Duration = Duration::from_hours(14 * 24);

/// What was warned of, with the day.
#[derive(Debug, Default)]
pub(crate) struct ExpiryWatch {
    warned: HashSet<(String, SystemTime, u64)>,
}

impl ExpiryWatch {
    /// Looks once, at `now`. Of certificates that we renew ourselves no warning is given: a renewal that fails is told of by itself.
    pub(crate) fn look(
        &mut self,
        plan: &Plan,
        orders: &Orders,
        registry: &Arc<Registry>,
        now: SystemTime,
    ) {
        let mut expiries = BTreeMap::new();
        for (listener, tls) in listeners(plan) {
            if let Some(acme) = &tls.acme
                && let Some(issued) = orders.certificate(acme)
            {
                // As its orders are called; the authority may have its names in another order.
                let name = acme.domains.first().map(ToString::to_string);
                let at = seconds(issued.not_after);
                expiries.insert([listener.to_owned(), name.unwrap_or_default()], at);
            }
            for certificate in &tls.certificates {
                let name = name(certificate);
                let at = seconds(certificate.not_after);
                // Two of one name, with keys of different types: the one that expires first.
                expiries
                    .entry([listener.to_owned(), name.clone()])
                    .and_modify(|known: &mut u64| *known = at.min(*known))
                    .or_insert(at);
                if let Some(left) = self.is_news(&name, certificate.not_after, now) {
                    tracing::warn!(
                        listener,
                        certificate = %name,
                        file = %certificate.cert.display(),
                        days = left.as_secs() / DAY,
                        "a certificate expires soon"
                    );
                }
                if let Some(ocsp) = self.ocsp_is_news(certificate, now) {
                    tracing::warn!(
                        listener,
                        certificate = %name,
                        file = %ocsp.file.display(),
                        "an answer of OCSP is out of date, and not shown to clients any more"
                    );
                }
            }
        }
        registry.process().set_certificates(expiries);
        let today = seconds(now) / DAY;
        self.warned.retain(|(_, _, day)| *day == today);
    }

    /// How long it is valid yet, where that calls for a warning that was not given today.
    fn is_news(&mut self, name: &str, not_after: SystemTime, now: SystemTime) -> Option<Duration> {
        let left = not_after.duration_since(now).unwrap_or_default();
        let day = seconds(now) / DAY;
        let is_news = left < WARN_BEFORE && self.warned.insert((name.to_owned(), not_after, day));
        is_news.then_some(left)
    }
}

impl ExpiryWatch {
    /// An answer that is out of date, where that was not said today.
    fn ocsp_is_news<'c>(
        &mut self,
        certificate: &'c Certificate,
        now: SystemTime,
    ) -> Option<&'c Ocsp> {
        let ocsp = certificate.ocsp.as_ref()?;
        let next_update = ocsp.next_update.filter(|next| *next <= now)?;
        let file = ocsp.file.display().to_string();
        let day = seconds(now) / DAY;
        self.warned.insert((file, next_update, day)).then_some(ocsp)
    }
}

fn listeners(plan: &Plan) -> impl Iterator<Item = (&str, &Tls)> {
    plan.listeners
        .iter()
        .filter_map(|listener| Some((&*listener.name, listener.tls.as_ref()?)))
}

/// Its first name, or its file's where it has none.
fn name(certificate: &Certificate) -> String {
    certificate.names.first().map_or_else(
        || certificate.cert.display().to_string(),
        ToString::to_string,
    )
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

const DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_given_once_a_day_from_two_weeks_before() {
        let mut watch = ExpiryWatch::default();
        let end = UNIX_EPOCH + Duration::from_secs(100 * DAY);
        let hours_before = |hours: u64| end - Duration::from_hours(hours);
        let news: Vec<u64> = [15 * 24, 14 * 24, 335, 334, 310, 1]
            .into_iter()
            .filter(|hours| watch.is_news("a", end, hours_before(*hours)).is_some())
            .collect();
        assert_eq!(news, [335, 310, 1]);
        assert!(
            watch.is_news("b", end, hours_before(1)).is_some(),
            "another"
        );
        let past = end + Duration::from_secs(5);
        assert_eq!(watch.is_news("c", end, past), Some(Duration::ZERO));
    }
}
