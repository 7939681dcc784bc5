//! Entries as people and scripts read them: one JSON object, one line of text.
//!
//! Both forms come from one list of fields, so they cannot disagree. Prices, quantities and
//! money are decimal strings; instruments are named by their symbol, because an index means
//! something only within its own session; hashes are hex; times are UTC.
//!
//! The JSON's common fields are `seq`, `time`, `ts` (nanoseconds), `lane` (`input` or
//! `derived`), `kind`; inputs add `ts_src`, `venue` and `flags`, derived events `cause`.

use onetape_engine::block::Entry;
use onetape_engine::event::{Derived, Event};
use onetape_engine::ids::{InstrumentIx, OrderIx, Seq};
use onetape_engine::input::Cold;
use onetape_engine::num::{Price, Qty};
use onetape_engine::record::{Body, BookAction, Record, StatisticKind, TradeClass, flags};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt::{self, Write};

/// Fields of an event first in a line, the rest follow by name.
const LINE_ORDER: [&str; 16] = [
    "order",
    "strategy",
    "account",
    "instrument",
    "symbol",
    "leg",
    "legs",
    "quantity",
    "price",
    "bid",
    "ask",
    "bid_size",
    "ask_size",
    "from",
    "to",
    "reason",
];
/// Fields that a line shows in its fixed part or not at all.
const LINE_SKIPS: [&str; 7] = ["seq", "time", "ts", "ts_src", "lane", "kind", "cause"];

/// What the log has said so far that later entries refer to by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    symbols: Vec<String>,
    orders: Vec<Vec<InstrumentIx>>,
}

/// An entry with its names resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    fields: Map<String, Value>,
}

impl Names {
    /// Learns from an entry; entries are shown in log order.
    pub fn learn(&mut self, entry: &Entry<'_>) {
        match entry {
            Entry::Input(_, Some(Cold::Definition(def))) => self.symbols.push(def.symbol.clone()),
            Entry::Derived(Derived { event: Event::Submitted { package, .. }, .. }) => {
                self.orders.push(package.legs.iter().map(|leg| leg.instrument).collect());
            }
            _ => {}
        }
    }

    /// Symbol of an instrument, `#n` when the log has not defined it.
    pub fn symbol(&self, instrument: InstrumentIx) -> String {
        self.symbols.get(instrument.index()).cloned().unwrap_or_else(|| format!("#{}", instrument.0))
    }

    /// Whether the log has defined this symbol.
    pub fn knows(&self, symbol: &str) -> bool {
        self.symbols.iter().any(|known| known == symbol)
    }

    /// Whether an entry is of this instrument, directly or through its order.
    pub fn concerns(&self, entry: &Entry<'_>, symbol: &str) -> bool {
        let is = |instrument: InstrumentIx| self.symbols.get(instrument.index()).is_some_and(|s| s == symbol);
        let of_order = |order: OrderIx| {
            self.orders.get(order.index()).is_some_and(|legs| legs.iter().any(|leg| is(*leg)))
        };
        let derived = match entry {
            Entry::Input(_, Some(Cold::Definition(def))) => return def.symbol == symbol,
            Entry::Input(record, _) => return is(record.instrument()),
            Entry::Derived(derived) => derived,
        };
        match &derived.event {
            Event::Submitted { package, .. } => package.legs.iter().any(|leg| is(leg.instrument)),
            Event::Executed(execution) | Event::Fill { execution, .. } => is(execution.instrument),
            Event::Position { instrument, .. }
            | Event::Expired { instrument, .. }
            | Event::ExerciseAdvised { instrument, .. } => is(*instrument),
            Event::CancelRequested { order }
            | Event::Risk { order, .. }
            | Event::State { order, .. }
            | Event::IllegalTransition { order, .. }
            | Event::Arrived { order, .. } => of_order(*order),
            _ => false,
        }
    }

    /// Renders an entry; call [`Names::learn`] with it first.
    pub fn render(&self, seq: Seq, entry: &Entry<'_>) -> Rendered {
        let mut fields = Map::new();
        fields.insert("seq".to_string(), json!(seq));
        fields.insert("kind".to_string(), json!(kind_name(entry)));
        match entry {
            Entry::Input(record, cold) => self.input(record, *cold, &mut fields),
            Entry::Derived(derived) => self.derived(derived, &mut fields),
        }
        Rendered { fields }
    }

    fn input(&self, record: &Record, cold: Option<&Cold>, fields: &mut Map<String, Value>) {
        put_time(fields, record.ts);
        fields.insert("lane".to_string(), json!("input"));
        fields.insert("ts_src".to_string(), json!(record.ts_src));
        fields.insert("venue".to_string(), json!(record.venue));
        fields.insert("flags".to_string(), json!(flag_names(record.flags)));
        if record.instrument() != InstrumentIx::NONE {
            fields.insert("instrument".to_string(), json!(self.symbol(record.instrument())));
        }
        match cold {
            Some(Cold::Start(config)) => self.put_value(config, fields),
            Some(Cold::Definition(def)) => self.put_value(def, fields),
            Some(Cold::Command(command)) => {
                fields.insert("command".to_string(), json!(command.name()));
                self.put_event(command, fields);
            }
            Some(Cold::Imbalance(imbalance)) => self.put_value(imbalance, fields),
            Some(measured) => self.put_event(measured, fields),
            None => put_body(record, fields),
        }
    }

    fn derived(&self, derived: &Derived, fields: &mut Map<String, Value>) {
        put_time(fields, derived.ts.0);
        fields.insert("lane".to_string(), json!("derived"));
        fields.insert("cause".to_string(), json!(derived.cause));
        self.put_event(&derived.event, fields);
    }

    /// Adds the fields of an enum's variant; the variant's name is the entry's kind already.
    fn put_event<T: Serialize>(&self, value: &T, fields: &mut Map<String, Value>) {
        if let Ok(Value::Object(variants)) = serde_json::to_value(value) {
            for (name, body) in variants {
                match body {
                    Value::Object(body) => self.put_object(body, fields),
                    body => {
                        fields.insert(name.to_lowercase(), body);
                    }
                }
            }
        }
    }

    fn put_value<T: Serialize>(&self, value: &T, fields: &mut Map<String, Value>) {
        if let Ok(Value::Object(body)) = serde_json::to_value(value) {
            self.put_object(body, fields);
        }
    }

    fn put_object(&self, body: Map<String, Value>, fields: &mut Map<String, Value>) {
        for (key, value) in body {
            match (key.as_str(), value) {
                // An execution within a fill, or a package within a submit, reads best flat.
                ("execution" | "package", Value::Object(inner)) => self.put_object(inner, fields),
                (_, value) => {
                    // A definition's own `kind` (equity, option …) would hide the entry's.
                    let key = if key == "kind" { "instrument_kind".to_string() } else { key };
                    let named = self.named(&key, value);
                    fields.insert(key, named);
                }
            }
        }
    }

    /// Replaces indices by names and byte arrays by hex, at any depth.
    fn named(&self, key: &str, value: Value) -> Value {
        match (key, value) {
            ("instrument" | "underlying", Value::Number(index)) => {
                let index = index.as_u64().and_then(|index| u32::try_from(index).ok());
                index.map_or(Value::Null, |index| json!(self.symbol(InstrumentIx(index))))
            }
            ("hash", Value::Array(bytes)) => {
                let hex = bytes.iter().filter_map(Value::as_u64).fold(String::new(), |mut hex, byte| {
                    // Writing to a string cannot fail.
                    let _ = write!(hex, "{byte:02x}");
                    hex
                });
                Value::String(hex)
            }
            (_, Value::Array(items)) => {
                Value::Array(items.into_iter().map(|item| self.named("", item)).collect())
            }
            (_, Value::Object(body)) => {
                let named = body.into_iter().map(|(key, value)| {
                    let value = self.named(&key, value);
                    (key, value)
                });
                Value::Object(named.collect())
            }
            (_, value) => value,
        }
    }
}

/// Name of an entry's kind, as printed and filtered on.
pub fn kind_name(entry: &Entry<'_>) -> &'static str {
    match entry {
        Entry::Derived(derived) => derived.event.name(),
        Entry::Input(_, Some(Cold::Start(_))) => "start",
        Entry::Input(_, Some(Cold::Definition(_))) => "definition",
        Entry::Input(_, Some(Cold::Command(_))) => "command",
        Entry::Input(_, Some(Cold::JournalLag { .. })) => "journal_lag",
        Entry::Input(_, Some(Cold::Resumed { .. })) => "resumed",
        Entry::Input(_, Some(Cold::Imbalance(_))) => "imbalance",
        Entry::Input(record, None) => record.kind().map_or("unknown", |kind| kind.name()),
    }
}

/// UTC time of an instant in RFC 3339, as many digits as it needs.
pub fn time_text(ts: u64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ts)).map_or_else(|_| ts.to_string(), |time| time.to_string())
}

fn put_time(fields: &mut Map<String, Value>, ts: u64) {
    fields.insert("ts".to_string(), json!(ts));
    fields.insert("time".to_string(), json!(time_text(ts)));
}

fn flag_names(bits: u8) -> Vec<&'static str> {
    let names = [
        (flags::LAST, "last"),
        (flags::BID, "bid"),
        (flags::ASK, "ask"),
        (flags::NON_FIRM, "non_firm"),
        (flags::EXTENDED, "extended"),
        (flags::SNAPSHOT, "snapshot"),
    ];
    names.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| name).collect()
}

fn put_body(record: &Record, fields: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Value| {
        fields.insert(key.to_string(), value);
    };
    let price = |raw: i64| json!(Price(raw));
    let quantity = |raw: i64| json!(Qty(raw));
    match record.body() {
        Some(Body::Quote(quote)) => {
            put("bid", price(quote.bid));
            put("ask", price(quote.ask));
            put("bid_size", quantity(quote.bid_size));
            put("ask_size", quantity(quote.ask_size));
            put("ask_venue", json!(quote.ask_venue));
            put("condition", json!(quote.condition));
            put("sequence", json!(quote.sequence));
        }
        Some(Body::Trade(trade)) => {
            put("price", price(trade.price));
            put("size", quantity(trade.size));
            put("trade_id", json!(trade.trade_id));
            put("class", json!(format!("{:?}", TradeClass::from_wire(trade.class)).to_lowercase()));
            put("aggressor", json!(char::from(trade.aggressor).to_string()));
            put("condition", json!(trade.condition));
            put("sequence", json!(trade.sequence));
        }
        Some(Body::TradeBar(bar)) => {
            let named = [("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close)];
            named.into_iter().for_each(|(key, raw)| put(key, price(raw)));
            put("volume", quantity(bar.volume));
        }
        Some(Body::BidBar(bar) | Body::AskBar(bar)) => {
            let named = [("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close)];
            named.into_iter().for_each(|(key, raw)| put(key, price(raw)));
            put("size", quantity(bar.size));
        }
        Some(Body::Statistic(statistic)) => {
            let is_quantity = [StatisticKind::OpenInterest as u16, StatisticKind::Volume as u16];
            let is_quantity = is_quantity.contains(&statistic.stat);
            put("statistic", json!(statistic.stat));
            put("value", if is_quantity { quantity(statistic.value) } else { price(statistic.value) });
            put("size", quantity(statistic.quantity));
            put("ts_ref", json!(statistic.ts_ref));
        }
        Some(Body::Status(status)) => {
            put("state", json!(format!("{:?}", status.trading_state()).to_lowercase()));
            put("reason", json!(status.reason));
        }
        Some(Body::BookLevel(level)) => {
            put("action", json!(BookAction::from_wire(level.action).map_or("unknown", BookAction::name)));
            put("side", json!(char::from(level.side).to_string()));
            put("price", price(level.price));
            put("size", quantity(level.size));
            put("orders", json!(level.orders));
            put("level", json!(level.level));
            put("sequence", json!(level.sequence));
        }
        Some(Body::BookOrder(order)) => {
            put("action", json!(BookAction::from_wire(order.action).map_or("unknown", BookAction::name)));
            put("side", json!(char::from(order.side).to_string()));
            put("order_id", json!(order.order_id));
            put("price", price(order.price));
            put("size", quantity(order.size));
            put("sequence", json!(order.sequence));
        }
        Some(Body::SessionPhase(phase)) => {
            put("trade_date", json!(phase.trade_date));
            put("phase", json!(if phase.phase == 1 { "open" } else { "close" }));
            put("open", json!(time_text(phase.open)));
            put("close", json!(time_text(phase.close)));
            put("utc_offset_s", json!(phase.utc_offset_s));
        }
        Some(Body::Cold(_) | Body::Tick | Body::Seal) | None => {}
    }
}

impl Rendered {
    /// The entry as a JSON object.
    pub fn json(&self) -> Value {
        Value::Object(self.fields.clone())
    }

    /// The fields without some, as the text of a JSON object.
    pub(crate) fn fields_without(&self, left_out: &[&str]) -> String {
        let rest = self.fields.iter().filter(|(key, _)| !left_out.contains(&key.as_str()));
        Value::Object(rest.map(|(key, value)| (key.clone(), value.clone())).collect()).to_string()
    }

    /// A field's value.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }
}

/// One line: seq, time, kind, then the fields as `key=value`, and the cause.
impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &str| self.fields.get(key).map(plain).unwrap_or_default();
        write!(f, "{:>9} {:<30} {:<16}", text("seq"), text("time"), text("kind"))?;
        let rest = self.fields.keys().map(String::as_str);
        let rest = rest.filter(|key| !LINE_ORDER.contains(key) && !LINE_SKIPS.contains(key));
        for key in LINE_ORDER.into_iter().chain(rest) {
            match self.fields.get(key) {
                None | Some(Value::Null) => {}
                // A zero or the usual flag tells nothing that its absence would not.
                Some(value) if is_default(key, value) => {}
                Some(value) => write!(f, " {key}={}", plain(value))?,
            }
        }
        match self.fields.get("cause") {
            Some(cause) => write!(f, " <- {cause}"),
            None => Ok(()),
        }
    }
}

fn is_default(key: &str, value: &Value) -> bool {
    match key {
        "flags" => *value == json!(["last"]) || *value == json!([]),
        "venue" | "ask_venue" | "condition" | "sequence" | "trade_id" => *value == json!(0),
        _ => false,
    }
}

/// A value without quotes and with short lists.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains(' ') => format!("'{text}'"),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(body) => {
            let inner: Vec<String> =
                body.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect();
            format!("({})", inner.join(" "))
        }
        other => other.to_string(),
    }
}
