//! Certificates that several listeners have issued.

use crate::build::HalfListener;
use crate::diagnostic::{Diagnostic, Findings, Span};
use crate::plan::Acme;
use crate::read::Section;

/// One and the same certificate is ordered once, so there is one way to order it.
pub(super) fn orders(file: &Section, listeners: &[Option<HalfListener>], findings: &mut Findings) {
    let mut known: Vec<(&Acme, Span)> = Vec::new();
    for (section, half) in file.tables("listeners").iter().zip(listeners) {
        let wanted = half.as_ref().and_then(HalfListener::acme);
        let table = section.table("tls").and_then(|tls| tls.table("acme"));
        let (Some(acme), Some(table)) = (wanted, table) else {
            continue;
        };
        let Some((first, at)) = known.iter().find(|(other, _)| other.is_same_order(acme)) else {
            known.push((acme, table.span.clone()));
            continue;
        };
        let differs = [
            ("contact", first.contact != acme.contact),
            ("ca", first.authorities != acme.authorities),
            // What was chosen by the port of one does for both.
            (
                "challenge",
                first.challenge != acme.challenge && table.set_at("challenge").is_some(),
            ),
        ];
        if let Some((key, _)) = differs.iter().find(|(_, differs)| *differs) {
            let span = table.set_at(key).unwrap_or(&table.span);
            findings.push(
                Diagnostic::error(
                    span.clone(),
                    format!("`{key}` differs between two listeners that share a certificate"),
                )
                .related(at.clone(), "the same domains are ordered here")
                .help(format!("it is ordered once for both: set `{key}` alike")),
            );
        }
    }
}
