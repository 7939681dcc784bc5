//! One row for each order: what was asked and how it ended.

use super::rows::name_of;
use super::sink::{Cell, Rows};
use crate::error::JournalError;
use crate::render::Names;
use onetape_engine::event::{Derived, Event};
use onetape_engine::ids::{OrderIx, Seq};
use onetape_engine::num::{Money, Nanos, Qty};
use onetape_engine::order::{OrderState, Package};
use serde_json::json;

struct Row {
    submit_seq: Seq,
    submit_ts: Nanos,
    strategy: u16,
    package: Package,
    state: OrderState,
    state_seq: Seq,
    state_ts: Nanos,
    reason: String,
    refused: Option<String>,
    filled: Qty,
    value: Money,
    fees: Money,
}

/// The orders so far.
#[derive(Default)]
pub(super) struct Orders {
    rows: Vec<Row>,
}

impl Orders {
    fn of(&mut self, order: OrderIx) -> Option<&mut Row> {
        self.rows.get_mut(order.index())
    }

    pub(super) fn observe(&mut self, seq: Seq, derived: &Derived) {
        match &derived.event {
            Event::Submitted { strategy, package, .. } => self.rows.push(Row {
                submit_seq: seq,
                submit_ts: derived.ts,
                strategy: strategy.0,
                package: package.clone(),
                state: OrderState::Submitted,
                state_seq: seq,
                state_ts: derived.ts,
                reason: String::new(),
                refused: None,
                filled: Qty::ZERO,
                value: Money::ZERO,
                fees: Money::ZERO,
            }),
            Event::State { order, to, reason, .. } => {
                if let Some(row) = self.of(*order) {
                    (row.state, row.state_seq, row.state_ts) = (*to, seq, derived.ts);
                    row.reason = name_of(reason);
                }
            }
            Event::Risk { order, refused: Some(refused), .. } => {
                if let Some(row) = self.of(*order) {
                    row.refused = Some(name_of(refused));
                }
            }
            Event::Fill { execution, fee, .. } => {
                if let Some(row) = self.of(execution.order) {
                    row.filled = row.filled + execution.quantity;
                    row.value += execution.price.notional(execution.quantity, 1);
                    row.fees += *fee;
                }
            }
            _ => {}
        }
    }

    pub(super) fn write(self, names: &Names, sink: &mut impl Rows) -> Result<(), JournalError> {
        for (n, row) in self.rows.iter().enumerate() {
            let package = &row.package;
            let legs = package.legs.iter().map(|leg| (names.symbol(leg.instrument), leg.quantity));
            let legs: Vec<_> =
                legs.map(|(symbol, quantity)| json!({ "symbol": symbol, "quantity": quantity })).collect();
            let symbol = package.legs.first().map(|leg| names.symbol(leg.instrument));
            let decimal = |raw: Option<i64>| raw.map_or(Cell::Null, |raw| Cell::Decimal(i128::from(raw)));
            sink.row(&[
                Cell::Count(n as u64),
                Cell::Count(row.submit_seq),
                Cell::Count(row.submit_ts.0),
                Cell::Count(u64::from(row.strategy)),
                Cell::Count(u64::from(package.account.0)),
                symbol.as_deref().map_or(Cell::Null, Cell::Text),
                decimal(package.legs.first().map(|leg| leg.quantity.0)),
                Cell::Text(&json!(legs).to_string()),
                Cell::Text(&name_of(&package.order_type)),
                decimal(package.order_type.limit().map(|limit| limit.0)),
                decimal(package.order_type.trigger().map(|trigger| trigger.price.0)),
                Cell::Text(&name_of(&package.tif)),
                Cell::Text(&name_of(&row.state)),
                Cell::Count(row.state_seq),
                Cell::Count(row.state_ts.0),
                if row.reason.is_empty() { Cell::Null } else { Cell::Text(&row.reason) },
                row.refused.as_deref().map_or(Cell::Null, Cell::Text),
                Cell::Decimal(i128::from(row.filled.0)),
                Cell::Decimal(row.value.0),
                Cell::Decimal(row.fees.0),
            ])?;
        }
        Ok(())
    }
}
