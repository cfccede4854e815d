//! What is said of wrong files: each file of `wrong/` with its report as a snapshot.

use crate::world::{World, files};
use sluice_config::{Source, load};

#[test]
fn wrong_files() {
    let files = files("wrong");
    assert!(files.len() >= 60, "only {} wrong files", files.len());
    for source in files {
        let report = match load(&source, &World) {
            Ok(loaded) => loaded.warnings,
            Err(report) => report,
        };
        assert!(!report.is_empty(), "nothing is said of {}", source.name);
        let shown = format!("{report:?}\n{}", report.render(true));
        assert!(
            !shown.contains("hunter2"),
            "{}: a secret is shown: {shown}",
            source.name
        );
        insta::with_settings!({
            snapshot_path => "../wrong",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            let name = source.name.trim_end_matches(".toml").to_owned();
            insta::assert_snapshot!(name, report.render(false));
        });
    }
}

#[test]
fn only_so_many_are_shown() {
    let keys: Vec<String> = (0..150)
        .map(|number| format!("unknown-{number} = 1"))
        .collect();
    let keys = keys.join(
        "
",
    );
    let source = Source {
        name: "sluice.toml".to_owned(),
        text: format!(
            "[listeners.web]\naddress = \":80\"\n[upstreams.app]\nservers = [\"a:80\"]\n{keys}"
        ),
    };
    let report = load(&source, &World).expect_err("150 mistakes");
    assert_eq!(report.errors(), 150);
    let shown = report.render(false);
    assert_eq!(shown.matches("error: unknown key").count(), 100);
    assert!(
        shown.ends_with("and 50 more\n\nsluice.toml: 150 errors\n"),
        "{shown}"
    );
}

#[test]
fn coloured_only_when_asked() {
    let source = Source {
        name: "sluice.toml".to_owned(),
        text: "x = 1".to_owned(),
    };
    let report = load(&source, &World).expect_err("a mistake");
    assert!(report.render(true).contains('\u{1b}'));
    assert!(!report.render(false).contains('\u{1b}'));
}
