//! By what requests are told apart: the keys of hashes, of limits and of splits.

use super::{Misfit, field_name};
use crate::plan::HashKey;
use crate::suggest::{closest, same_word};

pub(super) fn hash_key(text: &str) -> Result<HashKey, Misfit> {
    let name = |name: &str| match field_name(name) {
        Ok(()) => Ok(name.to_owned()),
        Err(_) if name.is_empty() => Err(Misfit::new("the name is missing")),
        Err(misfit) => Err(misfit),
    };
    match text.split_once(':') {
        None if text == "client-ip" => Ok(HashKey::ClientIp),
        None if text == "path" => Ok(HashKey::Path),
        Some(("header", of)) => Ok(HashKey::Header(name(of)?.to_ascii_lowercase().into())),
        Some(("cookie", of)) => Ok(HashKey::Cookie(name(of)?.into())),
        None if text == "auth-name" => Ok(HashKey::AuthName),
        Some(("query", "")) => Err(Misfit::new("the name is missing")),
        Some(("jwt", "")) => Err(Misfit::new("the name of the claim is missing")),
        Some(("jwt", of)) => Ok(HashKey::Claim(of.into())),
        Some(("query", of)) => Ok(HashKey::Query(of.into())),
        _ => Err(no_hash_key(text)),
    }
}

fn no_hash_key(text: &str) -> Misfit {
    let misfit = Misfit::new(
        "it is client-ip, path, header:NAME, cookie:NAME, query:NAME, jwt:CLAIM or auth-name",
    );
    let (word, name) = text.split_once(':').unwrap_or((text, "NAME"));
    let known = [
        "client-ip",
        "path",
        "header",
        "cookie",
        "query",
        "jwt",
        "auth-name",
    ];
    match closest(word, known) {
        _ if is_address(text) => misfit.help("did you mean \"client-ip\"?"),
        Some(meant @ ("client-ip" | "path" | "auth-name")) => {
            misfit.help(format!("did you mean \"{meant}\"?"))
        }
        Some(meant) => misfit.help(format!("did you mean \"{meant}:{name}\"?")),
        None if field_name(text).is_ok() => misfit.help(format!("did you mean \"header:{text}\"?")),
        None => misfit,
    }
}

/// What others call the client's address.
pub(super) fn is_address(word: &str) -> bool {
    let others = [
        "ip",
        "address",
        "addr",
        "source",
        "source-ip",
        "src",
        "remote-addr",
        "remote-ip",
    ];
    others.iter().any(|other| same_word(word, other))
}
