//! The causal chain of one order.
//!
//! Two passes over the journal: the first collects what the log itself says of the order and traces its
//! lots; the second runs the inputs again, watched, for what lies between the lines — the books at each
//! step, the figures of every risk check, what the strategy read in the callback that asked.

use super::pnl::{Ledger, OrderProfit};
use crate::error::RunError;
use crate::rederive::{Rederivation, config_of};
use onetape_engine::block::{Block, Entry};
use onetape_engine::book::{BookSide, Top};
use onetape_engine::config::RunConfig;
use onetape_engine::event::{Derived, Event, Execution, RejectReason};
use onetape_engine::fees::{self, FeeRow, FilledSoFar};
use onetape_engine::ids::{InstrumentIx, OrderIx, Seq, StrategyIx};
use onetape_engine::input::{Cold, Command};
use onetape_engine::num::{Money, Nanos, Price, Qty};
use onetape_engine::order::{OrderType, Package, TimeInForce};
use onetape_engine::view::{LimitCheck, Read, View, Watch};
use onetape_journal::{JournalReader, Names, Rendered};
use onetape_strategies::Registry;
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// Links of the trigger chain that are followed: a strategy that re-arms a timer for days stays below it.
const CHAIN_MAX: usize = 100_000;

/// Why an order came about and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Explanation {
    pub run_id: String,
    pub order: u32,
    pub legs: Vec<(String, Qty)>,
    pub order_type: OrderType,
    pub tif: TimeInForce,
    pub submit_seq: Seq,
    pub submit_ts: Nanos,
    /// What led to the submission, nearest first, back to the input that set it off.
    #[serde(serialize_with = "entries")]
    pub trigger: Vec<Rendered>,
    /// Books of each leg and underlying at the submission.
    pub books: Vec<BookLine>,
    pub strategy: StrategyStory,
    pub risk: Option<RiskStory>,
    /// Every state change and request about the order, in log order.
    #[serde(serialize_with = "entries")]
    pub states: Vec<Rendered>,
    /// Arrival at the venue; `None` when it never arrived.
    pub arrival: Option<ArrivalStory>,
    pub fills: Vec<FillStory>,
    pub profit: OrderProfit,
    /// Profit after fees.
    pub total: Money,
}

/// What the strategy knew and said.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct StrategyStory {
    pub index: u16,
    pub name: String,
    pub version: String,
    /// Parameters at the submission, commands included.
    pub params: Vec<(String, String)>,
    /// Remarks of the callback that submitted the order.
    #[serde(serialize_with = "entries")]
    pub said: Vec<Rendered>,
    /// Its last remark before, when the callback said nothing.
    #[serde(serialize_with = "entries")]
    pub said_before: Vec<Rendered>,
    /// What the callback read.
    pub reads: ReadCounts,
    /// Volatility and delta that it read, of the order's own series.
    pub greeks: Vec<SeriesRead>,
    /// Symbols of every book it read.
    pub books_read: Vec<String>,
}

/// How much a callback read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[allow(missing_docs)]
pub struct ReadCounts {
    pub books: usize,
    pub greeks: usize,
    pub chains: usize,
    pub positions: usize,
    pub orders: usize,
    pub accounts: usize,
}

/// Greeks of a series as a strategy read them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct SeriesRead {
    pub symbol: String,
    /// Implied volatility per 1.00; `None` when the market gave none.
    pub vol: Option<f64>,
    pub delta: Option<f64>,
}

/// Risk's verdict with every limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct RiskStory {
    pub seq: Seq,
    pub ts: Nanos,
    pub refused: Option<RejectReason>,
    /// Value and limit of the deciding check, as journaled.
    pub value: Money,
    pub limit: Money,
    pub checks: Vec<LimitCheck>,
}

/// The order at the venue.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct ArrivalStory {
    pub seq: Seq,
    /// Venue time.
    pub at: Nanos,
    /// Best bid and ask it found, as journaled.
    pub bid: Price,
    pub ask: Price,
    /// The input that proved that venue time had passed the arrival.
    #[serde(serialize_with = "entries")]
    pub revealed_by: Vec<Rendered>,
    pub books: Vec<BookLine>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct FillStory {
    pub executed_seq: Seq,
    /// Seq of the fill event; `None` when its report was never booked.
    pub booked_seq: Option<Seq>,
    pub booked_ts: Option<Nanos>,
    pub execution: Execution,
    pub symbol: String,
    /// The record that allowed it.
    #[serde(serialize_with = "entries")]
    pub justified_by: Vec<Rendered>,
    /// The book just before it.
    pub book: Option<BookLine>,
    /// Fee charged for it.
    pub fee: Option<Money>,
    /// The rule behind the leg's fee so far.
    pub fee_row: Option<FeeRow>,
}

/// A book as it stood.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct BookLine {
    pub symbol: String,
    pub bid: Option<SideLine>,
    pub ask: Option<SideLine>,
    /// Last trade or bar close, zero when none.
    pub last: Price,
    pub last_seq: Seq,
}

/// One side of it; absent when never stated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct SideLine {
    pub price: Price,
    pub size: Qty,
    /// Displayed size that own orders have not taken.
    pub available: Qty,
    /// Seq and receipt time of the record that stated it.
    pub seq: Seq,
    pub ts: Nanos,
    /// Whether orders may trade against it: firm, priced, sized and not stale.
    pub is_live: bool,
}

impl BookLine {
    pub(super) fn new(symbol: &str, top: &Top, now: Nanos) -> BookLine {
        let side = |side: &BookSide, live: Option<&BookSide>| {
            let BookSide { price, size, available, ts, seq, .. } = *side;
            side.is_seen().then_some(SideLine { price, size, available, seq, ts, is_live: live.is_some() })
        };
        BookLine {
            symbol: symbol.to_string(),
            bid: side(&top.bid, top.live_bid(now)),
            ask: side(&top.ask, top.live_ask(now)),
            last: top.last,
            last_seq: top.last_seq,
        }
    }
}

fn entries<S: Serializer>(entries: &[Rendered], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter().map(Rendered::json))
}

/// Explains an order of a run.
///
/// # Errors
/// No such order, a journal that cannot be read or re-run, or one whose events are not what its inputs
/// derive.
pub fn explain(reader: &JournalReader, registry: &Registry, order: OrderIx) -> Result<Explanation, RunError> {
    let mut said = Said::collect(reader, order)?;
    let Some((submit_seq, submitted)) = said.submitted.clone() else {
        let (path, orders) = (reader.path().to_string(), said.ledger.orders().len());
        return Err(RunError::NoSuchOrder { path, order: order.0, orders });
    };
    let Event::Submitted { strategy, package, .. } = submitted.event else {
        unreachable!("only submissions are kept there")
    };
    let seen = Seen::collect(reader, registry, order, &said, &package)?;
    let profit = profit_of_order(&mut said, &seen, order)?;
    let at = |seq: Seq| seen.views.iter().find(|view| view.before == seq);
    let books = |seq: Seq| at(seq).map(|view| said.books(view)).unwrap_or_default();
    let rendered = |seqs: &[Seq]| seqs.iter().filter_map(|seq| seen.entries.get(seq).cloned()).collect();
    let states: Vec<Seq> = said.events.iter().map(|(seq, _)| *seq).collect();
    Ok(Explanation {
        run_id: reader.header().run_id.clone(),
        order: order.0,
        legs: profit.legs.clone(),
        order_type: package.order_type,
        tif: package.tif,
        submit_seq,
        submit_ts: submitted.ts,
        trigger: rendered(&said.chain(submitted.cause)),
        books: books(submit_seq),
        strategy: said.strategy_story(strategy, at(submit_seq), &package, &seen),
        risk: said.risk_story(at),
        states: rendered(&states),
        arrival: said.arrival_story(&seen, books),
        fills: said.fill_stories(&seen, at),
        total: profit.profit(),
        profit,
    })
}

fn profit_of_order(said: &mut Said, seen: &Seen, order: OrderIx) -> Result<OrderProfit, RunError> {
    let ledger = std::mem::take(&mut said.ledger);
    let orders = match &seen.end_accounts {
        Some(accounts) => ledger.finish(said.end, accounts)?,
        None => ledger.orders().to_vec(),
    };
    Ok(orders[order.index()].clone())
}

/// What the log says, from the first pass.
struct Said {
    order: OrderIx,
    config: RunConfig,
    ledger: Ledger,
    symbols: Vec<String>,
    submitted: Option<(Seq, Derived)>,
    /// Everything else about the order.
    events: Vec<(Seq, Derived)>,
    /// Seq and cause of every derived event so far.
    causes: Vec<(Seq, Seq)>,
    /// Remarks: seq, cause, strategy.
    notes: Vec<(Seq, Seq, StrategyIx)>,
    /// Parameters that commands set, with the command's seq.
    set: Vec<(Seq, StrategyIx, String, String)>,
    /// Seqs of commands that were refused.
    refused: BTreeSet<Seq>,
    end: Seq,
}

impl Said {
    fn collect(reader: &JournalReader, order: OrderIx) -> Result<Said, RunError> {
        let (mut blocks, mut block) = (reader.blocks(), Block::default());
        if !blocks.next_block(&mut block)? {
            return Err(RunError::NoStart { path: reader.path().to_string() });
        }
        let mut said = Said {
            order,
            config: config_of(&block, reader.path())?,
            ledger: Ledger::new(reader.path()),
            symbols: Vec::new(),
            submitted: None,
            events: Vec::new(),
            causes: Vec::new(),
            notes: Vec::new(),
            set: Vec::new(),
            refused: BTreeSet::new(),
            end: 0,
        };
        loop {
            for (seq, entry) in block.entries() {
                said.ledger.observe(seq, &entry)?;
                match entry {
                    Entry::Input(_, Some(cold)) => said.cold(seq, cold),
                    Entry::Input(_, None) => {}
                    Entry::Derived(derived) => said.derived(seq, derived),
                }
            }
            said.end = blocks.next_seq();
            if !blocks.next_block(&mut block)? {
                return Ok(said);
            }
        }
    }

    fn cold(&mut self, seq: Seq, cold: &Cold) {
        match cold {
            Cold::Definition(def) => self.symbols.push(def.symbol.clone()),
            Cold::Command(Command::Set { strategy, key, value }) => {
                self.set.push((seq, *strategy, key.clone(), value.clone()));
            }
            _ => {}
        }
    }

    fn derived(&mut self, seq: Seq, derived: &Derived) {
        self.causes.push((seq, derived.cause));
        match &derived.event {
            Event::Submitted { order, .. } if *order == self.order => {
                self.submitted = Some((seq, derived.clone()));
            }
            Event::Note { strategy, .. } => self.notes.push((seq, derived.cause, *strategy)),
            Event::CommandApplied { refused } if !refused.is_empty() => {
                self.refused.insert(derived.cause);
            }
            event if order_of(event) == Some(self.order) => self.events.push((seq, derived.clone())),
            _ => {}
        }
    }

    /// Seqs from `cause` back to the input that set it off.
    fn chain(&self, cause: Seq) -> Vec<Seq> {
        let mut chain = vec![cause];
        while let Some(last) = chain.last().copied().filter(|_| chain.len() < CHAIN_MAX) {
            match self.causes.binary_search_by_key(&last, |(seq, _)| *seq) {
                Ok(found) => chain.push(self.causes[found].1),
                Err(_) => break,
            }
        }
        chain
    }

    /// Remarks of the callback that submitted the order, and the last one before.
    fn remarks(&self, strategy: StrategyIx) -> (Vec<Seq>, Option<Seq>) {
        let Some((submit_seq, submitted)) = &self.submitted else { return (Vec::new(), None) };
        let own = self.notes.iter().filter(|(_, _, owner)| *owner == strategy);
        let said = own.clone().filter(|(_, cause, _)| *cause == submitted.cause).map(|(seq, ..)| *seq);
        let before = own.filter(|(seq, ..)| seq < submit_seq).map(|(seq, ..)| *seq).next_back();
        (said.collect(), before)
    }

    /// Seqs before which the second pass looks at the state.
    fn watched(&self) -> BTreeSet<Seq> {
        let steps = self.events.iter().filter(|(_, derived)| {
            matches!(derived.event, Event::Risk { .. } | Event::Arrived { .. } | Event::Executed(_))
        });
        steps.chain(&self.submitted).map(|(seq, _)| *seq).collect()
    }

    /// Seqs whose entries the explanation shows.
    fn shown(&self) -> BTreeSet<Seq> {
        let mut shown: BTreeSet<Seq> = self.events.iter().map(|(seq, _)| *seq).collect();
        if let Some((_, submitted)) = &self.submitted {
            shown.extend(self.chain(submitted.cause));
            if let Event::Submitted { strategy, .. } = submitted.event {
                let (said, before) = self.remarks(strategy);
                shown.extend(said.into_iter().chain(before));
            }
        }
        for (_, derived) in &self.events {
            match &derived.event {
                Event::Executed(execution) => drop(shown.insert(execution.justification)),
                Event::Triggered { justification, .. } => drop(shown.insert(*justification)),
                _ => {}
            }
        }
        shown
    }

    fn symbol(&self, ix: InstrumentIx) -> String {
        self.symbols.get(ix.index()).cloned().unwrap_or_else(|| format!("#{}", ix.0))
    }

    fn books(&self, view: &View) -> Vec<BookLine> {
        view.tops.iter().map(|(ix, top)| BookLine::new(&self.symbol(*ix), top, view.ts)).collect()
    }

    fn strategy_story(
        &self,
        strategy: StrategyIx,
        view: Option<&View>,
        package: &Package,
        seen: &Seen,
    ) -> StrategyStory {
        let config = self.config.strategies.get(strategy.index());
        let mut params = config.map(|config| config.params.clone()).unwrap_or_default();
        let submit_seq = self.submitted.as_ref().map_or(0, |(seq, _)| *seq);
        let applied = self.set.iter().filter(|(seq, owner, ..)| {
            *owner == strategy && *seq < submit_seq && !self.refused.contains(seq)
        });
        for (_, _, key, value) in applied {
            match params.iter_mut().find(|(known, _)| known == key) {
                Some((_, known)) => known.clone_from(value),
                None => params.push((key.clone(), value.clone())),
            }
        }
        let (said, before) = self.remarks(strategy);
        let entry = |seq: &Seq| seen.entries.get(seq).cloned();
        let said: Vec<Rendered> = said.iter().filter_map(entry).collect();
        let reads = view.map_or(&[][..], |view| &view.reads);
        let own = |ix: &InstrumentIx| package.legs.iter().any(|leg| leg.instrument == *ix);
        let greeks = reads.iter().filter_map(|read| match read {
            Read::Greeks(ix, greeks) if own(ix) => Some(SeriesRead {
                symbol: self.symbol(*ix),
                vol: greeks.map(|greeks| greeks.vol),
                delta: greeks.map(|greeks| greeks.delta),
            }),
            _ => None,
        });
        let books = reads.iter().filter_map(|read| match read {
            Read::Book(ix) => Some(self.symbol(*ix)),
            _ => None,
        });
        StrategyStory {
            index: strategy.0,
            name: config.map(|config| config.name.clone()).unwrap_or_default(),
            version: config.map(|config| config.version.clone()).unwrap_or_default(),
            params,
            said_before: before.iter().filter(|_| said.is_empty()).filter_map(entry).collect(),
            said,
            reads: count_reads(reads),
            greeks: greeks.collect(),
            books_read: books.collect(),
        }
    }

    fn risk_story<'a>(&self, at: impl Fn(Seq) -> Option<&'a View>) -> Option<RiskStory> {
        self.events.iter().find_map(|(seq, derived)| match &derived.event {
            Event::Risk { refused, value, limit, .. } => Some(RiskStory {
                seq: *seq,
                ts: derived.ts,
                refused: *refused,
                value: *value,
                limit: *limit,
                checks: at(*seq).map(|view| view.checks.clone()).unwrap_or_default(),
            }),
            _ => None,
        })
    }

    fn arrival_story(&self, seen: &Seen, books: impl Fn(Seq) -> Vec<BookLine>) -> Option<ArrivalStory> {
        self.events.iter().find_map(|(seq, derived)| match &derived.event {
            Event::Arrived { at, bid, ask, .. } => Some(ArrivalStory {
                seq: *seq,
                at: *at,
                bid: *bid,
                ask: *ask,
                revealed_by: seen.revealed_by.iter().cloned().collect(),
                books: books(*seq),
            }),
            _ => None,
        })
    }

    fn fill_stories<'a>(&self, seen: &Seen, at: impl Fn(Seq) -> Option<&'a View>) -> Vec<FillStory> {
        let mut filled: BTreeMap<u8, FilledSoFar> = BTreeMap::new();
        let mut stories = Vec::new();
        for (seq, derived) in &self.events {
            let Event::Executed(execution) = &derived.event else { continue };
            let booked = self.events.iter().find_map(|(booked, fill)| match &fill.event {
                Event::Fill { execution: reported, fee, .. }
                    if reported == execution && fill.cause == *seq =>
                {
                    Some((*booked, fill.ts, *fee))
                }
                _ => None,
            });
            let ix = execution.instrument;
            let fee_row = seen.defs.get(&ix).filter(|_| booked.is_some()).map(|def| {
                let so_far = filled.entry(execution.leg).or_default();
                so_far.add(execution, def);
                fees::row(self.config.fees, def, *so_far)
            });
            let book = at(*seq).and_then(|view| {
                let (_, top) = view.tops.iter().find(|(known, _)| *known == ix)?;
                Some(BookLine::new(&self.symbol(ix), top, view.ts))
            });
            stories.push(FillStory {
                executed_seq: *seq,
                booked_seq: booked.map(|(seq, ..)| seq),
                booked_ts: booked.map(|(_, ts, _)| ts),
                execution: *execution,
                symbol: self.symbol(ix),
                justified_by: seen.entries.get(&execution.justification).cloned().into_iter().collect(),
                book,
                fee: booked.map(|(.., fee)| fee),
                fee_row,
            });
        }
        stories
    }
}

fn count_reads(reads: &[Read]) -> ReadCounts {
    let mut counts = ReadCounts::default();
    for read in reads {
        *match read {
            Read::Book(_) => &mut counts.books,
            Read::Greeks(..) => &mut counts.greeks,
            Read::Chain(_) => &mut counts.chains,
            Read::Position(_) => &mut counts.positions,
            Read::Order(_) => &mut counts.orders,
            Read::Account(_) => &mut counts.accounts,
        } += 1;
    }
    counts
}

/// The order an event is about.
fn order_of(event: &Event) -> Option<OrderIx> {
    match event {
        Event::Submitted { order, .. }
        | Event::CancelRequested { order }
        | Event::Risk { order, .. }
        | Event::State { order, .. }
        | Event::IllegalTransition { order, .. }
        | Event::Arrived { order, .. }
        | Event::Triggered { order, .. } => Some(*order),
        Event::Executed(execution) | Event::Fill { execution, .. } => Some(execution.order),
        _ => None,
    }
}

/// What the second pass saw.
struct Seen {
    views: Vec<View>,
    entries: BTreeMap<Seq, Rendered>,
    revealed_by: Option<Rendered>,
    defs: BTreeMap<InstrumentIx, onetape_engine::instrument::InstrumentDef>,
    /// Accounts at the log's end, when the order still held something there.
    end_accounts: Option<Vec<onetape_engine::account::Account>>,
}

impl Seen {
    fn collect(
        reader: &JournalReader,
        registry: &Registry,
        order: OrderIx,
        said: &Said,
        package: &Package,
    ) -> Result<Seen, RunError> {
        let (mut blocks, mut block) = (reader.blocks(), Block::default());
        let (watched, shown) = (said.watched(), said.shown());
        let last = watched.iter().chain(&shown).copied().max().unwrap_or(0);
        let to_the_end = said.ledger.holds(order);
        let arrived = said.events.iter().find(|(_, derived)| matches!(derived.event, Event::Arrived { .. }));
        let arrived = arrived.map(|(seq, _)| *seq);
        let instruments = instruments_of(package, said);
        let mut seen = Seen {
            views: Vec::new(),
            entries: BTreeMap::new(),
            revealed_by: None,
            defs: BTreeMap::new(),
            end_accounts: None,
        };
        let mut names = Names::default();
        let mut rederivation: Option<Rederivation> = None;
        while blocks.next_block(&mut block)? {
            let rerun = match &mut rederivation {
                Some(rerun) => rerun,
                None => {
                    let rerun = rederivation.insert(Rederivation::begin(&block, registry, reader.path())?);
                    let before = watched.iter().copied().collect();
                    let instruments = Some(instruments.clone());
                    rerun.kernel_mut().watch(Watch { before, instruments, order: Some(order) });
                    rerun
                }
            };
            rerun.block(&block)?;
            rerun.demand_equal()?;
            for (seq, entry) in block.entries() {
                names.learn(&entry);
                if shown.contains(&seq) {
                    seen.entries.insert(seq, names.render(seq, &entry));
                }
                let reveals =
                    matches!(entry, Entry::Input(..)) && arrived.is_some_and(|arrived| seq > arrived);
                if reveals && seen.revealed_by.is_none() {
                    seen.revealed_by = Some(names.render(seq, &entry));
                }
            }
            seen.views.extend(rerun.kernel_mut().take_views());
            let is_revealed = arrived.is_none() || seen.revealed_by.is_some();
            if !to_the_end && is_revealed && blocks.next_seq() > last {
                break;
            }
        }
        if let Some(rerun) = rederivation {
            let defs = rerun.kernel().instruments();
            let def = |ix: &InstrumentIx| defs.get(ix.index()).map(|def| (*ix, def.clone()));
            seen.defs = instruments.iter().filter_map(def).collect();
            seen.end_accounts = to_the_end.then(|| rerun.kernel().accounts().to_vec());
        }
        Ok(seen)
    }
}

/// The legs and their underlyings, each once.
fn instruments_of(package: &Package, said: &Said) -> Vec<InstrumentIx> {
    let mut instruments: Vec<InstrumentIx> = package.legs.iter().map(|leg| leg.instrument).collect();
    let defs = said.ledger.instruments();
    let underlyings = package.legs.iter().filter_map(|leg| defs.get(leg.instrument.index())?.underlying());
    for ix in underlyings.collect::<Vec<_>>() {
        if !instruments.contains(&ix) {
            instruments.push(ix);
        }
    }
    instruments
}
