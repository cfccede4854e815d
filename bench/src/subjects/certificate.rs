//! The certificate that all subjects show: ECDSA on P-256, made anew for each start.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::load::ciphered::HOST;

/// Writes `cert.pem`, `key.pem` and, for who wants them in one file, `both.pem` below `directory`.
pub(super) fn write(directory: &Path) -> Result<()> {
    let made =
        rcgen::generate_simple_self_signed([HOST.to_owned()]).context("making a certificate")?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let both = format!("{certificate}{key}");
    for (name, text) in [
        ("cert.pem", &certificate),
        ("key.pem", &key),
        ("both.pem", &both),
    ] {
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
