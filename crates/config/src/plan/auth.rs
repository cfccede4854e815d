//! `[auth.NAME]`: ways to show who one is, and what of them a route asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sluice_auth::jwt::{Keys, Rules};
use sluice_auth::{ApiKeys, Users};

use super::{AuthId, Authorities, UpstreamId};

/// `[auth.NAME]`
#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// The name in the file.
    pub name: Arc<str>,
    /// What clients show, and to whom.
    pub kind: AuthKind,
}

impl Auth {
    /// The upstream that is asked, where one is.
    pub fn upstream(&self) -> Option<UpstreamId> {
        match &self.kind {
            AuthKind::Forward(forward) => Some(forward.upstream),
            AuthKind::Basic(_) | AuthKind::ApiKey(_) | AuthKind::Jwt(_) => None,
        }
    }

    /// The fields for the server that only this may set, in lower case: the client's of these names are dropped.
    pub fn own_fields(&self) -> Vec<Box<str>> {
        match &self.kind {
            AuthKind::Forward(forward) => forward.copied.to_vec(),
            AuthKind::Basic(basic) => {
                let shown = basic.strips.then(|| AUTHORIZATION.into());
                shown.into_iter().chain(basic.name_field.clone()).collect()
            }
            AuthKind::Jwt(jwt) => {
                let shown = jwt.strips.then(|| AUTHORIZATION.into());
                let told = jwt.claims.iter().map(|(_, field)| field.clone());
                shown.into_iter().chain(told).collect()
            }
            AuthKind::ApiKey(key) => {
                let shown = match &key.place {
                    KeyPlace::Field(name) if key.strips => Some(name.clone()),
                    KeyPlace::Field(_) | KeyPlace::Parameter(_) => None,
                };
                shown.into_iter().chain(key.name_field.clone()).collect()
            }
        }
    }

    /// Where the keys of its tokens are fetched from, where they are.
    pub fn key_source(&self) -> Option<&KeySource> {
        match &self.kind {
            AuthKind::Jwt(jwt) => match &jwt.keys {
                TokenKeys::Shown(source) => Some(source),
                TokenKeys::Known { .. } => None,
            },
            AuthKind::Forward(_) | AuthKind::Basic(_) | AuthKind::ApiKey(_) => None,
        }
    }

    /// The file it was made from.
    pub fn file(&self) -> Option<&Path> {
        match &self.kind {
            AuthKind::Forward(_) => None,
            AuthKind::Basic(basic) => Some(&basic.file),
            AuthKind::ApiKey(key) => Some(&key.file),
            AuthKind::Jwt(jwt) => match &jwt.keys {
                TokenKeys::Known { file, .. } => file.as_deref(),
                TokenKeys::Shown(source) => source.authorities.as_ref()?.file.as_deref(),
            },
        }
    }
}

/// What clients show, and to whom.
#[derive(Clone, Debug, PartialEq)]
pub enum AuthKind {
    /// `forward`
    Forward(Arc<ForwardAuth>),
    /// `basic`
    Basic(Arc<BasicAuth>),
    /// `api-key`
    ApiKey(Arc<ApiKeyAuth>),
    /// `jwt`
    Jwt(Arc<JwtAuth>),
}

/// `forward`: another service is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ForwardAuth {
    /// Whose servers are asked: `upstream`, or the one that stands for `url`.
    pub upstream: UpstreamId,
    /// What the service is called in `Host`.
    pub host: Box<str>,
    /// The path and query that are asked for.
    pub target: Box<str>,
    /// `timeout`: of all of it.
    pub timeout: Duration,
    /// `request-headers`, in lower case; `None` passes all of them on.
    pub passed: Option<Box<[Box<str>]>>,
    /// `copy-headers`, in lower case.
    pub copied: Box<[Box<str>]>,
    /// `on-failure = "allow"`
    pub allows_on_failure: bool,
}

/// `basic`: a name and a password.
#[derive(Clone, Debug, PartialEq)]
pub struct BasicAuth {
    /// `users`, and what is in it.
    pub file: PathBuf,
    /// Who has a password.
    pub users: Users,
    /// The value of `WWW-Authenticate`, made of `realm`.
    pub challenge: Box<str>,
    /// `name-header`, in lower case.
    pub name_field: Option<Box<str>>,
    /// `strip`
    pub strips: bool,
}

/// `api-key`
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKeyAuth {
    /// `keys`, and what is in it.
    pub file: PathBuf,
    /// The keys that let in.
    pub keys: ApiKeys,
    /// Where clients have it.
    pub place: KeyPlace,
    /// The value of `WWW-Authenticate`.
    pub challenge: Box<str>,
    /// `name-header`, in lower case.
    pub name_field: Option<Box<str>>,
    /// `strip`
    pub strips: bool,
}

/// `jwt`: a signed token.
#[derive(Clone, Debug, PartialEq)]
pub struct JwtAuth {
    /// By what tokens are signed.
    pub keys: TokenKeys,
    /// What else they have to be.
    pub rules: Rules,
    /// `claims-to-headers`: claims, and the fields for them in lower case.
    pub claims: ToldClaims,
    /// `strip`
    pub strips: bool,
}

/// By what tokens are signed.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenKeys {
    /// By keys that are known since the plan was loaded.
    Known {
        /// Where they were read from, where they are in a file.
        file: Option<PathBuf>,
        /// The keys.
        keys: Keys,
    },
    /// By keys that their issuer shows, and may replace at any time.
    Shown(KeySource),
}

/// Where an issuer shows its keys: `jwks` with a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    /// `http` or `https`, without user or fragment.
    pub url: Box<str>,
    /// `ca`, or whom this machine trusts; `None` for `http`.
    pub authorities: Option<Authorities>,
    /// `refresh`: how old the keys may become; `None` goes by what the issuer says.
    pub refresh: Option<Duration>,
}

/// Claims, and the fields for them.
pub type ToldClaims = Box<[(Box<str>, Box<str>)]>;

/// Where clients have a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// `header`, in lower case
    Field(Box<str>),
    /// `query`
    Parameter(Box<str>),
}

const AUTHORIZATION: &str = "authorization";

/// `auth` of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteAuth {
    /// Any one of these lets in. At least one.
    pub any: Box<[AuthId]>,
    /// The client's fields that are not passed on, in lower case: those that only these may set.
    pub dropped: Box<[Box<str>]>,
}
