//! What an auditor sees: the loop's state at places of the log.
//!
//! A journal holds inputs and conclusions, not states. Whoever asks for a state runs the inputs again
//! with a [`Watch`] set: when the loop is about to append the entry at a watched seq it copies what the
//! auditor wants into a [`View`]. Watching changes nothing that is derived.

use crate::account::Account;
use crate::book::Top;
use crate::event::RejectReason;
use crate::ids::{AccountIx, InstrumentIx, OrderIx, Seq, StrategyIx};
use crate::num::{Money, Nanos};
use crate::order::Order;
use crate::state::Core;
use crate::strategy::SeriesGreeks;
use serde::Serialize;
use std::cell::RefCell;
use std::collections::VecDeque;

/// What to look at, and where.
#[derive(Debug, Default)]
pub struct Watch {
    /// Seqs before whose entries a view is taken, ascending; the entries must be derived events.
    pub before: VecDeque<Seq>,
    /// Instruments whose books a view holds; `None` for all.
    pub instruments: Option<Vec<InstrumentIx>>,
    /// Order whose risk checks are noted.
    pub order: Option<OrderIx>,
}

/// The loop's state when the entry `before` was about to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Seq of the entry that follows.
    pub before: Seq,
    /// Event time.
    pub ts: Nanos,
    /// Top of book by instrument.
    pub tops: Vec<(InstrumentIx, Top)>,
    /// Accounts by index.
    pub accounts: Vec<AccountView>,
    /// Orders that are not final.
    pub open_orders: Vec<Order>,
    /// What the strategy called last read, in order, without repeats.
    pub reads: Vec<Read>,
    /// The watched order's risk checks so far, in the order they were made.
    pub checks: Vec<LimitCheck>,
}

/// An account with its positions marked at the books of the moment.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountView {
    /// The account.
    pub account: Account,
    /// Cash plus positions closed at natural prices.
    pub liquidation: Money,
    /// Initial requirement of the positions.
    pub requirement: Money,
}

/// Something a strategy looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Read {
    /// Top of book or price of an instrument.
    Book(InstrumentIx),
    /// Volatility and delta of a series; `None` when they could not be had.
    Greeks(InstrumentIx, Option<SeriesGreeks>),
    /// The chain on an underlying.
    Chain(InstrumentIx),
    /// A position.
    Position(InstrumentIx),
    /// An account.
    Account(AccountIx),
    /// An order.
    Order(OrderIx),
}

/// What a check's figures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckUnit {
    /// Nothing: it holds or it does not.
    Fact,
    /// Contracts or shares.
    Quantity,
    /// Price of one unit.
    Price,
    /// Money.
    Money,
    /// Orders within a second.
    Orders,
    /// Blocks that the journal is behind.
    Blocks,
}

/// One pre-trade check with its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LimitCheck {
    /// The refusal it would lead to.
    pub check: RejectReason,
    /// Leg it is about.
    pub leg: Option<usize>,
    /// Whether it lets the order pass.
    pub is_within: bool,
    /// What the figures count.
    pub unit: CheckUnit,
    /// The order's value.
    pub value: Option<Money>,
    /// The limit.
    pub limit: Option<Money>,
    /// Limit minus value (of a sell's lowest price: value minus limit); below zero is beyond.
    pub headroom: Option<Money>,
}

impl LimitCheck {
    pub(crate) fn fact(check: RejectReason, is_within: bool) -> LimitCheck {
        let unit = CheckUnit::Fact;
        LimitCheck { check, leg: None, is_within, unit, value: None, limit: None, headroom: None }
    }
}

/// A watch with what it has seen.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    watch: Watch,
    views: Vec<View>,
    notebook: RefCell<Notebook>,
}

#[derive(Debug, Default)]
struct Notebook {
    /// The callback that reads: seq at its beginning, and whose it is.
    reader: Option<(Seq, StrategyIx)>,
    reads: Vec<Read>,
    checks: Vec<LimitCheck>,
}

impl Core {
    pub(crate) fn set_watch(&mut self, watch: Watch) {
        self.watching = Some(Box::new(Watching { watch, ..Watching::default() }));
    }

    pub(crate) fn take_views(&mut self) -> Vec<View> {
        self.watching.as_mut().map(|watching| std::mem::take(&mut watching.views)).unwrap_or_default()
    }

    /// Takes a view when the entry about to be appended is watched.
    #[cold]
    #[inline(never)]
    pub(crate) fn observe(&mut self) {
        let Some(mut watching) = self.watching.take() else { return };
        if watching.watch.before.front() == Some(&self.seq) {
            watching.watch.before.pop_front();
            let view = self.view_of(watching.watch.instruments.as_deref(), &watching.notebook.borrow());
            watching.views.push(view);
        }
        self.watching = Some(watching);
    }

    /// The present state, all books included.
    pub(crate) fn view(&self) -> View {
        self.view_of(None, &Notebook::default())
    }

    fn view_of(&self, instruments: Option<&[InstrumentIx]>, notebook: &Notebook) -> View {
        let top = |ix: InstrumentIx| self.tops.get(ix.index()).map(|top| (ix, *top));
        let all = || (0..self.tops.len()).map(InstrumentIx::from);
        let tops = match instruments {
            Some(wanted) => wanted.iter().filter_map(|ix| top(*ix)).collect(),
            None => all().filter_map(top).collect(),
        };
        let accounts = (0..self.accounts.len()).map(|n| {
            let mut account = self.accounts[n].clone();
            self.mark_positions(&mut account);
            let liquidation = self.liquidation(&account);
            AccountView { liquidation, requirement: self.requirement_held(AccountIx::from(n)), account }
        });
        View {
            before: self.seq,
            ts: self.now,
            tops,
            accounts: accounts.collect(),
            open_orders: self.open_orders.iter().map(|ix| self.orders[ix.index()].clone()).collect(),
            reads: notebook.reads.clone(),
            checks: notebook.checks.clone(),
        }
    }

    /// Notes what a strategy reads.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_read(&self, strategy: StrategyIx, read: Read) {
        let Some(watching) = &self.watching else { return };
        let mut notebook = watching.notebook.borrow_mut();
        if notebook.reader != Some((self.seq, strategy)) {
            notebook.reader = Some((self.seq, strategy));
            notebook.reads.clear();
        }
        if !notebook.reads.contains(&read) {
            notebook.reads.push(read);
        }
    }

    /// Notes the checks that `review` finds for the watched order.
    #[inline]
    pub(crate) fn note_checks(&self, ix: OrderIx, review: impl FnOnce(&Core, OrderIx) -> Vec<LimitCheck>) {
        let Some(watching) = self.watching.as_ref().filter(|watching| watching.watch.order == Some(ix))
        else {
            return;
        };
        let checks = review(self, ix);
        watching.notebook.borrow_mut().checks.extend(checks);
    }
}
