//! The state of a run at a place of its log.

use super::explain::BookLine;
use crate::error::RunError;
use crate::rederive::Rederivation;
use onetape_engine::block::{Block, Entry};
use onetape_engine::ids::{InstrumentIx, Seq};
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Money, Nanos, Price, Qty};
use onetape_engine::order::{Order, OrderState, OrderType, TimeInForce};
use onetape_engine::view::{AccountView, View, Watch};
use onetape_journal::{JournalReader, Point, time_text};
use onetape_strategies::Registry;
use serde::Serialize;
use std::collections::{BTreeSet, VecDeque};

/// The state once everything up to and including `seq` was in the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StateAt {
    /// Last seq that it includes.
    pub seq: Seq,
    /// Event time, UTC nanoseconds.
    pub ts: Nanos,
    /// The same as text.
    pub time: String,
    /// Accounts.
    pub accounts: Vec<AccountState>,
    /// Orders that were not final.
    pub orders: Vec<OpenOrder>,
    /// Books: of what is held or on order and their underlyings, or all.
    pub books: Vec<BookLine>,
}

/// An account, marked at the books of the moment under the run's mark policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct AccountState {
    pub name: String,
    pub cash: Money,
    pub equity: Money,
    /// Cash plus positions closed at natural prices.
    pub liquidation: Money,
    /// Initial margin requirement of the positions.
    pub requirement: Money,
    pub realized: Money,
    pub unrealized: Money,
    pub fees: Money,
    pub positions: Vec<HeldPosition>,
}

/// A position.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct HeldPosition {
    pub symbol: String,
    pub quantity: Qty,
    /// Cost of the open lots, debit positive.
    pub cost: Money,
    pub mark: Price,
    pub value: Money,
    pub unrealized: Money,
}

/// An order that was not final.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct OpenOrder {
    pub order: u32,
    pub strategy: u16,
    pub legs: Vec<(String, Qty)>,
    pub filled: Vec<Qty>,
    pub state: OrderState,
    pub order_type: OrderType,
    pub tif: TimeInForce,
    pub submit_seq: Seq,
    pub submit_ts: Nanos,
}

/// Re-runs a journal up to a place; `all_books` lists every instrument that was ever quoted or traded.
///
/// # Errors
/// The journal cannot be read or re-run, or ends before the place.
pub fn state_at(
    reader: &JournalReader,
    registry: &Registry,
    at: Point,
    all_books: bool,
) -> Result<StateAt, RunError> {
    let (mut blocks, mut block) = (reader.blocks(), Block::default());
    let mut rederivation: Option<Rederivation> = None;
    while blocks.next_block(&mut block)? {
        let rederivation = match &mut rederivation {
            Some(rederivation) => rederivation,
            None => rederivation.insert(Rederivation::begin(&block, registry, reader.path())?),
        };
        if let Some(target) = first_after(&block, at) {
            if target == 0 {
                return Err(outside(reader, at, blocks.next_seq()));
            }
            let view = run_to(rederivation, &block, target)?;
            return Ok(describe(&view, rederivation.kernel().instruments(), all_books));
        }
        rederivation.block(&block)?;
        rederivation.demand_equal()?;
    }
    let (Some(rederivation), end) = (rederivation, blocks.next_seq()) else {
        return Err(RunError::NoStart { path: reader.path().to_string() });
    };
    // The very end, or any time after it.
    if matches!(at, Point::Seq(seq) if seq + 1 != end) {
        return Err(outside(reader, at, end));
    }
    Ok(describe(&rederivation.kernel().view(), rederivation.kernel().instruments(), all_books))
}

fn outside(reader: &JournalReader, at: Point, end: Seq) -> RunError {
    let path = reader.path().to_string();
    match at {
        Point::Seq(seq) => RunError::NoSuchSeq { path, seq, end },
        Point::Time(ts) => RunError::BeforeStart { path, time: time_text(ts) },
    }
}

/// Seq of the first entry beyond `at`, when it lies in this block.
fn first_after(block: &Block, at: Point) -> Option<Seq> {
    match at {
        Point::Seq(seq) => {
            let next = seq.saturating_add(1);
            (next < block.first_seq + block.len() as u64).then_some(next)
        }
        Point::Time(ts) => {
            let last_input = block.inputs.last().map_or(0, |record| record.ts);
            let last = block.derived.last().map_or(last_input, |derived| derived.ts.0.max(last_input));
            if last <= ts {
                return None;
            }
            block.entries().find(|(_, entry)| onetape_journal::time_of(entry) > ts).map(|(seq, _)| seq)
        }
    }
}

/// Runs the block's inputs up to the entry `target` of it.
fn run_to(rederivation: &mut Rederivation, block: &Block, target: Seq) -> Result<View, RunError> {
    let watch = Watch { before: VecDeque::from([target]), ..Watch::default() };
    rederivation.kernel_mut().watch(watch);
    for (seq, entry) in block.entries() {
        let Entry::Input(record, cold) = entry else { continue };
        if seq == target {
            let view = rederivation.kernel_mut().view_before(record, cold);
            return view.map_err(|source| rederivation.refused(source));
        }
        let applied = rederivation.kernel_mut().apply(record, cold);
        applied.map_err(|source| rederivation.refused(source))?;
        if let Some(view) = rederivation.kernel_mut().take_views().pop() {
            return Ok(view);
        }
    }
    // What follows the block's last input is derived with it, so a watched entry was met.
    Ok(rederivation.kernel().view())
}

fn describe(view: &View, instruments: &[InstrumentDef], all_books: bool) -> StateAt {
    let symbol = |ix: InstrumentIx| instruments[ix.index()].symbol.clone();
    let held = view.accounts.iter().flat_map(|held| held.account.positions().map(|(ix, _)| ix));
    let on_order =
        view.open_orders.iter().flat_map(|order| order.package.legs.iter().map(|leg| leg.instrument));
    let mut wanted: BTreeSet<InstrumentIx> = held.chain(on_order).collect();
    let underlyings: Vec<_> = wanted.iter().filter_map(|ix| instruments[ix.index()].underlying()).collect();
    wanted.extend(underlyings);
    let books = view.tops.iter().filter(|(ix, top)| {
        let was_stated = top.bid.is_seen() || top.ask.is_seen() || top.last.0 != 0;
        wanted.contains(ix) || (all_books && was_stated)
    });
    let order = |order: &Order| OpenOrder {
        order: order.ix.0,
        strategy: order.strategy.0,
        legs: order.package.legs.iter().map(|leg| (symbol(leg.instrument), leg.quantity)).collect(),
        filled: order.filled.to_vec(),
        state: order.state,
        order_type: order.package.order_type,
        tif: order.package.tif,
        submit_seq: order.submit_seq,
        submit_ts: order.submit_ts,
    };
    StateAt {
        seq: view.before.saturating_sub(1),
        ts: view.ts,
        time: time_text(view.ts.0),
        accounts: view.accounts.iter().map(|held| account(held, symbol)).collect(),
        orders: view.open_orders.iter().map(order).collect(),
        books: books.map(|(ix, top)| BookLine::new(&instruments[ix.index()].symbol, top, view.ts)).collect(),
    }
}

fn account(view: &AccountView, symbol: impl Fn(InstrumentIx) -> String) -> AccountState {
    let AccountView { account, liquidation, requirement } = view;
    let positions = account.positions().map(|(ix, position)| HeldPosition {
        symbol: symbol(ix),
        quantity: position.quantity,
        cost: position.cost,
        mark: position.mark,
        value: position.value,
        unrealized: position.unrealized(),
    });
    AccountState {
        name: account.name.clone(),
        cash: account.cash,
        equity: account.equity(),
        liquidation: *liquidation,
        requirement: *requirement,
        realized: account.realized,
        unrealized: account.unrealized(),
        fees: account.fees,
        positions: positions.collect(),
    }
}
