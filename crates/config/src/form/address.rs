//! What people write for an address, and what they mean by it.

use std::net::IpAddr;

use sluice_model::{AddressError, BindAddress, ServerAddress};

use super::Misfit;

pub(super) fn misfit_bind(text: &str, error: &AddressError) -> Misfit {
    let misfit = Misfit::of(error);
    let meant = match error {
        AddressError::NoPort if is_port(text) => Some(format!(":{text}")),
        AddressError::NoPort if !text.is_empty() => Some(format!("{text}:8080")),
        AddressError::NotAnIp(_) => text.rsplit_once(':').map(|(_, port)| format!(":{port}")),
        AddressError::Unbracketed(_) => without_scheme(text).or_else(|| bracketed(text)),
        _ => None,
    };
    match meant.filter(|meant| meant.parse::<BindAddress>().is_ok()) {
        Some(meant) => misfit.help(format!("did you mean \"{meant}\"?")),
        None => misfit,
    }
}

pub(super) fn misfit_server(text: &str, error: &AddressError) -> Misfit {
    if let Some(meant) = without_scheme(text) {
        return Misfit::new("an address has no scheme and no path")
            .help(format!("did you mean \"{meant}\"?"));
    }
    let misfit = Misfit::of(error);
    let meant = match error {
        AddressError::NoHost => Some(format!("127.0.0.1{text}")),
        AddressError::NoPort if is_port(text) => Some(format!("127.0.0.1:{text}")),
        AddressError::NoPort => Some(format!("{text}:80")),
        AddressError::Unbracketed(_) => bracketed(text),
        _ => None,
    };
    match meant.filter(|meant| meant.parse::<ServerAddress>().is_ok()) {
        Some(meant) => misfit.help(format!("did you mean \"{meant}\"?")),
        None => misfit,
    }
}

pub(super) fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// `http://a:80/x` to `a:80`, with the scheme's port where there is none.
fn without_scheme(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or(rest);
    let port = if scheme == "https" { 443 } else { 80 };
    [authority.to_owned(), format!("{authority}:{port}")]
        .into_iter()
        .find(|address| address.parse::<ServerAddress>().is_ok())
}

/// `::1:80` to `[::1]:80`, `::1` to `[::1]:80`.
fn bracketed(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.parse::<IpAddr>().ok()?;
    Some(format!("[{host}]:{port}"))
}
