//! The difference between two runs' results, order by order.

use super::pnl::{OrderProfit, profit_of};
use super::rerun::EndState;
use onetape_engine::account::Account;
use onetape_engine::ids::StrategyIx;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Money, Qty};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What two runs made and hold, and where the difference comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct ResultDiff {
    pub profit_a: Money,
    pub profit_b: Money,
    /// `profit_b − profit_a`: the sum of all orders' differences.
    pub difference: Money,
    /// Orders that made something else, or that only one run has; paired by seq and
    /// legs, else in order by strategy and legs.
    pub orders: Vec<OrderDiff>,
    /// Pairs of orders that made the same.
    pub equal_orders: u64,
    pub cash_a: Money,
    pub cash_b: Money,
    /// Positions at the end that differ, by symbol.
    pub positions: Vec<PositionDiff>,
}

/// One order, or pair of orders, with what it contributes to the difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct OrderDiff {
    pub legs: Vec<(String, Qty)>,
    pub a: Option<OrderResult>,
    pub b: Option<OrderResult>,
    /// Profit in b minus profit in a.
    pub difference: Money,
}

/// What an order made in one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct OrderResult {
    pub order: u32,
    pub submit_seq: u64,
    pub filled: Vec<Qty>,
    pub realized: Money,
    pub unrealized: Money,
    pub fees: Money,
    pub profit: Money,
}

/// A position that differs at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct PositionDiff {
    pub symbol: String,
    pub a: Qty,
    pub b: Qty,
}

impl From<&OrderProfit> for OrderResult {
    fn from(order: &OrderProfit) -> OrderResult {
        OrderResult {
            order: order.order.0,
            submit_seq: order.submit_seq,
            filled: order.filled.clone(),
            realized: order.realized,
            unrealized: order.unrealized,
            fees: order.fees,
            profit: order.profit(),
        }
    }
}

/// Compares where two runs ended.
pub fn compare_results(a: &EndState, b: &EndState) -> ResultDiff {
    let (profit_a, profit_b) = (profit_of(&a.accounts), profit_of(&b.accounts));
    let difference = profit_b - profit_a;
    let rows: Vec<OrderDiff> = pair(&a.orders, &b.orders).into_iter().map(row).collect();
    let sum = rows.iter().fold(Money::ZERO, |sum, row| sum + row.difference);
    assert_eq!(sum, difference, "each run's orders sum to its result, whichever way they are paired");
    let is_equal = |row: &OrderDiff| row.a.is_some() && row.b.is_some() && row.difference == Money::ZERO;
    let cash = |accounts: &[Account]| accounts.iter().fold(Money::ZERO, |sum, account| sum + account.cash);
    ResultDiff {
        profit_a,
        profit_b,
        difference,
        equal_orders: rows.iter().filter(|row| is_equal(row)).count() as u64,
        orders: rows.into_iter().filter(|row| !is_equal(row)).collect(),
        cash_a: cash(&a.accounts),
        cash_b: cash(&b.accounts),
        positions: positions(a, b),
    }
}

type Pair<'a> = (Option<&'a OrderProfit>, Option<&'a OrderProfit>);

fn row((a, b): Pair<'_>) -> OrderDiff {
    let profit = |order: Option<&OrderProfit>| order.map_or(Money::ZERO, OrderProfit::profit);
    let legs = a.or(b).map(|order| order.legs.clone()).unwrap_or_default();
    OrderDiff { legs, a: a.map(Into::into), b: b.map(Into::into), difference: profit(b) - profit(a) }
}

/// Pairs the orders of two runs: those submitted at the same seq for the same legs; then, in order, those
/// of one strategy for the same legs; what is left stands alone.
fn pair<'a>(a: &'a [OrderProfit], b: &'a [OrderProfit]) -> Vec<Pair<'a>> {
    type Kind<'k> = (StrategyIx, &'k [(String, Qty)]);
    fn kind(order: &OrderProfit) -> Kind<'_> {
        (order.strategy, &order.legs)
    }
    let by_place: BTreeMap<u64, usize> =
        b.iter().enumerate().map(|(n, order)| (order.submit_seq, n)).collect();
    let same_place = |order: &OrderProfit| {
        by_place.get(&order.submit_seq).copied().filter(|n| kind(&b[*n]) == kind(order))
    };
    let mut found: Vec<Option<usize>> = a.iter().map(same_place).collect();
    let mut is_left = vec![true; b.len()];
    found.iter().flatten().for_each(|n| is_left[*n] = false);
    let mut by_kind: BTreeMap<Kind<'_>, VecDeque<usize>> = BTreeMap::new();
    for n in (0..b.len()).filter(|n| is_left[*n]) {
        by_kind.entry(kind(&b[n])).or_default().push_back(n);
    }
    for (order, found) in a.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
        *found = by_kind.get_mut(&kind(order)).and_then(VecDeque::pop_front);
        found.iter().for_each(|n| is_left[*n] = false);
    }
    let pairs = a.iter().zip(found).map(|(order, found)| (Some(order), found.map(|n| &b[n])));
    let alone = (0..b.len()).filter(|n| is_left[*n]).map(|n| (None, Some(&b[n])));
    pairs.chain(alone).collect()
}

fn positions(a: &EndState, b: &EndState) -> Vec<PositionDiff> {
    fn held(accounts: &[Account], defs: &[InstrumentDef]) -> BTreeMap<String, Qty> {
        let mut held = BTreeMap::new();
        for (ix, position) in accounts.iter().flat_map(Account::positions) {
            let sum = held.entry(defs[ix.index()].symbol.clone()).or_insert(Qty::ZERO);
            *sum = *sum + position.quantity;
        }
        held
    }
    let (a, b) = (held(&a.accounts, &a.instruments), held(&b.accounts, &b.instruments));
    let symbols: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let quantity =
        |held: &BTreeMap<String, Qty>, symbol: &str| held.get(symbol).copied().unwrap_or(Qty::ZERO);
    let row = |symbol: &String| PositionDiff {
        symbol: symbol.clone(),
        a: quantity(&a, symbol),
        b: quantity(&b, symbol),
    };
    symbols.into_iter().map(row).filter(|row| row.a != row.b).collect()
}
