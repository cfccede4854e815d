//! After a head was refused: which rule it broke. And before a head is whole: whether it broke one already.

use super::connection::is_token_byte;
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
        let name_len = line.iter().take_while(|byte| is_token_byte(**byte)).count();
        let value = match line.get(name_len..) {
            Some([b':', value @ ..]) if name_len > 0 => value,
            Some([b' ' | b'\t', ..]) => return FieldsError::SpaceInName,
            _ => return FieldsError::Name,
        };
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
