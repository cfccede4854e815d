//! Finds in the source of a pure floor what asks for the time, randomness, the environment, files or sockets.
//!
//! Test code is left out: items under `#[cfg(test)]` and files called `tests.rs`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::IMPURE_PATHS;

/// One line for each forbidden name in the folder's `.rs` files.
pub(crate) fn check_folder(folder: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in rust_files(folder)? {
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let found = check(&text).with_context(|| file.display().to_string())?;
        faults.extend(
            found
                .iter()
                .map(|fault| format!("{}:{fault}", file.display())),
        );
    }
    Ok(faults)
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "tests" {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs"
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// `LINE: NAME: why not` for each forbidden name.
fn check(text: &str) -> syn::Result<Vec<String>> {
    let mut finder = Finder::default();
    finder.visit_file(&syn::parse_file(text)?);
    Ok(finder.faults)
}

#[derive(Default)]
struct Finder {
    faults: Vec<String>,
}

impl Finder {
    fn check(&mut self, path: &str, line: usize) {
        for (pattern, why) in IMPURE_PATHS {
            if matches(pattern, path) {
                self.faults.push(format!("{line}: `{path}`: {why}"));
            }
        }
    }

    fn check_use(&mut self, prefix: &str, tree: &syn::UseTree) {
        let line = tree.span().start().line;
        match tree {
            syn::UseTree::Path(path) => {
                self.check_use(&joined(prefix, &path.ident.to_string()), &path.tree);
            }
            syn::UseTree::Name(name) => self.check(&joined(prefix, &name.ident.to_string()), line),
            syn::UseTree::Rename(rename) => {
                let name = joined(prefix, &rename.ident.to_string());
                self.check(&name, line);
                self.check(&format!("{name} as {}", rename.rename), line);
            }
            syn::UseTree::Glob(_) => self.check(prefix, line),
            syn::UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|tree| self.check_use(prefix, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.check_use("", &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.check(&names.join("::"), path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        // Arguments of a macro are only tokens: what they name is looked for in those.
        let line = called.span().start().line;
        let mut names = String::new();
        write_names(called.tokens.clone(), &mut names);
        for name in names.split_whitespace() {
            self.check(name.trim_matches(':'), line);
        }
    }
}

/// The paths among the tokens, apart by spaces; literals are left out.
fn write_names(tokens: TokenStream, names: &mut String) {
    let mut after_colon = false;
    for token in tokens {
        let is_colon = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ':');
        match token {
            TokenTree::Ident(ident) => {
                if !after_colon {
                    names.push(' ');
                }
                names.push_str(&ident.to_string());
            }
            TokenTree::Punct(_) if is_colon => names.push(':'),
            TokenTree::Group(group) => {
                names.push(' ');
                write_names(group.stream(), names);
                names.push(' ');
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => names.push(' '),
        }
        after_colon = is_colon;
    }
}

/// A pattern matches a path that begins with it, where it begins with `std`, or ends with it. `*` is the rest of a name.
fn matches(pattern: &str, path: &str) -> bool {
    let path = path
        .strip_prefix("core::")
        .map_or_else(|| path.to_owned(), |rest| format!("std::{rest}"));
    if let Some(start) = pattern.strip_suffix('*') {
        return path.starts_with(start);
    }
    let ends = path
        .strip_suffix(pattern)
        .is_some_and(|before| before.is_empty() || before.ends_with("::"));
    let begins = pattern.starts_with("std::")
        && path
            .strip_prefix(pattern)
            .is_some_and(|after| after.is_empty() || after.starts_with("::"));
    ends || begins
}

fn joined(prefix: &str, name: &str) -> String {
    match (prefix, name) {
        ("", name) => name.to_owned(),
        (prefix, "self") => prefix.to_owned(),
        (prefix, name) => format!("{prefix}::{name}"),
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_names_are_found_however_they_are_written() {
        for (text, name) in [
            (
                "fn f() { std::time::Instant::now(); }",
                "std::time::Instant::now",
            ),
            ("fn f() { let now = Instant::now; }", "Instant::now"),
            ("fn f() { g(SystemTime::now()) }", "SystemTime::now"),
            ("fn f() { assert!(Instant::now() > x); }", "Instant::now"),
            ("use std::env;", "std::env"),
            ("use std::{fmt, fs::File};", "std::fs::File"),
            ("use std::fs::*;", "std::fs"),
            ("use std::fs::{self};", "std::fs"),
            ("use std::net::{IpAddr, TcpStream};", "std::net::TcpStream"),
            (
                "fn f() -> std::net::UdpSocket { g() }",
                "std::net::UdpSocket",
            ),
            (
                "use std::time::Instant as Clock;",
                "std::time::Instant as Clock",
            ),
            ("use std::hash::RandomState;", "std::hash::RandomState"),
            (
                "mod inner { fn f() { std::thread::current(); } }",
                "std::thread::current",
            ),
        ] {
            let faults = check(text).expect(text);
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
            assert!(
                faults[0].starts_with(&format!("1: `{name}`: ")),
                "{text}: {faults:?}"
            );
        }
    }

    #[test]
    fn what_is_handed_in_and_what_tests_do_is_fine() {
        for text in [
            "use std::time::{Duration, Instant}; fn f(now: Instant) {}",
            "use std::net::{IpAddr, SocketAddr};",
            "#[cfg(test)] mod tests { use std::fs; fn f() { Instant::now(); } }",
            "#[cfg(test)] use std::env;",
            "// Instant::now()\nfn f() { g(\"std::fs\") }",
            "mod environment; use environment::Instant;",
            "fn f() { Clock::now(); my_std::fs(); }",
            "fn f() { println!(\"std::fs {}\", environment::std); }",
        ] {
            assert_eq!(check(text).expect(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn the_line_is_told() {
        let faults = check("fn f() {}\n\nuse std::fs;\n").expect("source");
        assert_eq!(faults, ["3: `std::fs`: files are read by those above"]);
    }
}
