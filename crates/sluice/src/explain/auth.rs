//! Who is let in, and where the keys are from that verify tokens.

use std::fmt::{Result, Write as _};

use sluice_config::Plan;
use sluice_config::plan::{Auth, AuthKind, KeySource, Route, TokenKeys};

/// What is shown is not looked at: it is a secret. Nothing is fetched.
pub(super) fn describe(plan: &Plan, route: &Route, text: &mut String) -> Result {
    let Some(auth) = &route.auth else {
        return Ok(());
    };
    let named = auth.any.iter().filter_map(|id| plan.auths.get(id.0));
    let named: Vec<&Auth> = named.collect();
    let names: Vec<&str> = named.iter().map(|auth| &*auth.name).collect();
    let quantity = if named.len() > 1 { "one of " } else { "" };
    writeln!(text, "auth      asks for {quantity}{}", names.join(", "))?;
    for auth in named {
        if let AuthKind::Jwt(settings) = &auth.kind {
            let name = &auth.name;
            writeln!(text, "keys      {name}: {}", origin(&settings.keys))?;
        }
    }
    Ok(())
}

fn origin(keys: &TokenKeys) -> String {
    match keys {
        TokenKeys::Known { file: None, .. } => "a secret".to_owned(),
        TokenKeys::Known {
            file: Some(file), ..
        } => format!("read from {}", file.display()),
        TokenKeys::Shown(KeySource {
            url,
            authorities,
            refresh,
        }) => {
            let ca = authorities.as_ref().and_then(|one| one.file.as_ref());
            let trust = ca.map(|ca| format!(", trusted by {}", ca.display()));
            let again = match refresh {
                Some(refresh) => format!("after {refresh:?}"),
                None => "as the issuer says".to_owned(),
            };
            format!(
                "fetched from {url}{}, again {again}",
                trust.unwrap_or_default()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sluice_auth::jwt::Keys;
    use sluice_config::plan::Authorities;

    use super::*;

    #[test]
    fn keys_are_somewhere() {
        let keys = Keys::secret(b"a");
        let secret = TokenKeys::Known { file: None, keys };
        assert_eq!(origin(&secret), "a secret");
        let mut source = KeySource {
            url: "https://idp.example.com/keys".into(),
            authorities: None,
            refresh: None,
        };
        assert_eq!(
            origin(&TokenKeys::Shown(source.clone())),
            "fetched from https://idp.example.com/keys, again as the issuer says"
        );
        source.refresh = Some(Duration::from_mins(5));
        source.authorities = Some(Authorities {
            file: Some("idp.pem".into()),
            certificates: [].into(),
        });
        assert_eq!(
            origin(&TokenKeys::Shown(source)),
            "fetched from https://idp.example.com/keys, trusted by idp.pem, again after 300s"
        );
    }
}
