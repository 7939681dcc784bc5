//! Entries as rows.

use super::sink::{Cell, Rows};
use crate::error::JournalError;
use crate::render::Names;
use onetape_engine::block::Entry;
use onetape_engine::event::Execution;
use onetape_engine::ids::{AccountIx, InstrumentIx, Seq};
use onetape_engine::input::Cold;
use onetape_engine::num::{Money, Nanos};
use onetape_engine::record::{Body, Record};

/// Fields of a rendered entry that have columns of their own, or are the same in every row.
const TYPED: [&str; 16] = [
    "seq",
    "time",
    "ts",
    "ts_src",
    "lane",
    "kind",
    "cause",
    "venue",
    "flags",
    "instrument",
    "bid",
    "ask",
    "bid_size",
    "ask_size",
    "order",
    "strategy",
];

fn decimal(raw: i64) -> Cell<'static> {
    Cell::Decimal(i128::from(raw))
}

/// An input.
pub(super) fn input(
    names: &Names,
    seq: Seq,
    record: &Record,
    cold: Option<&Cold>,
    sink: &mut impl Rows,
) -> Result<(), JournalError> {
    const NO: Cell<'static> = Cell::Null;
    let (mut quote, mut bar, mut price, mut size) = ([NO; 4], [NO; 4], NO, NO);
    let mut has_more = cold.is_some();
    match record.body() {
        Some(Body::Quote(q)) => quote = [q.bid, q.ask, q.bid_size, q.ask_size].map(decimal),
        Some(Body::Trade(trade)) => {
            (price, size, has_more) = (decimal(trade.price), decimal(trade.size), true);
        }
        Some(Body::TradeBar(b)) => {
            (bar, size) = ([b.open, b.high, b.low, b.close].map(decimal), decimal(b.volume));
        }
        Some(Body::BidBar(b) | Body::AskBar(b)) => {
            (bar, size) = ([b.open, b.high, b.low, b.close].map(decimal), decimal(b.size));
        }
        Some(Body::Tick | Body::Seal | Body::Cold(_)) => {}
        _ => has_more = true,
    }
    let entry = Entry::Input(record, cold);
    let fields = if has_more { names.render(seq, &entry).fields_without(&TYPED) } else { String::new() };
    let is_of_one = record.instrument() != InstrumentIx::NONE;
    let symbol = names.symbol(record.instrument());
    let [bid, ask, bid_size, ask_size] = quote;
    let [open, high, low, close] = bar;
    sink.row(&[
        Cell::Count(seq),
        Cell::Count(record.ts),
        Cell::Count(record.ts_src),
        Cell::Text(crate::render::kind_name(&entry)),
        if is_of_one { Cell::Text(&symbol) } else { NO },
        Cell::Count(u64::from(record.venue)),
        Cell::Count(u64::from(record.flags)),
        bid,
        ask,
        bid_size,
        ask_size,
        open,
        high,
        low,
        close,
        price,
        size,
        if has_more { Cell::Text(&fields) } else { NO },
    ])
}

/// A derived event.
pub(super) fn event(
    names: &Names,
    seq: Seq,
    entry: &Entry<'_>,
    sink: &mut impl Rows,
) -> Result<(), JournalError> {
    let Entry::Derived(derived) = entry else { return Ok(()) };
    let rendered = names.render(seq, entry);
    let count = |name: &str| match rendered.get(name).and_then(serde_json::Value::as_u64) {
        Some(count) => Cell::Count(count),
        None => Cell::Null,
    };
    let symbol = rendered.get("instrument").and_then(serde_json::Value::as_str);
    let fields = rendered.fields_without(&["seq", "time", "ts", "lane", "kind", "cause"]);
    sink.row(&[
        Cell::Count(seq),
        Cell::Count(derived.ts.0),
        Cell::Count(derived.cause),
        Cell::Text(derived.event.name()),
        count("order"),
        count("strategy"),
        count("account"),
        symbol.map_or(Cell::Null, Cell::Text),
        Cell::Text(&fields),
    ])
}

/// A fill.
pub(super) fn fill(
    names: &Names,
    seq: Seq,
    ts: Nanos,
    execution: &Execution,
    account: AccountIx,
    fee: Money,
    sink: &mut impl Rows,
) -> Result<(), JournalError> {
    let reason = name_of(&execution.reason);
    sink.row(&[
        Cell::Count(seq),
        Cell::Count(ts.0),
        Cell::Count(u64::from(execution.order.0)),
        Cell::Count(u64::from(execution.leg)),
        Cell::Count(u64::from(account.0)),
        Cell::Text(&names.symbol(execution.instrument)),
        decimal(execution.quantity.0),
        decimal(execution.price.0),
        Cell::Decimal(fee.0),
        Cell::Count(execution.at.0),
        decimal(execution.bid.0),
        decimal(execution.ask.0),
        Cell::Text(&reason),
        Cell::Count(execution.justification),
    ])
}

/// A unit variant's name as the log writes it; of a variant with content its name alone.
pub(super) fn name_of<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(serde_json::Value::Object(variant)) => variant.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}
