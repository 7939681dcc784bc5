//! Which instrument a row is about, and its definition.

use super::cell::Cells;
use super::identify::{Contract, deribit_underlying, identify, plain, symbol_place, underlying_text};
use super::plan::{Fault, Plan};
use super::spec::{PlainKind, Profile};
use crate::import::ImportError;
use crate::import::dbn::future;
use crate::import::terms::{
    Listed, OccParts, class_of, define_listed, index, number_of, shows_pennies, underlying_of,
};
use onetape_calendar::{Date, DayClock, Market, Zone};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::instrument::{
    ExerciseStyle, InstrumentDef, InstrumentKind, OptionTerms, Right, Settlement, SettlementTime, TickRule,
};
use onetape_engine::num::{Nanos, Qty};
use onetape_engine::record::Record;
use std::collections::{BTreeMap, HashMap};

/// Wall hour (UTC) at which Deribit's options expire: "08:00 UTC" of its contract specifications.
const DERIBIT_EXPIRY_HOUR: u8 = 8;

/// An instrument of the import; its place in the book is its provisional index.
#[derive(Debug)]
pub(super) struct Instrument {
    pub(super) name: String,
    contract: Contract,
    underlying: Option<u32>,
    /// Hours of its sessions.
    pub(super) market: Market,
    /// Date on which its class is looked up.
    on: Date,
    /// Where it was first seen: profile and raw symbol.
    source: String,
    is_penny: bool,
    /// Widest interval of its sampled quotes.
    interval_ns: Option<u64>,
    has_every_change: bool,
    /// Open interest and volume last stated, with their dates.
    pub(super) stated: [Option<(Date, i64)>; 2],
    /// Price last stated by rows of its options.
    pub(super) last_stated: Option<Record>,
}

impl Instrument {
    /// Market outside whose hours records are marked; `None` where there are no such hours.
    pub(super) fn hours(&self) -> Option<Market> {
        (!matches!(self.contract, Contract::Future | Contract::Crypto | Contract::Deribit(_)))
            .then_some(self.market)
    }

    /// Looks at a quote: its prices for the tick rule, its interval for how long it holds.
    pub(super) fn observe_quote(&mut self, prices: [i64; 2], sampled_ns: Option<u64>) {
        self.is_penny |= prices.into_iter().any(shows_pennies);
        match sampled_ns {
            Some(interval) => self.interval_ns = self.interval_ns.max(Some(interval)),
            None => self.has_every_change = true,
        }
    }

    /// Looks at the price of a trade or bar.
    pub(super) fn observe_price(&mut self, price: i64) {
        self.is_penny |= shows_pennies(price);
    }

    fn rank(&self) -> (bool, &str, u32, i64, bool, &str) {
        match self.contract.option() {
            None => (false, "", 0, 0, false, &self.name),
            Some(parts) => {
                let is_put = parts.right == Right::Put;
                (true, &parts.root, number_of(parts.expiry), parts.strike.0, is_put, &self.name)
            }
        }
    }
}

/// The instruments of an import.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) instruments: Vec<Instrument>,
    by_name: BTreeMap<String, u32>,
    /// By the raw text of the source being read; `None` where the request leaves it out.
    by_raw: HashMap<Vec<u8>, Option<u32>>,
    last: Option<(Vec<u8>, Option<u32>)>,
    key: Vec<u8>,
    /// Symbols, roots or underlyings asked for; empty: all.
    wanted: Vec<String>,
    /// Names left out, for the message when nothing is left.
    pub(super) left_out: Option<String>,
}

impl Book {
    pub(super) fn new(wanted: &[String]) -> Book {
        let wanted = wanted.iter().map(|symbol| symbol.to_ascii_uppercase()).collect();
        Book { wanted, ..Book::default() }
    }

    /// Forgets raw texts: another profile may mean something else by them.
    pub(super) fn begin_source(&mut self) {
        self.by_raw.clear();
        self.last = None;
    }

    /// The instrument of one leg of a row; `None` when it is not wanted. `on` gives the row's date.
    pub(super) fn instrument<C: Cells>(
        &mut self,
        profile: &Profile,
        plan: &Plan,
        cells: &C,
        leg: usize,
        on: impl FnOnce() -> Option<Date>,
    ) -> Result<Option<u32>, Fault> {
        let mut key = std::mem::take(&mut self.key);
        raw_key(plan, cells, leg, &mut key);
        let found = match &self.last {
            Some((last, found)) if *last == key => Some(*found),
            _ => self.by_raw.get(&key).copied(),
        };
        let result = match found {
            Some(found) => Ok(found),
            None => match on() {
                Some(on) => self.admit(profile, plan, cells, leg, on),
                None => Err(Fault("the row has no time".to_string())),
            },
        };
        if let Ok(found) = &result {
            let is_new = self.last.as_ref().is_none_or(|(last, _)| *last != key);
            if is_new {
                if !self.by_raw.contains_key(&key) {
                    self.by_raw.insert(key.clone(), *found);
                }
                let (last, place) = self.last.get_or_insert_default();
                last.clear();
                last.extend_from_slice(&key);
                *place = *found;
            }
        }
        self.key = key;
        result
    }

    fn admit<C: Cells>(
        &mut self,
        profile: &Profile,
        plan: &Plan,
        cells: &C,
        leg: usize,
        on: Date,
    ) -> Result<Option<u32>, Fault> {
        let (name, contract, raw) = identify(profile, plan, cells, leg)?;
        let stated = plan.symbol.underlying.map(|place| cells.get(place)).and_then(underlying_text);
        let underlying = match (&contract, stated) {
            (Contract::Listed(parts), stated) => {
                let name = stated.unwrap_or_else(|| underlying_of(&parts.root).to_string());
                Some(plain(&name, PlainKind::Equity))
            }
            (Contract::Deribit(parts), stated) => {
                Some(stated.map_or((parts.root.clone(), Contract::Index), |name| deribit_underlying(&name)))
            }
            _ => None,
        };
        if !self.wants(&name, &contract, underlying.as_ref().map(|(name, _)| name)) {
            self.left_out.get_or_insert(name);
            return Ok(None);
        }
        let source = format!("{}/{raw}", profile.name);
        let underlying = match underlying {
            Some((name, kind)) => Some(self.add(name, kind, None, on, source.clone())?),
            None => None,
        };
        self.add(name, contract, underlying, on, source).map(Some)
    }

    fn wants(&self, name: &str, contract: &Contract, underlying: Option<&String>) -> bool {
        let is_wanted = |text: &str| self.wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(text));
        self.wanted.is_empty()
            || is_wanted(name)
            || contract.option().is_some_and(|parts| is_wanted(&parts.root))
            || underlying.is_some_and(|name| is_wanted(name))
    }

    /// The underlying that a row of an option states, where rows name one.
    pub(super) fn underlying<C: Cells>(&mut self, plan: &Plan, cells: &C, option: u32) -> Option<u32> {
        let own = self.instruments[option as usize].underlying?;
        let Some(stated) = plan.symbol.underlying.map(|place| cells.get(place)).and_then(underlying_text)
        else {
            return Some(own);
        };
        if self.instruments[own as usize].name == stated {
            return Some(own);
        }
        let of = &self.instruments[option as usize];
        let (name, kind) = match of.contract {
            Contract::Deribit(_) => deribit_underlying(&stated),
            _ => plain(&stated, PlainKind::Equity),
        };
        if self.instruments[own as usize].name == name {
            return Some(own);
        }
        let (on, source) = (of.on, of.source.clone());
        self.add(name, kind, None, on, source).ok()
    }

    fn add(
        &mut self,
        name: String,
        contract: Contract,
        underlying: Option<u32>,
        on: Date,
        source: String,
    ) -> Result<u32, Fault> {
        if let Some(known) = self.by_name.get(&name) {
            return Ok(*known);
        }
        let market = match &contract {
            Contract::Share | Contract::Index => Market::UsEquity,
            Contract::Crypto | Contract::Deribit(_) => Market::Crypto,
            Contract::Future if name.contains('-') => Market::Crypto,
            Contract::Future => Market::CmeEquityIndex,
            Contract::Listed(parts) => {
                class_of(&parts.root, on).map_err(|error| Fault(error.to_string()))?.market
            }
        };
        let instrument = Instrument {
            name: name.clone(),
            contract,
            underlying,
            market,
            on,
            source,
            is_penny: false,
            interval_ns: None,
            has_every_change: false,
            stated: [None; 2],
            last_stated: None,
        };
        // Terms are made once more when all rows were read; here they name the row that has none.
        instrument.define(InstrumentIx(0)).map_err(|error| Fault(error.to_string()))?;
        let place =
            u32::try_from(self.instruments.len()).map_err(|_| Fault("too many instruments".into()))?;
        self.instruments.push(instrument);
        self.by_name.insert(name, place);
        Ok(place)
    }

    /// Definitions in the order of the session, and the definitive index by provisional one.
    pub(super) fn definitions(&self) -> Result<(Vec<InstrumentDef>, Vec<u32>), ImportError> {
        let mut order: Vec<usize> = (0..self.instruments.len()).collect();
        order.sort_by_key(|place| self.instruments[*place].rank());
        let mut indices = vec![0; order.len()];
        for (ix, place) in order.iter().enumerate() {
            indices[*place] = ix as u32;
        }
        let define = |place: &usize| {
            let instrument = &self.instruments[*place];
            let underlying = instrument.underlying.map_or(InstrumentIx::NONE.0, |own| indices[own as usize]);
            instrument.define(InstrumentIx(underlying))
        };
        let defs = order.iter().map(define).collect::<Result<_, _>>()?;
        Ok((defs, indices))
    }

    /// Market of the session's phases: the stock market's when any instrument keeps its hours.
    pub(super) fn market(&self) -> Option<Market> {
        let has = |market: Market| self.instruments.iter().any(|instrument| instrument.market == market);
        if self.instruments.iter().any(|instrument| instrument.hours().is_some()) {
            return Some(Market::UsEquity);
        }
        [Market::CmeEquityIndex, Market::Crypto].into_iter().find(|market| has(*market))
    }
}

impl Instrument {
    fn define(&self, underlying: InstrumentIx) -> Result<InstrumentDef, ImportError> {
        let mut def = match &self.contract {
            Contract::Share => InstrumentDef::equity(&self.name),
            Contract::Index => index(&self.name),
            Contract::Crypto => {
                InstrumentDef { tick: TickRule::Free, lot: Qty(1), ..InstrumentDef::equity(&self.name) }
            }
            Contract::Future => future(&self.name),
            Contract::Listed(parts) => {
                let listed = Listed {
                    root: parts.root.clone(),
                    expiry: parts.expiry,
                    strike: parts.strike,
                    right: parts.right,
                    style: None,
                    is_penny: self.is_penny,
                    source: String::new(),
                };
                define_listed(&listed, class_of(&parts.root, self.on)?, underlying)?
            }
            Contract::Deribit(parts) => deribit_option(&self.name, parts, underlying)?,
        };
        def.source.clone_from(&self.source);
        def.quote_hold_ns = self.interval_ns.filter(|_| !self.has_every_change).map(|ns| 2 * ns);
        Ok(def)
    }
}

fn deribit_option(
    name: &str,
    parts: &OccParts,
    underlying: InstrumentIx,
) -> Result<InstrumentDef, ImportError> {
    let clock = DayClock::new(Zone::Utc, parts.expiry)
        .map_err(|source| ImportError::Calendar { what: format!("expiry of {name}"), source })?;
    let expiry = Nanos(clock.utc_ns_at(DERIBIT_EXPIRY_HOUR, 0));
    let terms = OptionTerms {
        underlying,
        root: parts.root.clone(),
        expiry_date: number_of(parts.expiry),
        strike: parts.strike,
        right: parts.right,
        style: ExerciseStyle::European,
        settlement: Settlement::Cash,
        settlement_time: SettlementTime::Pm,
        last_trade: expiry,
        expiry,
        exercise_cutoff: expiry,
        notice: expiry.after(1),
    };
    Ok(InstrumentDef {
        symbol: name.to_string(),
        kind: InstrumentKind::Option,
        multiplier: 1,
        tick: TickRule::Free,
        lot: Qty(1),
        option: Some(terms),
        expiry: None,
        quote_hold_ns: None,
        source: String::new(),
    })
}

/// The texts that tell instruments of a source apart, joined.
fn raw_key<C: Cells>(plan: &Plan, cells: &C, leg: usize, key: &mut Vec<u8>) {
    key.clear();
    let places = &plan.symbol;
    if let Some(place) = symbol_place(plan, leg) {
        key.extend_from_slice(&cells.get(place).text());
        return;
    }
    for place in [places.root, places.expiry, places.strike, places.right, places.am_pm].into_iter().flatten()
    {
        key.extend_from_slice(&cells.get(place).text());
        key.push(0x1f);
    }
    key.push(leg as u8);
}

#[cfg(test)]
mod tests {
    use super::super::identify::deribit;
    use super::*;

    #[test]
    fn a_deribit_option_expires_at_eight_utc() {
        let (name, contract) = deribit("BTC-27JUN25-100000-C").unwrap();
        let def = deribit_option(&name, contract.option().unwrap(), InstrumentIx(0)).unwrap();
        assert_eq!(def.option.unwrap().expiry, Nanos(1_751_011_200_000_000_000));
    }
}
