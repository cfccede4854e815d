//! Every link between the project's pages leads somewhere.

use super::pages;

#[test]
fn every_link_between_pages_leads_somewhere() {
    for (page, text) in pages() {
        for target in links(&text) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let target_page = if file.is_empty() {
                page.clone()
            } else {
                page.parent().expect("a folder").join(file)
            };
            assert!(
                target_page.exists(),
                "{}: dead link {target}",
                page.display()
            );
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&target_page).expect("a page");
                assert!(
                    anchors(&text).any(|found| found == anchor),
                    "{}: no heading for {target}",
                    page.display()
                );
            }
        }
    }
}

#[test]
fn links_and_anchors_are_found() {
    let text = "[a](b.md) and [c](d.md#e-f), not `[x](y)` nor [web](https://a)\n```\n[z](z)\n```\n## E `f`: g/h?\n";
    assert_eq!(links(text), ["b.md", "d.md#e-f"]);
    assert_eq!(anchors(text).collect::<Vec<_>>(), ["e-f-gh"]);
}

/// Targets of links outside code that stay within the project.
fn links(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    let prose = prose
        .flat_map(|block| block.lines())
        .flat_map(|line| line.split('`').step_by(2));
    let after = prose.flat_map(|piece| piece.split("](").skip(1));
    after
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .filter(|target| !target.contains("://"))
        .collect()
}

/// The anchors that headings get where the pages are shown.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let kept = |char: &char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_');
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            heading
                .chars()
                .filter(kept)
                .map(|char| if char == ' ' { '-' } else { char })
                .collect()
        })
}
