//! Names of strategies and how to make one.

use crate::{BuyAndHold, Count, Demo, Dense, EmaCross, MarketMaker, Script, ShortStrangle};
use onetape_engine::Strategy;

/// Makes a strategy with its default parameters.
pub type Constructor = fn() -> Box<dyn Strategy>;

/// A registered strategy.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Name, as in `--strategy NAME`.
    pub name: &'static str,
    /// Version of its code, as the journal records it.
    pub version: &'static str,
    /// What it does, in one line.
    pub doc: &'static str,
    constructor: Constructor,
}

/// Strategies by name, in order of registration.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

fn boxed<S: Strategy + Default + 'static>() -> Box<dyn Strategy> {
    Box::new(S::default())
}

impl Registry {
    /// A registry without entries.
    pub fn empty() -> Registry {
        Registry::default()
    }

    /// The strategies of this crate.
    pub fn builtin() -> Registry {
        let mut registry = Registry::empty();
        registry.register_type::<Demo>(
            "expiry day: an iron condor managed to its exit, a put held through expiry",
        );
        registry.register_type::<BuyAndHold>("buy one instrument at the open and hold it");
        registry.register_type::<EmaCross>("two moving averages of the midpoint, stop and reverse");
        registry.register_type::<MarketMaker>(
            "two-sided quotes around the midpoint, shifted against the inventory",
        );
        registry.register_type::<ShortStrangle>(
            "sell a call and a put away from the money, manage, close by the end of day",
        );
        registry.register_type::<Script>("orders from a text, at stated times or once quoted");
        registry.register_type::<Count>("count quotes (a measure of the engine)");
        registry.register_type::<Dense>("order on every 20th quote (a measure of the engine)");
        registry
    }

    /// Adds a strategy; one of the same name is replaced.
    pub fn register(&mut self, name: &'static str, doc: &'static str, constructor: Constructor) {
        let entry = Entry { name, version: constructor().version(), doc, constructor };
        match self.entries.iter_mut().find(|held| held.name == name) {
            Some(held) => *held = entry,
            None => self.entries.push(entry),
        }
    }

    /// Adds a type under the name it gives itself.
    pub fn register_type<S: Strategy + Default + 'static>(&mut self, doc: &'static str) {
        self.register(S::default().name(), doc, boxed::<S>);
    }

    /// Every entry, in order of registration.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Every name, in order of registration.
    pub fn names(&self) -> Vec<&'static str> {
        self.entries.iter().map(|entry| entry.name).collect()
    }

    /// A new strategy with its default parameters; `None` for an unknown name.
    pub fn create(&self, name: &str) -> Option<Box<dyn Strategy>> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| (entry.constructor)())
    }
}

/// The built-in strategies and the listed types, each with an optional one-line description:
/// `registry![MyStrategy, Other => "fades gaps"]`.
#[macro_export]
macro_rules! registry {
    (@doc) => { "a strategy of this program" };
    (@doc $doc:expr) => { $doc };
    ($($strategy:ty $(=> $doc:expr)?),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut registry = $crate::Registry::builtin();
        $( registry.register_type::<$strategy>($crate::registry!(@doc $($doc)?)); )*
        registry
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_creates_a_strategy_of_its_name_and_version() {
        let registry = Registry::builtin();
        for entry in registry.entries() {
            let strategy = registry.create(entry.name).unwrap();
            assert_eq!((strategy.name(), strategy.version()), (entry.name, entry.version));
            assert!(!entry.doc.is_empty() && !entry.doc.contains('\n'), "{}", entry.name);
        }
        assert!(registry.create("none").is_none());
    }

    #[test]
    fn every_default_parameter_is_accepted_by_set() {
        let registry = Registry::builtin();
        for entry in registry.entries() {
            let mut strategy = registry.create(entry.name).unwrap();
            let before = strategy.params();
            for param in &before {
                assert_eq!(strategy.set(param.key, &param.value), Ok(()), "{} {}", entry.name, param.key);
                assert!(!param.doc.is_empty());
            }
            assert_eq!(strategy.params(), before, "{}", entry.name);
            let refused = strategy.set("no_such_key", "1").unwrap_err().to_string();
            assert!(refused.contains("no_such_key"), "{refused}");
            assert_eq!(strategy.params(), before, "{}", entry.name);
        }
    }

    #[test]
    fn a_later_registration_of_a_name_replaces_the_earlier() {
        let registry = registry![BuyAndHold => "mine"];
        assert_eq!(registry.names(), Registry::builtin().names());
        assert!(registry.entries().iter().any(|entry| entry.doc == "mine"));
    }
}
