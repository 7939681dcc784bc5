//! Instruments of the source with the terms that the calendar's dated classes give them.

use super::files::{CONTRACT_NAME, Contract, SourceFile, contract_of};
use super::futures::{self, FUTURE_NAME, Product, contract_month, symbol_of};
use super::{LeanKind, LeanRequest, Plan};
use crate::import::order::Placed;
use crate::import::sink::define;
use crate::import::terms::{
    Listed, class_of, define_listed, hours_ns, index, number_of, phases, shows_pennies,
};
use crate::import::{ImportError, InputSink, Origin};
use onetape_calendar::{ClassRow, Date, DayClock, Market, Session, Zone, session};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::instrument::{ExerciseStyle, InstrumentDef, Right};
use onetape_engine::num::{Nanos, Price};
use onetape_engine::record::{Body, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An instrument of the source; the order of keys is the order of definition within a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A symbol of the plan that is no option.
    Plain(usize),
    /// A contract of a futures symbol of the plan.
    Future { symbol: usize, expiry: Date },
    /// An option of a symbol of the plan; `future`: last date of the future that it delivers.
    Contract { symbol: usize, expiry: Date, strike: Price, right: Right, future: Option<Date> },
}

/// A date of the source.
#[derive(Debug, Clone)]
pub(super) struct Day {
    pub(super) date: Date,
    /// The New York civil day.
    pub(super) clock: DayClock,
    /// The stock market's session; `None` on holidays.
    pub(super) session: Option<Session>,
    /// Openings and closings of the request's market.
    phases: Vec<Record>,
    pub(super) is_trading_day: bool,
}

impl Day {
    pub(super) fn new(date: Date, request: &LeanRequest) -> Result<Day, ImportError> {
        let clock = DayClock::new(Zone::NewYork, date)
            .map_err(|source| ImportError::Calendar { what: format!("data of {date}"), source })?;
        let session = session(Market::UsEquity, date);
        let (phases, is_trading_day) = if request.kind.is_of_futures() {
            let has_sessions = request.market.eq_ignore_ascii_case("cme");
            (if has_sessions { futures::phases_on(&clock, date) } else { Vec::new() }, true)
        } else {
            (session.iter().flat_map(phases).collect(), session.is_some())
        };
        Ok(Day { date, clock, session, phases, is_trading_day })
    }

    /// Open and close of the session of a market as (open, close]; `None` on holidays, and of futures, which
    /// trade around the clock.
    pub(super) fn regular_ns(&self, market: Market) -> Option<(u64, u64)> {
        hours_ns(market, self.date).filter(|_| market != Market::CmeEquityIndex)
    }

    /// Close of the session of a market; `None` on holidays.
    pub(super) fn close_ns(&self, market: Market) -> Option<u64> {
        hours_ns(market, self.date).map(|(_, close)| close)
    }
}

/// Hands out indices and definitions.
pub(super) struct Definer {
    symbols: Vec<Symbol>,
    known: BTreeMap<Key, InstrumentIx>,
    styles: BTreeMap<Key, ExerciseStyle>,
    /// Contract months of futures by symbol and last date.
    months: BTreeMap<(usize, Date), u32>,
}

struct Symbol {
    symbol: String,
    kind: LeanKind,
    underlying: Option<usize>,
    source: String,
    /// Class of the symbol's options, fixed at the first definition.
    class: Option<&'static ClassRow>,
    /// Has prices below 3.00 off the 0.05 grid.
    is_penny: bool,
    /// Size and tick of futures.
    product: Option<Product>,
}

impl Definer {
    pub(super) fn new(plan: &Plan, request: &LeanRequest) -> Definer {
        let (market, resolution) = (&request.market, request.resolution.folder());
        let symbols = plan
            .symbols
            .iter()
            .map(|known| Symbol {
                symbol: known.symbol.clone(),
                kind: known.kind,
                underlying: known.underlying,
                source: format!(
                    "lean:{}/{market}/{resolution}/{}",
                    known.kind.folder(),
                    known.symbol.to_ascii_lowercase()
                ),
                class: None,
                is_penny: false,
                product: known.product,
            })
            .collect();
        Definer { symbols, known: BTreeMap::new(), styles: BTreeMap::new(), months: BTreeMap::new() }
    }

    /// The instrument that an entry of a file is about.
    pub(super) fn key_of(
        &mut self,
        symbol: usize,
        file: &SourceFile,
        entry: &str,
    ) -> Result<Key, ImportError> {
        match file.kind {
            LeanKind::Equity | LeanKind::Index => Ok(Key::Plain(symbol)),
            LeanKind::Future => {
                let Some((month, expiry)) = contract_month(entry) else {
                    let (path, entry) = (file.path.clone(), entry.to_string());
                    return Err(ImportError::Name { path, entry, expected: FUTURE_NAME });
                };
                self.months.insert((symbol, expiry), month);
                Ok(Key::Future { symbol, expiry })
            }
            LeanKind::Option | LeanKind::IndexOption | LeanKind::FutureOption => {
                let Some(Contract { expiry, strike, right, style }) = contract_of(entry) else {
                    let (path, entry) = (file.path.clone(), entry.to_string());
                    return Err(ImportError::Name { path, entry, expected: CONTRACT_NAME });
                };
                let key = Key::Contract { symbol, expiry, strike, right, future: file.future };
                self.styles.entry(key).or_insert(style);
                Ok(key)
            }
        }
    }

    /// Whether the contract's style states that the key is an option, and its hours.
    pub(super) fn market_of(&mut self, key: Key, date: Date) -> Result<Market, ImportError> {
        match key {
            Key::Plain(_) => Ok(Market::UsEquity),
            Key::Future { .. } | Key::Contract { future: Some(_), .. } => Ok(Market::CmeEquityIndex),
            Key::Contract { symbol, .. } => Ok(self.class_of(symbol, date)?.market),
        }
    }

    fn class_of(&mut self, symbol: usize, date: Date) -> Result<&'static ClassRow, ImportError> {
        let known = &mut self.symbols[symbol];
        if let Some(row) = known.class {
            return Ok(row);
        }
        let row = class_of(&known.symbol, date)?;
        known.class = Some(row);
        Ok(row)
    }

    /// Gives indices to keys not known yet, with the underlyings they need; returns them in order.
    pub(super) fn admit(&mut self, keys: &BTreeSet<Key>) -> Vec<Key> {
        let mut added = BTreeSet::new();
        for key in keys {
            added.extend(self.underlying_of(*key));
            added.insert(*key);
        }
        let added: Vec<Key> = added.into_iter().filter(|key| !self.known.contains_key(key)).collect();
        for key in &added {
            self.known.insert(*key, InstrumentIx::from(self.known.len()));
        }
        added
    }

    /// What an option's holder gets.
    fn underlying_of(&self, key: Key) -> Option<Key> {
        let Key::Contract { symbol, future, .. } = key else { return None };
        let symbol = self.symbols[symbol].underlying?;
        Some(future.map_or(Key::Plain(symbol), |expiry| Key::Future { symbol, expiry }))
    }

    /// A future's symbol: the exchange's where the source states the contract's month.
    fn future_symbol(&self, symbol: usize, expiry: Date) -> String {
        let root = &self.symbols[symbol].symbol;
        self.months
            .get(&(symbol, expiry))
            .map_or_else(|| format!("{root} {}", number_of(expiry)), |month| symbol_of(root, *month))
    }

    /// Index of an admitted key.
    pub(super) fn index_of(&self, key: Key) -> Option<InstrumentIx> {
        self.known.get(&key).copied()
    }

    /// Looks at a price of a contract for the tick rule of its class.
    pub(super) fn observe_prices(&mut self, key: Key, records: &[Record]) {
        let Key::Contract { symbol, .. } = key else { return };
        if self.symbols[symbol].is_penny || self.symbols[symbol].product.is_some() {
            return;
        }
        self.symbols[symbol].is_penny = records.iter().any(|record| match record.body() {
            Some(Body::TradeBar(bar)) => shows_pennies(bar.close),
            Some(Body::BidBar(half) | Body::AskBar(half)) => shows_pennies(half.close),
            _ => false,
        });
    }

    /// Pushes the definitions of a date.
    pub(super) fn push_definitions(
        &mut self,
        day: &Day,
        added: &[Key],
        sink: &mut dyn InputSink,
    ) -> Result<(), ImportError> {
        let midnight = Nanos(day.clock.midnight_utc_ns());
        for key in added {
            let def = self.definition(*key, day.date)?;
            define(sink, midnight, self.known[key], def)?;
        }
        Ok(())
    }

    /// Pushes a date: definitions, then records and session phases in order. `place` names the file
    /// and entry of a record.
    pub(super) fn push_day<'p>(
        &mut self,
        day: &Day,
        added: &[Key],
        mut records: Vec<Placed>,
        place: impl Fn(&Placed) -> (&'p Path, &'p str),
        sink: &mut dyn InputSink,
    ) -> Result<(), ImportError> {
        self.push_definitions(day, added, sink)?;
        records.extend(day.phases.iter().copied().map(Placed::nowhere));
        crate::import::order::sort(&mut records);
        records.into_iter().try_for_each(|placed| match placed.line {
            0 => sink.push(placed.record, None),
            line => {
                let (file, entry) = place(&placed);
                sink.push_from(placed.record, Origin { file, entry, line: u64::from(line) })
            }
        })
    }

    fn product(&self, symbol: usize) -> Result<Product, ImportError> {
        let known = &self.symbols[symbol];
        known
            .product
            .ok_or_else(|| ImportError::Request { what: format!("{} has no contract size", known.symbol) })
    }

    fn definition(&mut self, key: Key, on: Date) -> Result<InstrumentDef, ImportError> {
        match key {
            Key::Plain(symbol) => {
                let known = &self.symbols[symbol];
                let mut def = match known.kind {
                    LeanKind::Index => index(&known.symbol),
                    _ => InstrumentDef::equity(&known.symbol),
                };
                def.source.clone_from(&known.source);
                Ok(def)
            }
            Key::Future { symbol, expiry } => {
                let name = self.future_symbol(symbol, expiry);
                let mut def = futures::define(&name, self.product(symbol)?, expiry)?;
                def.source.clone_from(&self.symbols[symbol].source);
                Ok(def)
            }
            Key::Contract { symbol, expiry, strike, right, future: Some(end) } => {
                let known = &self.symbols[symbol];
                let future = known.underlying.map_or(symbol, |place| place);
                let name = self.future_symbol(future, end);
                let style = self.styles.get(&key).copied().unwrap_or(ExerciseStyle::American);
                let option = Contract { expiry, strike, right, style };
                let underlying = self.underlying_of(key).and_then(|key| self.index_of(key));
                let underlying = underlying.unwrap_or(InstrumentIx::NONE);
                let product = self.product(symbol)?;
                let mut def = futures::define_option(&known.symbol, &name, &option, product, underlying)?;
                def.source.clone_from(&known.source);
                Ok(def)
            }
            Key::Contract { symbol, expiry, strike, right, future: None } => {
                let row = self.class_of(symbol, on)?;
                let known = &self.symbols[symbol];
                let underlying =
                    known.underlying.and_then(|place| self.index_of(Key::Plain(place))).ok_or_else(|| {
                        ImportError::Request { what: format!("{} has no underlying", known.symbol) }
                    })?;
                let listed = Listed {
                    root: known.symbol.clone(),
                    expiry,
                    strike,
                    right,
                    style: self.styles.get(&key).copied(),
                    is_penny: known.is_penny,
                    source: known.source.clone(),
                };
                define_listed(&listed, row, underlying)
            }
        }
    }
}
