//! What is said of wrong files: each file of `wrong/` with its report as a snapshot.

use crate::world::{World, files};
use sluice_config::load;

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
