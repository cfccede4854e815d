//! Origins, as browsers write them (RFC 6454, 6.1).

use sluice_route::Pattern;

use super::Misfit;

/// An origin, a pattern of such, `null` or `*`.
pub(super) fn origin(text: &str) -> Result<Pattern, Misfit> {
    let pattern = Pattern::parse(text).map_err(|error| Misfit::of(&error))?;
    if text.starts_with('~') || matches!(text, "*" | "null") {
        return Ok(pattern);
    }
    let misfit = Misfit::new("a scheme and a host, with a port where it needs one, and no path");
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(misfit.help(format!("did you mean \"https://{text}\"?")));
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.len() < rest.len() && !host.is_empty() {
        return Err(misfit.help(format!("did you mean \"{scheme}://{host}\"?")));
    }
    let lower = text.to_ascii_lowercase();
    if lower != text {
        return Err(Misfit::new("browsers write origins in lower case")
            .help(format!("did you mean \"{lower}\"?")));
    }
    let bare = host
        .strip_suffix(if scheme == "https" { ":443" } else { ":80" })
        .filter(|_| matches!(scheme, "http" | "https"));
    if let Some(bare) = bare {
        return Err(Misfit::new("browsers leave the usual port away")
            .help(format!("did you mean \"{scheme}://{bare}\"?")));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]*".contains(&byte);
    if scheme.is_empty() || host.is_empty() || !host.bytes().all(fits) {
        return Err(misfit);
    }
    Ok(pattern)
}
