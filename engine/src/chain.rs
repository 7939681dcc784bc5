//! Option chains: series by (class root, expiry, strike, right) in O(1), and in sorted order.

use crate::fixed_map::FixedMap;
use crate::ids::InstrumentIx;
use crate::instrument::{InstrumentDef, Right};
use crate::num::Price;
use std::collections::BTreeMap;

/// Both series at one strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StrikeRow {
    /// Call, when listed.
    pub call: Option<InstrumentIx>,
    /// Put, when listed.
    pub put: Option<InstrumentIx>,
}

impl StrikeRow {
    /// The series of a right.
    pub fn get(&self, right: Right) -> Option<InstrumentIx> {
        match right {
            Right::Call => self.call,
            Right::Put => self.put,
        }
    }
}

/// An expiry of one class: (yyyymmdd, root).
pub type ExpiryKey = (u32, String);

/// All series on one underlying.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    expiries: BTreeMap<ExpiryKey, BTreeMap<Price, StrikeRow>>,
}

impl Chain {
    /// Expiries in order of date, then root.
    pub fn expiries(&self) -> impl Iterator<Item = &ExpiryKey> {
        self.expiries.keys()
    }

    /// Strikes of an expiry in order.
    pub fn strikes(&self, expiry: &ExpiryKey) -> impl Iterator<Item = (Price, StrikeRow)> + '_ {
        self.expiries.get(expiry).into_iter().flatten().map(|(strike, row)| (*strike, *row))
    }

    /// The first expiry at or after a date.
    pub fn expiry_at_or_after(&self, date: u32) -> Option<&ExpiryKey> {
        self.expiries.range((date, String::new())..).next().map(|(key, _)| key)
    }
}

/// Every chain of the session.
#[derive(Debug, Default)]
pub struct Chains {
    by_underlying: BTreeMap<InstrumentIx, Chain>,
    by_terms: FixedMap<(String, u32, i64, Right), InstrumentIx>,
}

impl Chains {
    /// Adds a series; ignores instruments that are no options.
    pub(crate) fn add(&mut self, ix: InstrumentIx, def: &InstrumentDef) {
        let Some(terms) = &def.option else { return };
        let chain = self.by_underlying.entry(terms.underlying).or_default();
        let row = chain
            .expiries
            .entry((terms.expiry_date, terms.root.clone()))
            .or_default()
            .entry(terms.strike)
            .or_default();
        match terms.right {
            Right::Call => row.call = Some(ix),
            Right::Put => row.put = Some(ix),
        }
        self.by_terms.insert((terms.root.clone(), terms.expiry_date, terms.strike.0, terms.right), ix);
    }

    /// The chain on an underlying.
    pub fn of(&self, underlying: InstrumentIx) -> Option<&Chain> {
        self.by_underlying.get(&underlying)
    }

    /// The series with exactly these terms.
    pub fn series(&self, root: &str, expiry_date: u32, strike: Price, right: Right) -> Option<InstrumentIx> {
        self.by_terms.get(&(root.to_string(), expiry_date, strike.0, right)).copied()
    }
}
