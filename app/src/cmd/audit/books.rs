//! Books and values as one line of text.

use onetape_engine::num::Nanos;
use onetape_session::audit::{BookLine, SideLine};
use serde_json::Value;

/// `ONE  bid 100.41 × 300 (seq 12, 0.2 s old)  ask …  last …`.
pub(super) fn book(line: &BookLine, now: Nanos) -> String {
    let side = |name: &str, side: &Option<SideLine>| match side {
        None => format!("{name} none"),
        Some(side) => {
            let age = now.0.saturating_sub(side.ts.0) as f64 / 1e9;
            let taken = if side.available == side.size {
                String::new()
            } else {
                format!(" of which {} left", side.available)
            };
            let dead = if side.is_live { "" } else { ", not live" };
            format!("{name} {} × {}{taken} (seq {}, {age:.1} s old{dead})", side.price, side.size, side.seq)
        }
    };
    let last = if line.last_seq == 0 { String::new() } else { format!("  last {}", line.last) };
    format!("{}  {}  {}{last}", line.symbol, side("bid", &line.bid), side("ask", &line.ask))
}

/// A JSON value without quotes and braces.
pub(super) fn decimals(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key} {}", decimals(value))).collect();
            fields.join(" ")
        }
        Value::Array(items) => items.iter().map(decimals).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
