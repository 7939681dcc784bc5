//! Profit by order: every lot a run held is traced to the order that opened it.
//!
//! A second set of books, kept from the derived events alone: lots close first in, first out, as in
//! the engine's accounts, but each remembers its order. What a lot made is its opener's; fees are the
//! filled order's own; shares delivered by exercise or assignment belong to the order that opened the
//! option. Every `position` event must say what these books say, so that the profits of all orders sum
//! to the accounts' result to the last nano.

use crate::error::RunError;
use onetape_engine::account::Account;
use onetape_engine::block::Entry;
use onetape_engine::event::{Derived, Event, ExpiryOutcome};
use onetape_engine::ids::{AccountIx, InstrumentIx, OrderIx, Seq, StrategyIx};
use onetape_engine::input::Cold;
use onetape_engine::instrument::{InstrumentDef, InstrumentKind, Right, Settlement};
use onetape_engine::num::{Money, Nanos, Price, Qty};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// What ended a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitBy {
    /// A fill of this order.
    Order(OrderIx),
    /// The series ended so.
    Expiry(ExpiryOutcome),
}

/// A lot, or a part of one, that was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exit {
    /// Seq of the position event.
    pub seq: Seq,
    /// Event time.
    pub ts: Nanos,
    /// Symbol.
    pub symbol: String,
    /// Signed quantity that was held.
    pub quantity: Qty,
    /// Price at which it was closed: a trade's, or what the series was worth.
    pub price: Price,
    /// What closed it.
    pub by: ExitBy,
    /// Profit of it, before fees.
    pub realized: Money,
}

/// A lot still open at the end, at the last mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remainder {
    /// Symbol.
    pub symbol: String,
    /// Signed quantity.
    pub quantity: Qty,
    /// Price of the last mark.
    pub mark: Price,
    /// Value minus what was paid.
    pub unrealized: Money,
}

/// What one order made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderProfit {
    /// Order.
    pub order: OrderIx,
    /// Owner.
    pub strategy: StrategyIx,
    /// Symbol and signed quantity of each leg, as submitted.
    pub legs: Vec<(String, Qty)>,
    /// Seq of the submission.
    pub submit_seq: Seq,
    /// Signed quantity filled by leg.
    pub filled: Vec<Qty>,
    /// Lots it opened that were closed.
    pub exits: Vec<Exit>,
    /// Lots it opened that are still open.
    pub open: Vec<Remainder>,
    /// Profit of the closed lots, before fees.
    pub realized: Money,
    /// Profit of the open lots at the last mark.
    pub unrealized: Money,
    /// Fees of its fills.
    pub fees: Money,
}

impl OrderProfit {
    /// Realised plus unrealised minus fees.
    pub fn profit(&self) -> Money {
        self.realized + self.unrealized - self.fees
    }
}

#[derive(Debug, Clone)]
struct OpenLot {
    origin: OrderIx,
    quantity: Qty,
    price: Price,
    cost: Money,
}

/// A trade whose position event is next.
#[derive(Debug, Clone)]
struct Trade {
    account: AccountIx,
    instrument: InstrumentIx,
    quantity: Qty,
    price: Price,
    by: ExitBy,
    /// Whose what it opens is: signed quantities that sum to `quantity`.
    owners: VecDeque<(OrderIx, Qty)>,
    /// An option's end: what is closed delivers shares at this price.
    delivery: Option<Delivery>,
}

#[derive(Debug, Clone, Copy)]
struct Delivery {
    underlying: InstrumentIx,
    strike: Price,
    /// Units of the underlying a contract.
    each: i64,
    right: Right,
}

/// The books: feed every entry of a log in order, then [`Ledger::finish`].
#[derive(Debug, Default)]
pub struct Ledger {
    path: String,
    instruments: Vec<InstrumentDef>,
    lots: BTreeMap<(AccountIx, InstrumentIx), VecDeque<OpenLot>>,
    orders: Vec<OrderProfit>,
    expected: Option<Trade>,
}

impl Ledger {
    /// Empty books for the journal at `path`, which errors name.
    pub fn new(path: &str) -> Ledger {
        Ledger { path: path.to_string(), ..Ledger::default() }
    }

    /// Definitions so far.
    pub fn instruments(&self) -> &[InstrumentDef] {
        &self.instruments
    }

    /// Orders so far.
    pub fn orders(&self) -> &[OrderProfit] {
        &self.orders
    }

    /// Whether a lot that the order opened is open.
    pub fn holds(&self, order: OrderIx) -> bool {
        self.lots.values().flatten().any(|lot| lot.origin == order)
    }

    /// Takes an entry into the books.
    ///
    /// # Errors
    /// [`RunError::Books`] when a position event says something else than these books.
    pub fn observe(&mut self, seq: Seq, entry: &Entry<'_>) -> Result<(), RunError> {
        match entry {
            Entry::Input(_, Some(Cold::Definition(def))) => self.instruments.push((**def).clone()),
            Entry::Input(..) => {}
            Entry::Derived(derived) => self.event(seq, derived)?,
        }
        Ok(())
    }

    fn event(&mut self, seq: Seq, derived: &Derived) -> Result<(), RunError> {
        match &derived.event {
            Event::Submitted { order, strategy, package } => {
                let symbol = |ix: InstrumentIx| {
                    self.instruments.get(ix.index()).map_or(format!("#{}", ix.0), |def| def.symbol.clone())
                };
                self.orders.push(OrderProfit {
                    order: *order,
                    strategy: *strategy,
                    legs: package.legs.iter().map(|leg| (symbol(leg.instrument), leg.quantity)).collect(),
                    submit_seq: seq,
                    filled: vec![Qty::ZERO; package.legs.len()],
                    exits: Vec::new(),
                    open: Vec::new(),
                    realized: Money::ZERO,
                    unrealized: Money::ZERO,
                    fees: Money::ZERO,
                });
            }
            Event::Fill { execution, account, fee } => {
                let (order, leg) = (execution.order, usize::from(execution.leg));
                let known = self.orders.get_mut(order.index()).filter(|known| leg < known.filled.len());
                let Some(known) = known else { return Err(self.misfit(seq, "a fill of no known order")) };
                known.fees += *fee;
                known.filled[leg] = known.filled[leg] + execution.quantity;
                self.expected = Some(Trade {
                    account: *account,
                    instrument: execution.instrument,
                    quantity: execution.quantity,
                    price: execution.price,
                    by: ExitBy::Order(order),
                    owners: VecDeque::from([(order, execution.quantity)]),
                    delivery: None,
                });
            }
            Event::Expired { account, instrument, quantity, outcome, underlying, .. } => {
                self.expected = self.ending(*account, *instrument, *quantity, *outcome, *underlying);
            }
            Event::Position { account, instrument, quantity, realized, .. } => {
                let trade = self.expected.take();
                let trade =
                    trade.filter(|trade| (trade.account, trade.instrument) == (*account, *instrument));
                let Some(trade) = trade else {
                    return Err(self.misfit(seq, "a position change without its trade"));
                };
                self.book(seq, derived.ts, trade, *quantity, *realized)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The trade that ends a position in a series, at what it is worth.
    fn ending(
        &self,
        account: AccountIx,
        instrument: InstrumentIx,
        quantity: Qty,
        outcome: ExpiryOutcome,
        underlying: Price,
    ) -> Option<Trade> {
        let def = self.instruments.get(instrument.index())?;
        let terms = def.option.as_ref()?;
        let is_delivering = outcome != ExpiryOutcome::Worthless;
        let delivered = self.instruments.get(terms.underlying.index())?;
        let is_index = delivered.kind == InstrumentKind::Index;
        let is_physical = terms.settlement == Settlement::Physical && !is_index;
        let delivery = (is_delivering && is_physical).then_some(Delivery {
            underlying: terms.underlying,
            strike: terms.strike,
            each: def.units_delivered(delivered),
            right: terms.right,
        });
        let price = if is_delivering && !is_physical { terms.intrinsic(underlying) } else { Price::ZERO };
        let (by, owners) = (ExitBy::Expiry(outcome), VecDeque::new());
        Some(Trade { account, instrument, quantity: quantity.neg(), price, by, owners, delivery })
    }

    /// Books a trade: closes the oldest opposite lots, opens what is left, and compares with the event.
    fn book(
        &mut self,
        seq: Seq,
        ts: Nanos,
        mut trade: Trade,
        held: Qty,
        realized: Money,
    ) -> Result<(), RunError> {
        let def = &self.instruments[trade.instrument.index()];
        let (multiplier, symbol) = (def.multiplier, def.symbol.clone());
        let lots = self.lots.entry((trade.account, trade.instrument)).or_default();
        let mut left = trade.quantity;
        let mut exits: Vec<(OrderIx, Exit)> = Vec::new();
        while left.0 != 0 {
            let Some(oldest) = lots.front_mut().filter(|lot| (lot.quantity.0 > 0) != (left.0 > 0)) else {
                break;
            };
            let size = oldest.quantity.0.abs().min(left.0.abs());
            let closed = Qty(if oldest.quantity.0 > 0 { size } else { -size });
            let is_whole = closed == oldest.quantity;
            let cost = if is_whole { oldest.cost } else { oldest.price.notional(closed, multiplier) };
            let realized = trade.price.notional(closed, multiplier) - cost;
            let (quantity, price, by) = (closed, trade.price, trade.by);
            exits.push((
                oldest.origin,
                Exit { seq, ts, symbol: symbol.clone(), quantity, price, by, realized },
            ));
            oldest.cost -= cost;
            oldest.quantity = oldest.quantity - closed;
            left = left + closed;
            if is_whole {
                lots.pop_front();
            }
        }
        for (origin, quantity) in remaining_owners(&mut trade.owners, left) {
            let cost = trade.price.notional(quantity, multiplier);
            lots.push_back(OpenLot { origin, quantity, price: trade.price, cost });
        }
        let now_held = lots.iter().fold(Qty::ZERO, |sum, lot| sum + lot.quantity);
        let sum = exits.iter().fold(Money::ZERO, |sum, (_, exit)| sum + exit.realized);
        let rest = realized - sum;
        // Pieces are rounded one by one, the account's trade once: the last piece takes the difference.
        if now_held != held || rest.0.unsigned_abs() > exits.len() as u128 {
            return Err(self.misfit(seq, &format!("{now_held} held and {sum} realised by order")));
        }
        if let Some((_, last)) = exits.last_mut() {
            last.realized += rest;
        }
        self.expected = trade.delivery.map(|delivery| delivered(&trade, &delivery, &exits));
        for (origin, exit) in exits {
            let order = &mut self.orders[origin.index()];
            order.realized += exit.realized;
            order.exits.push(exit);
        }
        Ok(())
    }

    /// Closes the books on the accounts as they are at the end of the log.
    ///
    /// # Errors
    /// [`RunError::Books`] when positions or the sum of all profits are not the accounts'.
    pub fn finish(mut self, end: Seq, accounts: &[Account]) -> Result<Vec<OrderProfit>, RunError> {
        for ((account, ix), lots) in std::mem::take(&mut self.lots) {
            let held = lots.iter().fold(Qty::ZERO, |sum, lot| sum + lot.quantity);
            let position = accounts.get(account.index()).and_then(|account| account.position(ix));
            if held != position.map_or(Qty::ZERO, |position| position.quantity) {
                return Err(self.misfit(end, &format!("{held} held by order")));
            }
            let Some(position) = position else { continue };
            let def = &self.instruments[ix.index()];
            let mut rest = position.unrealized();
            for (n, lot) in lots.iter().enumerate() {
                let is_last = n + 1 == lots.len();
                let by_mark = position.mark.notional(lot.quantity, def.multiplier) - lot.cost;
                let unrealized = if is_last { rest } else { by_mark };
                rest -= unrealized;
                let order = &mut self.orders[lot.origin.index()];
                order.unrealized += unrealized;
                let (symbol, mark) = (def.symbol.clone(), position.mark);
                order.open.push(Remainder { symbol, quantity: lot.quantity, mark, unrealized });
            }
        }
        let sum = self.orders.iter().fold(Money::ZERO, |sum, order| sum + order.profit());
        let result = profit_of(accounts);
        if sum != result {
            return Err(self.misfit(end, &format!("{sum} by order and {result} in the accounts")));
        }
        Ok(self.orders)
    }

    fn misfit(&self, seq: Seq, found: &str) -> RunError {
        RunError::Books { path: self.path.clone(), seq, found: found.to_string() }
    }
}

/// Equity minus initial cash over all accounts.
pub fn profit_of(accounts: &[Account]) -> Money {
    accounts.iter().fold(Money::ZERO, |sum, account| sum + account.equity() - account.cash_initial)
}

/// The owners of the last `left` of a trade, in order.
fn remaining_owners(owners: &mut VecDeque<(OrderIx, Qty)>, left: Qty) -> VecDeque<(OrderIx, Qty)> {
    let total = owners.iter().fold(Qty::ZERO, |sum, (_, quantity)| sum + *quantity);
    let mut used = (total - left).abs();
    while let Some((_, first)) = owners.front_mut().filter(|_| used.0 > 0) {
        let taken = Qty(first.0.abs().min(used.0));
        used = used - taken;
        *first = if first.0 > 0 { *first - taken } else { *first + taken };
        if first.0 == 0 {
            owners.pop_front();
        }
    }
    std::mem::take(owners)
}

/// The shares that ended options deliver, each to the order that held the option.
fn delivered(trade: &Trade, delivery: &Delivery, exits: &[(OrderIx, Exit)]) -> Trade {
    let shares = |held: Qty| {
        let shares = Qty(held.0.saturating_mul(delivery.each));
        if delivery.right == Right::Call { shares } else { shares.neg() }
    };
    Trade {
        account: trade.account,
        instrument: delivery.underlying,
        quantity: shares(trade.quantity.neg()),
        price: delivery.strike,
        by: trade.by,
        owners: exits.iter().map(|(origin, exit)| (*origin, shares(exit.quantity))).collect(),
        delivery: None,
    }
}
