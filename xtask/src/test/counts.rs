//! How many tests passed and failed, read from the lines in which the runners sum up.

use std::fmt;

/// Tests by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    /// Those that failed, timed out, could not start or were never reached.
    pub(crate) failed: usize,
    /// Those marked to be left out. There should be none: what cannot run must fail.
    pub(crate) skipped: usize,
}

impl Counts {
    /// A runner that did not get as far as running tests counts as one failure.
    pub(crate) const NOTHING_RAN: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    pub(crate) fn is_good(self) -> bool {
        self.failed == 0 && self.skipped == 0
    }

    /// From `Summary [ 1.2s] 31 tests run: 29 passed (1 slow), 1 failed, 1 timed out, 0 skipped`, or `30/31 tests run: …`
    /// where the run was cut short.
    pub(crate) fn of_nextest(line: &str) -> Option<Self> {
        let (_, text) = line.trim().strip_prefix("Summary [")?.split_once(']')?;
        let (run, results) = text.split_once(':')?;
        let run = run.split_whitespace().next()?;
        let planned: usize = run.rsplit('/').next()?.parse().ok()?;
        let passed = number_before(results, "passed").unwrap_or(0);
        let skipped = number_before(results, "skipped").unwrap_or(0);
        Some(Self {
            passed,
            failed: planned.checked_sub(passed)?,
            skipped,
        })
    }

    /// From `test result: ok. 3 passed; 0 failed; 1 ignored; …`
    pub(crate) fn of_doctests(line: &str) -> Option<Self> {
        let results = line.trim().strip_prefix("test result:")?;
        Some(Self {
            passed: number_before(results, "passed")?,
            failed: number_before(results, "failed")?,
            skipped: number_before(results, "ignored")?,
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

fn number_before(text: &str, word: &str) -> Option<usize> {
    let words: Vec<_> = text
        .split_whitespace()
        .map(|word| word.trim_matches([',', ';', '(', ')']))
        .collect();
    let at = words.iter().position(|found| *found == word)?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_nextest() {
        for (line, passed, failed, skipped) in [
            (
                "     Summary [   0.766s] 31 tests run: 31 passed, 0 skipped\n",
                31,
                0,
                0,
            ),
            (
                "Summary [  12.000s] 31 tests run: 28 passed (2 slow, 1 leaky), 2 failed, 1 timed out, 4 skipped",
                28,
                3,
                4,
            ),
            (
                "Summary [   1.000s] 2/31 tests run: 1 passed, 1 failed, 0 skipped",
                1,
                30,
                0,
            ),
            (
                "Summary [   1.000s] 1 test run: 0 passed, 1 exec failed, 0 skipped",
                0,
                1,
                0,
            ),
            (
                "Summary [   0.000s] 0 tests run: 0 passed, 0 skipped",
                0,
                0,
                0,
            ),
        ] {
            assert_eq!(
                Counts::of_nextest(line),
                Some(Counts {
                    passed,
                    failed,
                    skipped
                }),
                "{line}"
            );
        }
        for line in ["PASS [ 0.1s] a", "Summary", "", "error: 1 failed"] {
            assert_eq!(Counts::of_nextest(line), None, "{line}");
        }
    }

    #[test]
    fn results_of_doctests() {
        let line = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(
            Counts::of_doctests(line),
            Some(Counts {
                passed: 3,
                failed: 2,
                skipped: 1
            })
        );
        assert_eq!(Counts::of_doctests("running 3 tests"), None);
    }

    #[test]
    fn a_skipped_test_is_not_good() {
        assert!(
            Counts {
                passed: 1,
                failed: 0,
                skipped: 0
            }
            .is_good()
        );
        assert!(
            !Counts {
                passed: 1,
                failed: 0,
                skipped: 1
            }
            .is_good()
        );
        assert!(!Counts::NOTHING_RAN.is_good());
    }
}
