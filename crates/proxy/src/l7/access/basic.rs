//! `basic`: a name and a password, which is checked aside.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use sluice_auth::basic_credentials;
use sluice_config::plan::BasicAuth;

use super::denial::Denial;
use super::{Judged, Verdict, name_lines};
use crate::auth::LiveAuth;
use crate::l7::decide::Asked;
use crate::l7::identity::Identity;

impl Asked<'_, '_, '_> {
    pub(super) fn judge_by_password(
        &self,
        auth: &Rc<LiveAuth>,
        settings: &Arc<BasicAuth>,
    ) -> Judged {
        let shown = self.only_field("authorization");
        let Some(credentials) = shown.and_then(basic_credentials) else {
            return Judged::Now(Verdict::Out(Denial::missing(&settings.challenge)));
        };
        let name_field = settings.name_field.clone();
        let named = credentials.clone();
        let identity = move || {
            let lines = name_lines(name_field.as_deref(), named.name());
            Identity::of_name(Some(named.name().into()), lines)
        };
        if auth.remembers(credentials.bytes(), Instant::now()) {
            return Judged::Now(Verdict::In(identity()));
        }
        let (auth, settings) = (Rc::clone(auth), Arc::clone(settings));
        let worker = Rc::clone(&self.downstream.worker);
        Judged::Later(Box::pin(async move {
            let users = {
                let settings = Arc::clone(&settings);
                let credentials = credentials.clone();
                move || {
                    let (name, password) = (credentials.name(), credentials.password());
                    settings.users.has(name, password)
                }
            };
            let Some(checked) = worker.aside().run(users) else {
                return Verdict::Out(Denial::FAILURE);
            };
            match checked.await {
                Ok(true) => {
                    auth.remember(credentials.bytes(), Instant::now());
                    Verdict::In(identity())
                }
                Ok(false) => Verdict::Out(Denial::refused(&settings.challenge)),
                // The thread has ended, which it does not before the worker.
                Err(_) => Verdict::Out(Denial::FAILURE),
            }
        }))
    }
}
