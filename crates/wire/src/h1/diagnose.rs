//! After a head was refused: which rule it broke. And before a head is whole: whether it broke one already.

use super::connection::is_token;
use super::error::FieldsError;

/// Names what is wrong with the fields of a head that the parser has refused.
#[cold]
pub(super) fn fields(input: &[u8]) -> FieldsError {
    let lines = input.split(|&byte| byte == b'\n').skip(1);
    for line in lines {
        let (line, ended) = match line {
            [line @ .., b'\r'] => (line, true),
            _ => (line, false),
        };
        if line.is_empty() {
            break;
        }
        if matches!(line, [b' ' | b'\t', ..]) {
            return FieldsError::Folded;
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            return FieldsError::Name;
        };
        let (name, value) = line.split_at(colon);
        if !is_token(name) {
            return match name {
                [name @ .., b' ' | b'\t'] if is_token(name.trim_ascii_end()) => {
                    FieldsError::SpaceBeforeColon
                }
                _ => FieldsError::Name,
            };
        }
        if value.contains(&b'\r') {
            return FieldsError::LineEnd;
        }
        if value
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
        {
            return FieldsError::Value;
        }
        if !ended {
            return FieldsError::LineEnd;
        }
    }
    FieldsError::Name
}

/// Finds LF alone in a head that is not whole yet, so that its sender need not be waited for.
pub(super) fn check_partial_lines(input: &[u8]) -> Result<(), FieldsError> {
    for at in memchr::memchr_iter(b'\n', input) {
        if at == 0 || input.get(at - 1) != Some(&b'\r') {
            return Err(FieldsError::LineEnd);
        }
    }
    Ok(())
}
