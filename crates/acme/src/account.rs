//! The account with an authority: made once, kept on disk.

use std::path::Path;

use instant_acme::{Account, AccountCredentials, NewAccount};
use serde::{Deserialize, Serialize};
use sluice_config::plan::Acme;

use crate::failure::Failure;
use crate::https::Https;
use crate::storage::Storage;

/// What is kept of an account.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// As the authority knows it.
    contact: Option<String>,
    credentials: AccountCredentials,
}

/// The account that is kept, or a new one. For each account this runs once at a time.
pub(crate) async fn obtain(
    acme: &Acme,
    storage: &Storage,
    https: &Https,
) -> Result<Account, Failure> {
    let path = storage.account();
    match Storage::read(&path)? {
        Some(text) => known(acme, storage, https, &path, &text).await,
        None => new(acme, storage, https, &path).await,
    }
}

/// Puts an account aside that the authority does not know; the next order makes another.
pub(crate) fn forget(storage: &Storage) -> Result<(), Failure> {
    Ok(Storage::set_aside(&storage.account())?)
}

async fn known(
    acme: &Acme,
    storage: &Storage,
    https: &Https,
    path: &Path,
    text: &str,
) -> Result<Account, Failure> {
    let kept: Kept = serde_json::from_str(text).map_err(|error| {
        Failure::Internal(format!(
            "{} is no account: {error}; move it away and a new one is made",
            path.display()
        ))
    })?;
    let account = builder(https).from_credentials(kept.credentials).await?;
    if kept.contact.as_deref() != acme.contact.as_deref() {
        let contact = contact(acme);
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        account.update_contacts(&contact).await?;
        let again: Kept =
            serde_json::from_str(text).map_err(|error| Failure::Internal(error.to_string()))?;
        keep(acme, storage, path, again.credentials)?;
    }
    Ok(account)
}

async fn new(
    acme: &Acme,
    storage: &Storage,
    https: &Https,
    path: &Path,
) -> Result<Account, Failure> {
    let contact = contact(acme);
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let wanted = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) = builder(https)
        .create(&wanted, acme.directory.to_string(), None)
        .await?;
    keep(acme, storage, path, credentials)?;
    tracing::info!(directory = %acme.directory, file = %path.display(), "an account with an authority was made");
    Ok(account)
}

fn keep(
    acme: &Acme,
    storage: &Storage,
    path: &Path,
    credentials: AccountCredentials,
) -> Result<(), Failure> {
    let kept = Kept {
        contact: acme.contact.as_deref().map(str::to_owned),
        credentials,
    };
    let text = serde_json::to_string_pretty(&kept)
        .map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(storage.write(path, &text)?)
}

fn contact(acme: &Acme) -> Vec<String> {
    let contact = acme.contact.as_deref();
    contact
        .map(|mail| format!("mailto:{mail}"))
        .into_iter()
        .collect()
}

fn builder(https: &Https) -> instant_acme::AccountBuilder {
    Account::builder_with_http(Box::new(https.clone()))
}
