//! Programs that run within Redis, each as a whole, with nothing in between.

/// A program in Lua. Redis gets it once, and is asked by its hash from then on.
pub struct Script(redis::Script);

impl Script {
    /// A program that sees one key as `KEYS[1]`, and whole numbers or bytes as `ARGV`.
    pub fn new(code: &str) -> Self {
        Self(redis::Script::new(code))
    }

    pub(crate) fn on(&self, key: &[u8]) -> redis::ScriptInvocation<'_> {
        self.0.key(key)
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Script").field(&self.0.get_hash()).finish()
    }
}
