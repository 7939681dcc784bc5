//! Instruments of the source with the terms that the calendar's dated classes give them.

use super::files::{CONTRACT_NAME, Contract, SourceFile, contract_of, number_of};
use super::{LeanKind, LeanRequest, Plan};
use crate::import::sink::define;
use crate::import::{ImportError, InputSink};
use onetape_calendar::{
    ClassRow, Date, DayClock, Delivery, Market, Session, SettleAt, TickClass, Zone, class, expiry_times,
    session,
};
use onetape_engine::ids::{InstrumentIx, VenueIx};
use onetape_engine::instrument::{
    ExerciseStyle, InstrumentDef, InstrumentKind, OptionTerms, Right, Settlement, SettlementTime, TickRule,
    osi_symbol,
};
use onetape_engine::num::{Nanos, Price, Qty};
use onetape_engine::record::{Body, Head, Phase, Record, SessionPhase, flags};
use std::collections::{BTreeMap, BTreeSet};

/// Underlying of an option root: itself unless the root is a weekly or other series of an index.
pub(super) fn underlying_of(root: &str) -> &str {
    match root {
        "SPXW" | "SPXPM" | "SPXQ" => "SPX",
        "XSPAM" => "XSP",
        "NDXP" => "NDX",
        "RUTW" => "RUT",
        "VIXW" => "VIX",
        _ => root,
    }
}

/// An instrument of the source; the order of keys is the order of definition within a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A symbol of the plan that is no option.
    Plain(usize),
    /// A contract of a symbol of the plan.
    Contract { symbol: usize, expiry: Date, strike: Price, right: Right },
}

/// A date of the source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day {
    pub(super) date: Date,
    /// The New York civil day.
    pub(super) clock: DayClock,
    /// The stock market's session; `None` on holidays.
    pub(super) session: Option<Session>,
}

impl Day {
    pub(super) fn new(date: Date) -> Result<Day, ImportError> {
        let clock = DayClock::new(Zone::NewYork, date)
            .map_err(|source| ImportError::Calendar { what: format!("data of {date}"), source })?;
        Ok(Day { date, clock, session: session(Market::UsEquity, date) })
    }

    /// Open and close of the session of a market as (open, close]; `None` on holidays.
    pub(super) fn regular_ns(&self, market: Market) -> Option<(u64, u64)> {
        session(market, self.date).map(|session| (session.open_ns, session.close_ns))
    }

    /// The session's two phase records; none on holidays.
    fn phases(&self) -> Vec<Record> {
        let Some(session) = self.session else { return Vec::new() };
        [(Phase::Open, session.open_ns), (Phase::Close, session.close_ns)]
            .map(|(phase, at)| {
                let body = SessionPhase {
                    open: session.open_ns,
                    close: session.close_ns,
                    trade_date: number_of(self.date),
                    utc_offset_s: session.utc_offset_s,
                    phase: phase as u8,
                    reserved: [0; 15],
                };
                let ts = Nanos(at);
                let (instrument, venue) = (InstrumentIx::NONE, VenueIx(0));
                let head = Head { ts, ts_src: ts, instrument, venue, flags: flags::LAST };
                Record::new(head, Body::SessionPhase(body))
            })
            .to_vec()
    }
}

/// Hands out indices and definitions.
pub(super) struct Definer {
    symbols: Vec<Symbol>,
    known: BTreeMap<Key, InstrumentIx>,
    styles: BTreeMap<Key, ExerciseStyle>,
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
            })
            .collect();
        Definer { symbols, known: BTreeMap::new(), styles: BTreeMap::new() }
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
            LeanKind::Option | LeanKind::IndexOption => {
                let Some(Contract { expiry, strike, right, style }) = contract_of(entry) else {
                    let (path, entry) = (file.path.clone(), entry.to_string());
                    return Err(ImportError::Name { path, entry, expected: CONTRACT_NAME });
                };
                let key = Key::Contract { symbol, expiry, strike, right };
                self.styles.entry(key).or_insert(style);
                Ok(key)
            }
        }
    }

    /// Whether the contract's style states that the key is an option, and its hours.
    pub(super) fn market_of(&mut self, key: Key, date: Date) -> Result<Market, ImportError> {
        match key {
            Key::Plain(_) => Ok(Market::UsEquity),
            Key::Contract { symbol, .. } => Ok(self.class_of(symbol, date)?.market),
        }
    }

    fn class_of(&mut self, symbol: usize, date: Date) -> Result<&'static ClassRow, ImportError> {
        let known = &mut self.symbols[symbol];
        if let Some(row) = known.class {
            return Ok(row);
        }
        let row = class(&known.symbol, date).map_err(|source| ImportError::Calendar {
            what: format!("option class {} on {date}", known.symbol),
            source,
        })?;
        known.class = Some(row);
        Ok(row)
    }

    /// Gives indices to keys not known yet, with the underlyings they need; returns them in order.
    pub(super) fn admit(&mut self, keys: &BTreeSet<Key>) -> Vec<Key> {
        let mut added = BTreeSet::new();
        for key in keys {
            if let Key::Contract { symbol, .. } = key
                && let Some(underlying) = self.symbols[*symbol].underlying
            {
                added.insert(Key::Plain(underlying));
            }
            added.insert(*key);
        }
        let added: Vec<Key> = added.into_iter().filter(|key| !self.known.contains_key(key)).collect();
        for key in &added {
            self.known.insert(*key, InstrumentIx::from(self.known.len()));
        }
        added
    }

    /// Index of an admitted key.
    pub(super) fn index_of(&self, key: Key) -> Option<InstrumentIx> {
        self.known.get(&key).copied()
    }

    /// Looks at a price of a contract for the tick rule of its class.
    pub(super) fn observe_prices(&mut self, key: Key, records: &[Record]) {
        const NICKEL: i64 = 50_000_000;
        const THREE: i64 = 3_000_000_000;
        let Key::Contract { symbol, .. } = key else { return };
        if self.symbols[symbol].is_penny {
            return;
        }
        let off_grid = |price: i64| price > 0 && price < THREE && price % NICKEL != 0;
        self.symbols[symbol].is_penny = records.iter().any(|record| match record.body() {
            Some(Body::TradeBar(bar)) => off_grid(bar.close),
            Some(Body::BidBar(half) | Body::AskBar(half)) => off_grid(half.close),
            _ => false,
        });
    }

    /// Pushes a date: definitions, then records and session phases in order.
    pub(super) fn push_day(
        &mut self,
        day: &Day,
        added: &[Key],
        mut records: Vec<Record>,
        sink: &mut dyn InputSink,
    ) -> Result<(), ImportError> {
        let midnight = Nanos(day.clock.midnight_utc_ns());
        for key in added {
            let def = self.definition(*key, day.date)?;
            define(sink, midnight, self.known[key], def)?;
        }
        records.extend(day.phases());
        crate::import::order::sort(&mut records);
        records.into_iter().try_for_each(|record| sink.push(record, None))
    }

    fn definition(&mut self, key: Key, on: Date) -> Result<InstrumentDef, ImportError> {
        match key {
            Key::Plain(symbol) => {
                let known = &self.symbols[symbol];
                let mut def = InstrumentDef::equity(&known.symbol);
                if known.kind == LeanKind::Index {
                    (def.kind, def.tick) = (InstrumentKind::Index, TickRule::Free);
                }
                def.source.clone_from(&known.source);
                Ok(def)
            }
            Key::Contract { symbol, expiry, strike, right } => {
                let row = self.class_of(symbol, on)?;
                let style = self.styles[&key];
                let terms = self.terms(row, symbol, expiry, (strike, right, style))?;
                let known = &self.symbols[symbol];
                Ok(InstrumentDef {
                    symbol: osi_symbol(&known.symbol, terms.expiry_date, right, strike),
                    kind: InstrumentKind::Option,
                    multiplier: i64::from(row.multiplier),
                    tick: tick_rule(row, known.is_penny),
                    lot: Qty::ONE,
                    option: Some(terms),
                    expiry: None,
                    quote_hold_ns: None,
                    source: known.source.clone(),
                })
            }
        }
    }

    fn terms(
        &self,
        row: &ClassRow,
        symbol: usize,
        expiry: Date,
        (strike, right, style): (Price, Right, ExerciseStyle),
    ) -> Result<OptionTerms, ImportError> {
        let known = &self.symbols[symbol];
        let what = || format!("expiry {expiry} of class {}", known.symbol);
        let times =
            expiry_times(row, expiry).map_err(|source| ImportError::Calendar { what: what(), source })?;
        let underlying = known
            .underlying
            .and_then(|place| self.index_of(Key::Plain(place)))
            .ok_or_else(|| ImportError::Request { what: format!("{} has no underlying", known.symbol) })?;
        Ok(OptionTerms {
            underlying,
            root: known.symbol.clone(),
            expiry_date: number_of(expiry),
            strike,
            right,
            style,
            settlement: match row.delivery {
                Delivery::Physical => Settlement::Physical,
                Delivery::Cash => Settlement::Cash,
            },
            settlement_time: match row.settle_at {
                SettleAt::Open => SettlementTime::Am,
                SettleAt::Close => SettlementTime::Pm,
            },
            last_trade: Nanos(times.last_trade_ns),
            expiry: Nanos(times.expiry_ns),
            exercise_cutoff: Nanos(times.exercise_cutoff_ns),
            notice: Nanos(times.notice_ns),
        })
    }
}

/// The class's rule; single stocks are not tabulated and follow what their prices show.
fn tick_rule(row: &ClassRow, is_penny: bool) -> TickRule {
    match row.tick {
        TickClass::Penny => TickRule::Fixed(10_000_000),
        TickClass::PennyNickel => TickRule::Penny,
        TickClass::NickelDime if is_penny && row.root == "*" => TickRule::Penny,
        TickClass::NickelDime => TickRule::Nickel,
    }
}
