//! The third stage: by the schema, the tree becomes values of the right types.
//!
//! Unknown keys, keys that are not supported yet, wrong types, texts of a wrong form and missing keys are found here,
//! for every key alike. Defaults are filled in. What was reported is left out of the result but remembered, so that
//! later stages do not complain about it again.

mod json;
mod meant;
mod scalar;
mod section;
mod unknown;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use sluice_limit::Rate;
use sluice_model::{BindAddress, Country, ServerAddress};
use sluice_route::{HostPattern, Origin, PathPattern, Pattern};

use crate::Surroundings;
use crate::diagnostic::{Diagnostic, Findings, Span};
use crate::form;
use crate::interpolate;
use crate::plan::{
    FailureKind, HashKey, HedgeAfter, JsonTest, KeyPart, LoadReport, LogTarget, RedisAddress,
    Secret,
};
use crate::schema::{Default, Form, Key, Kind, Shape};
use crate::syntax::{self, Entry, Table, Value, ValueKind};

pub(crate) use section::{FromTyped, Section};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) span: Span,
    pub(crate) typed: Typed,
}

/// A value of a type that its key takes.
#[derive(Clone, Debug)]
pub(crate) enum Typed {
    Text(String),
    Flag(bool),
    Number(i64),
    Decimal(f32),
    /// In percent.
    Share(u8),
    Duration(Duration),
    Size(u64),
    /// In bytes a second.
    Rate(u64),
    /// One of a choice.
    Word(&'static str),
    Bind(BindAddress),
    Server(ServerAddress),
    Ip(IpAddr),
    Network(IpNet),
    Country(Country),
    Origin(Origin),
    Secret(Secret),
    Host(HostPattern),
    Path(PathPattern),
    Pattern(Pattern),
    LogTarget(LogTarget),
    HashKey(HashKey),
    LoadReport(LoadReport),
    Failure(FailureKind),
    HedgeAfter(HedgeAfter),
    /// The first and the last of them.
    Statuses((u16, u16)),
    JsonTest(JsonTest),
    Datagram(Vec<u8>),
    Redis(RedisAddress),
    RequestRate(Rate),
    LimitKey(KeyPart),
    List(Vec<Read>),
    /// Names of header fields with their values. Either may be [`Typed::Wrong`].
    Fields(Vec<(Read, Read)>),
    /// Texts of a form, each with its value.
    Map(Vec<(Read, Read)>),
    Table(Section),
    /// One for each name that the user gave, or for each item of a list of tables.
    Tables(Vec<Section>),
    /// What cannot be used, and was reported.
    Wrong,
}

/// Reads `table`, the file, by its `shape`.
pub(crate) fn read(
    table: &Table,
    shape: &'static Shape,
    source: &str,
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) -> Section {
    let mut reader = Reader {
        source,
        surroundings,
        findings,
    };
    reader.section(table, Section::new(shape, 0..0, "the file".to_owned()))
}

/// Reads `table`, which is one under a name.
pub(crate) fn named_table(
    table: &Table,
    shape: &'static Shape,
    name: &str,
    source: &str,
    surroundings: &dyn Surroundings,
    findings: &mut Findings,
) -> Section {
    let mut reader = Reader {
        source,
        surroundings,
        findings,
    };
    let place = shape.place.replace("NAME", name);
    let section = Section::new(shape, table.span.clone(), place).named(name, &table.span);
    reader.section(table, section)
}

/// A table of this shape in which nothing is set: only defaults.
pub(crate) fn nothing_set(shape: &'static Shape) -> Section {
    let mut findings = Findings::default();
    let mut reader = Reader {
        source: "",
        surroundings: &NoSurroundings,
        findings: &mut findings,
    };
    let table = Table {
        span: 0..0,
        entries: Vec::new(),
    };
    reader.section(&table, Section::new(shape, 0..0, shape.place.to_owned()))
}

/// For what refers to nothing beyond itself.
struct NoSurroundings;

impl Surroundings for NoSurroundings {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn secret(&self, _: &std::path::Path) -> Result<String, String> {
        Err("there are no files here".to_owned())
    }
}

struct Reader<'a> {
    source: &'a str,
    surroundings: &'a dyn Surroundings,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    /// Fills an empty section with what `table` says, then with defaults.
    fn section(&mut self, table: &Table, mut section: Section) -> Section {
        for entry in &table.entries {
            match section.shape.key(&entry.key) {
                None => {
                    // What was meant is not missing, then.
                    if let Some(key) = self.unknown_key(entry, &section) {
                        self.hide_secret(&entry.value, &key.kind);
                        section.insert(key, &entry.key_span, None);
                    }
                }
                Some(key) if matches!(key.kind, Kind::NotYet) => {
                    self.not_yet(entry);
                    section.insert(key, &entry.key_span, None);
                }
                Some(key) => {
                    self.hide_secret(&entry.value, &key.kind);
                    let read = self.value(&entry.value, &key.kind, key, &section.place);
                    section.insert(key, &entry.key_span, read);
                }
            }
        }
        for key in section.shape.built() {
            if section.set_at(key.name).is_some() {
                continue;
            }
            match key.default {
                Default::Required(example) => {
                    self.missing(key, &section, example);
                    section.insert(key, &table.span, None);
                }
                Default::Is(text) => {
                    let read = Self::default(key, text);
                    section.insert_default(key, read);
                }
                Default::Absent(_) | Default::Depends(_) => {}
            }
        }
        section
    }

    /// Keeps a secret that stands in the file itself out of every message that shows its line.
    fn hide_secret(&mut self, value: &Value, kind: &Kind) {
        let written = self.source.get(value.span.clone()).unwrap_or_default();
        let is_secret = match kind {
            Kind::Secret { .. } => true,
            Kind::Text(form) => form.hides(written),
            _ => false,
        };
        if is_secret && !interpolate::only_refers(written) {
            self.findings.hide(&value.span);
        }
    }

    fn not_yet(&mut self, entry: &Entry) {
        self.findings.error(
            &entry.key_span,
            format!("`{}` is not supported yet", entry.key),
        );
    }

    fn missing(&mut self, key: &Key, section: &Section, example: &str) {
        let diagnostic = match key.kind {
            Kind::Named(_) | Kind::Tables(_) => {
                Diagnostic::error_without_place(format!("there are no {}", key.name))
                    .help(format!("begin with `{example}`"))
            }
            _ => Diagnostic::error(
                section.span.clone(),
                format!("`{}` is missing from {}", key.name, section.place),
            )
            .help(format!("for example `{} = {example}`", key.name)),
        };
        self.findings.push(diagnostic);
    }

    /// The schema states defaults as they would be written, so they are read like everything else.
    fn default(key: &'static Key, text: &str) -> Option<Read> {
        let mut findings = Findings::default();
        let source = format!("default = {text}");
        let parsed = syntax::parse(&source, &mut findings);
        let value = &parsed.table.entries.first()?.value;
        let mut reader = Reader {
            source: &source,
            surroundings: &NoSurroundings,
            findings: &mut findings,
        };
        let read = reader.value(value, &key.kind, key, &format!("`[{}]`", key.name));
        debug_assert!(
            !findings.has_errors(),
            "the default of `{}` is wrong: {findings:?}",
            key.name
        );
        read
    }

    /// `None` where the value is wrong, which is then reported.
    fn value(
        &mut self,
        value: &Value,
        kind: &'static Kind,
        key: &'static Key,
        place: &str,
    ) -> Option<Read> {
        let typed = match (kind, &value.kind) {
            (_, ValueKind::Reported) => None,
            (Kind::Either(kinds), _) => {
                return match scalar::fitting(value, kinds) {
                    Some(kind) => self.value(value, kind, key, place),
                    None => self.mismatch(value, kind, key),
                };
            }
            (Kind::List { item, min }, ValueKind::List(items)) => {
                self.list(items, item, *min, value, key, place)
            }
            (Kind::OneOrList(item), ValueKind::List(items)) => {
                self.list(items, item, 1, value, key, place)
            }
            (Kind::OneOrList(item), _) => {
                let one = self.value(value, item, key, place)?;
                Some(Typed::List(vec![one]))
            }
            (Kind::Fields(item), ValueKind::Table(table)) => {
                Some(self.fields(table, item, key, place))
            }
            (Kind::Map { key: form, item }, ValueKind::Table(table)) => {
                self.map(table, *form, item, value, key, place)
            }
            (Kind::Json, _) => self.json(value, key).map(Typed::Text),
            (Kind::Table(shape), ValueKind::Table(table)) => {
                let place = within(shape, place, key);
                let section = Section::new(shape, value.span.clone(), place);
                Some(Typed::Table(self.section(table, section)))
            }
            (Kind::Named(shape), ValueKind::Table(table)) => self.named(table, shape, key),
            (Kind::Tables(shape), ValueKind::List(items)) => Some(self.tables(items, shape, key)),
            _ => return self.scalar(value, kind, key),
        };
        Some(Read {
            span: value.span.clone(),
            typed: typed?,
        })
    }

    fn list(
        &mut self,
        items: &[Value],
        item: &'static Kind,
        min: usize,
        value: &Value,
        key: &'static Key,
        place: &str,
    ) -> Option<Typed> {
        if items.len() < min {
            self.findings
                .error(&value.span, format!("`{}` is empty", key.name));
            return None;
        }
        let right: Vec<_> = items
            .iter()
            .filter_map(|value| self.value(value, item, key, place))
            .collect();
        // A list of which nothing is left would mean something else.
        let is_wrong = right.is_empty() && !items.is_empty();
        (!is_wrong).then_some(Typed::List(right))
    }

    fn fields(
        &mut self,
        table: &Table,
        item: &'static Kind,
        key: &'static Key,
        place: &str,
    ) -> Typed {
        let wrong = |span: &Span| Read {
            span: span.clone(),
            typed: Typed::Wrong,
        };
        let mut fields = Vec::with_capacity(table.entries.len());
        for entry in &table.entries {
            if let Err(misfit) = form::field_name(&entry.key) {
                self.findings.push(
                    Diagnostic::error(
                        entry.key_span.clone(),
                        format!("`{}` is not the name of a header field", entry.key),
                    )
                    .label(misfit.reason)
                    .maybe_help(misfit.help),
                );
                fields.push((wrong(&entry.key_span), wrong(&entry.value.span)));
                continue;
            }
            let name = Read {
                span: entry.key_span.clone(),
                typed: Typed::Text(entry.key.to_ascii_lowercase()),
            };
            let read = self.value(&entry.value, item, key, place);
            fields.push((name, read.unwrap_or_else(|| wrong(&entry.value.span))));
        }
        Typed::Fields(fields)
    }

    fn map(
        &mut self,
        table: &Table,
        form: Form,
        item: &'static Kind,
        value: &Value,
        key: &'static Key,
        place: &str,
    ) -> Option<Typed> {
        if table.entries.is_empty() {
            self.findings
                .error(&value.span, format!("`{}` is empty", key.name));
            return None;
        }
        let mut all = Vec::with_capacity(table.entries.len());
        for entry in &table.entries {
            let name = match form.parse(&entry.key) {
                Ok(typed) => Some(Read {
                    span: entry.key_span.clone(),
                    typed,
                }),
                Err(misfit) => {
                    let message = format!("`{}` is not {}", entry.key, form.noun());
                    self.findings.push(
                        Diagnostic::error(entry.key_span.clone(), message)
                            .label(misfit.reason)
                            .maybe_help(misfit.help),
                    );
                    None
                }
            };
            let read = self.value(&entry.value, item, key, place);
            all.push(name.zip(read));
        }
        all.into_iter().collect::<Option<_>>().map(Typed::Map)
    }

    fn named(&mut self, table: &Table, shape: &'static Shape, key: &'static Key) -> Option<Typed> {
        if table.entries.is_empty() {
            self.findings.push(
                Diagnostic::error(table.span.clone(), format!("there are no {}", key.name))
                    .help(format!("begin with `[{}.NAME]`", key.name)),
            );
            return None;
        }
        let mut sections = Vec::with_capacity(table.entries.len());
        for entry in &table.entries {
            let ValueKind::Table(table) = &entry.value.kind else {
                self.not_under_a_name(entry, shape, key);
                // The others are then keys of the same table without a name.
                return None;
            };
            if let Err(misfit) = form::name(&entry.key) {
                self.findings.push(
                    Diagnostic::error(
                        entry.key_span.clone(),
                        format!("`{}` is not a name", entry.key),
                    )
                    .label(misfit.reason),
                );
            }
            let place = format!("`[{}.{}]`", key.name, entry.key);
            let section = Section::new(shape, entry.value.span.clone(), place)
                .named(&entry.key, &entry.key_span);
            sections.push(self.section(table, section));
        }
        Some(Typed::Tables(sections))
    }

    /// `[listeners]` with `address = …` right below.
    fn not_under_a_name(&mut self, entry: &Entry, shape: &'static Shape, key: &'static Key) {
        if matches!(entry.value.kind, ValueKind::Reported) {
            return;
        }
        let diagnostic = if shape.key(&entry.key).is_some() {
            Diagnostic::error(
                entry.key_span.clone(),
                format!("`{}` stands outside of a named table", entry.key),
            )
            .help(format!("give the table a name: `[{}.NAME]`", key.name))
        } else {
            Diagnostic::error(
                entry.key_span.clone(),
                format!(
                    "`{}.{}` is a table, not {}",
                    key.name,
                    entry.key,
                    entry.value.kind.noun()
                ),
            )
            .help(format!("write `[{}.{}]`", key.name, entry.key))
        };
        self.findings.push(diagnostic);
    }

    fn tables(&mut self, items: &[Value], shape: &'static Shape, key: &'static Key) -> Typed {
        let mut sections = Vec::with_capacity(items.len());
        for item in items {
            match &item.kind {
                ValueKind::Table(table) => {
                    let section =
                        Section::new(shape, item.span.clone(), format!("`[[{}]]`", key.name));
                    sections.push(self.section(table, section));
                }
                ValueKind::Reported => {}
                other => {
                    let message = format!("`{}` holds tables, not {}", key.name, other.noun());
                    self.findings.push(
                        Diagnostic::error(item.span.clone(), message)
                            .help(format!("write each as `[[{}]]`", key.name)),
                    );
                }
            }
        }
        Typed::Tables(sections)
    }
}

/// What a table within a table is called: `match` of `[[routes]]`.
fn within(shape: &Shape, place: &str, key: &Key) -> String {
    if shape.place.contains(" of ") {
        format!("`{}` of {place}", key.name)
    } else {
        shape.place.to_owned()
    }
}
