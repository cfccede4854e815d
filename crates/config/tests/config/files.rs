//! The files of the repository: every example is right, and the whole language is known.

use crate::world::{World, files, repository};
use sluice_config::plan::{Action, Protocol};
use sluice_config::{Severity, Source, from_addresses, load};

#[test]
fn examples() {
    let files = files("../../../examples");
    assert!(files.len() >= 7, "only {} examples", files.len());
    for source in files {
        let loaded = load(&source, &World).unwrap_or_else(|report| panic!("{report}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    }
}

/// One upstream and no routes: everything goes there.
#[test]
fn the_smallest_file() {
    let source = files("../../../examples")
        .into_iter()
        .find(|source| source.name == "smallest.toml")
        .expect("examples/smallest.toml");
    let plan = load(&source, &World)
        .unwrap_or_else(|report| panic!("{report}"))
        .plan;
    assert_eq!(plan.routes.len(), 1);
    assert_eq!(&*plan.routes[0].name, "default");
    assert!(matches!(plan.routes[0].action, Action::Forward(upstream) if upstream.0 == 0));
    let Protocol::Http(http) = &plan.listeners[0].protocol else {
        panic!("not http");
    };
    assert_eq!(http.router.rules().len(), 1);
}

/// What the language has and this version has not is said to be so, and nothing else is said.
#[test]
fn the_whole_language_is_known() {
    for source in files("language") {
        let report = load(&source, &World).expect_err("not all of it is supported");
        for diagnostic in report.diagnostics() {
            assert_eq!(
                diagnostic.severity,
                Severity::Error,
                "{}",
                diagnostic.message
            );
            assert!(
                diagnostic.message.ends_with("is not supported yet"),
                "{}",
                diagnostic.message
            );
        }
    }
}

#[test]
fn from_the_command_line() {
    let loaded = from_addresses(
        &[":8080", "[::1]:8081"],
        &["127.0.0.1:9001", "localhost:9002"],
    )
    .unwrap_or_else(|report| panic!("{report}"));
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let source = Source {
        name: "the same".to_owned(),
        text: "
            [listeners.http]
            address = \":8080\"
            [listeners.http-2]
            address = \"[::1]:8081\"
            [upstreams.servers]
            servers = [\"127.0.0.1:9001\", \"localhost:9002\"]
        "
        .to_owned(),
    };
    let same = load(&source, &World).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(loaded.plan, same.plan);
}

#[test]
fn mistakes_on_the_command_line() {
    let mut shown = String::new();
    for (listen, to) in [
        (&["8080"][..], &["127.0.0.1:9001"][..]),
        (
            &[":8080", ":8080"],
            &["http://127.0.0.1:9001", "${HOST}:80"],
        ),
        (&[":8080"], &["127.0.0.1:8080"]),
        (&[":8080"], &[]),
        (&[], &[]),
    ] {
        let report = from_addresses(listen, to).expect_err("a mistake");
        shown.push_str(&report.render(false));
        shown.push('\n');
    }
    insta::with_settings!({
        snapshot_path => "../wrong",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("command-line", shown);
    });
}

/// Whoever copies a whole file from a page has one that works.
#[test]
fn whole_files_on_pages() {
    let pages = std::fs::read_dir(repository().join("docs")).expect("the folder is there");
    let mut count = 0;
    let mut wrong = String::new();
    for page in pages {
        let path = page.expect("a page").path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a page");
        for block in text.split("```toml\n").skip(1) {
            let (block, _) = block.split_once("```").expect("its end");
            if !(block.contains("[listeners.") && block.contains("[upstreams.")) {
                continue;
            }
            count += 1;
            let source = Source {
                name: path.display().to_string(),
                text: block.to_owned(),
            };
            if let Err(report) = load(&source, &World) {
                wrong += &report.render(false);
            }
        }
    }
    assert!(count >= 50, "only {count}");
    assert!(wrong.is_empty(), "{wrong}");
}

/// What the page shows of a wrong file is what is said.
#[test]
fn the_report_on_the_page() {
    let source = Source {
        name: "sluice.toml".to_owned(),
        text: "[listeners.web]\naddress = \":8080\"\nidle_timeout = \"5s\"\n\n\
               [upstreams.payments]\nservers = [\"127.0.0.1:9001\"]\n\n\
               [[routes]]\nmatch.path = \"/pay/*\"\nupstream = \"payment\"\n"
            .to_owned(),
    };
    let report = load(&source, &World).expect_err("two mistakes");
    let page = std::fs::read_to_string(repository().join("docs/configuration.md"))
        .expect("the page is there");
    assert!(
        page.contains(&report.render(false)),
        "{}",
        report.render(false)
    );
}
