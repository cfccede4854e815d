//! A value of the file as a text of JSON.

use super::Reader;
use crate::schema::Key;
use crate::syntax::{Value, ValueKind};

impl Reader<'_> {
    /// The text; `None` where JSON has no such value, which is then reported.
    pub(super) fn json(&mut self, value: &Value, key: &'static Key) -> Option<String> {
        let mut text = String::new();
        self.write_json(value, key, &mut text)?;
        Some(text)
    }

    fn write_json(&mut self, value: &Value, key: &'static Key, out: &mut String) -> Option<()> {
        match &value.kind {
            ValueKind::Text(text) => write_string(&text.value, out),
            ValueKind::Integer(number) => out.push_str(&number.to_string()),
            ValueKind::Fraction(number) if number.is_finite() => {
                out.push_str(&serde_json::Value::from(*number).to_string());
            }
            ValueKind::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            ValueKind::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    self.write_json(item, key, out)?;
                }
                out.push(']');
            }
            ValueKind::Table(table) => {
                out.push('{');
                for (index, entry) in table.entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_string(&entry.key, out);
                    out.push(':');
                    self.write_json(&entry.value, key, out)?;
                }
                out.push('}');
            }
            ValueKind::Reported => return None,
            ValueKind::Fraction(_) | ValueKind::Other(_) => {
                let message = format!("JSON has no such value for `{}`", key.name);
                self.findings.error(&value.span, message);
                return None;
            }
        }
        Some(())
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}
