//! Reading a script written as CSV: one single-leg order a line.
//!
//! The first line that is neither empty nor a remark (`#`) is `at,symbol,quantity[,limit[,tif]]`;
//! an empty limit is a market order, an empty `tif` is `day`. Fields hold no commas or quotes.

use super::parse::{Fault, fault_at_line};
use super::plan::{Action, Deed, Name, NamedLeg, parse_moment};
use onetape_engine::order::TimeInForce;
use onetape_engine::{Price, Qty};

const COLUMNS: [&str; 5] = ["at", "symbol", "quantity", "limit", "tif"];

pub(super) fn parse(text: &str) -> Result<Vec<Action>, Fault> {
    let mut columns = 0;
    let mut actions = Vec::new();
    for (n, source) in text.lines().enumerate() {
        let line = n + 1;
        let source = source.trim();
        if source.is_empty() || source.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = source.split(',').map(str::trim).collect();
        if columns == 0 {
            if fields.len() < 3 || COLUMNS.get(..fields.len()) != Some(&fields) {
                return fault_at_line(text, line, "the header at,symbol,quantity[,limit[,tif]]");
            }
            columns = fields.len();
            continue;
        }
        if fields.len() != columns {
            return fault_at_line(text, line, format!("a line of {columns} fields"));
        }
        let field = |column: usize| fields.get(column).copied().unwrap_or("");
        let Some(at) = parse_moment(field(0)) else {
            return fault_at_line(text, line, "begun by a time like 2015-12-24 09:31:00");
        };
        let quantity: Qty = match field(2).parse() {
            Ok(quantity) if quantity != Qty::ZERO => quantity,
            _ => return fault_at_line(text, line, "an order with a signed quantity, for example -10"),
        };
        let limit: Option<Price> = match field(3) {
            "" => None,
            limit => match limit.parse() {
                Ok(limit) => Some(limit),
                Err(_) => return fault_at_line(text, line, "an order with a price as limit, or none"),
            },
        };
        let tif = match field(4) {
            "" | "day" => TimeInForce::Day,
            "gtc" => TimeInForce::Gtc,
            "ioc" => TimeInForce::Ioc,
            _ => return fault_at_line(text, line, "an order with tif day, gtc or ioc"),
        };
        let legs = vec![NamedLeg { name: Name::Symbol(field(1).to_string()), quantity, limit, stop: None }];
        actions.push(Action { line, at, waits_for_quotes: false, deed: Deed::Order { legs, tif } });
    }
    Ok(actions)
}
