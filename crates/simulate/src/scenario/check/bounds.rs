//! Numbers within their bounds, and what is said where they are not.

use std::ops::Range;

use toml::Spanned;

use super::Fault;

pub(super) fn number<N: Copy + PartialOrd + std::fmt::Display>(
    given: Option<&Spanned<N>>,
    default: N,
    least: N,
    most: N,
    key: &str,
) -> Result<N, Fault> {
    let Some(given) = given else {
        return Ok(default);
    };
    let value = *given.get_ref();
    if value < least || value > most {
        let message = format!("`{key}` must be between {least} and {most}");
        return Err(Fault::new(given.span(), message));
    }
    Ok(value)
}

pub(super) fn within(
    span: &Range<usize>,
    value: u64,
    least: u64,
    most: u64,
    what: &str,
) -> Result<(), Fault> {
    if value < least || value > most {
        let message = format!("there must be between {least} and {most} {what}, not {value}");
        return Err(Fault::new(span.clone(), message));
    }
    Ok(())
}

pub(super) fn factor(given: Option<&Spanned<f64>>, default: f64, key: &str) -> Result<f64, Fault> {
    let Some(given) = given else {
        return Ok(default);
    };
    above(&given.span(), *given.get_ref(), 0.0, key)?;
    Ok(*given.get_ref())
}

pub(super) fn above(span: &Range<usize>, value: f64, bound: f64, key: &str) -> Result<(), Fault> {
    if value > bound && value.is_finite() {
        Ok(())
    } else {
        Err(Fault::new(
            span.clone(),
            format!("`{key}` must be above {bound}"),
        ))
    }
}

pub(super) fn share(span: &Range<usize>, share: f64) -> Result<(), Fault> {
    if share <= 1.0 {
        Ok(())
    } else {
        Err(Fault::new(span.clone(), "a share is 100% at most"))
    }
}
