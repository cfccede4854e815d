//! Field sections of HTTP/3: any bytes in, and what is read is written and read again.

use sluice_wire::qpack::{DecodeError, Encoder, decode};

/// Panics where a rule is broken.
pub(crate) fn check(input: &[u8]) {
    let Ok(fields) = decoded(input) else {
        return;
    };
    let mut again = Vec::new();
    Encoder.begin(&mut again);
    for (name, value) in &fields {
        Encoder.field(name, value, &mut again);
    }
    assert_eq!(decoded(&again), Ok(fields));
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn decoded(section: &[u8]) -> Result<Fields, DecodeError> {
    let mut fields = Vec::new();
    decode(section, &mut Vec::new(), |name, value| {
        fields.push((name.to_vec(), value.to_vec()));
    })?;
    Ok(fields)
}
