//! `onetape data depth`: an instrument's book at an instant of a session.

use crate::Session;
use crate::failure::Failure;
use crate::report::{self, count};
use crate::times;
use clap::Args;
use onetape_engine::Nanos;
use onetape_engine::block::Block;
use onetape_engine::depth::{Depth, Level};
use onetape_engine::input::Cold;
use onetape_engine::record::{Record, Side};
use onetape_session::settings::nearest;
use onetape_tape::session::SessionReader;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  onetape data depth sessions/es --symbol ESH4 --at 2023-12-25T23:30:00Z --levels 5"
)]
pub(crate) struct DepthArgs {
    /// Session folder.
    path: PathBuf,
    /// Instrument; may be left out when only one has depth.
    #[arg(long)]
    symbol: Option<String>,
    /// Instant, RFC 3339; the end of the session when left out.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Levels of a side.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    levels: u32,
}

/// The books of a session at an instant, by instrument.
#[derive(Default)]
struct Books {
    symbols: Vec<String>,
    depths: Vec<Option<Depth>>,
    last_ts: u64,
}

impl Books {
    fn read(reader: &mut SessionReader, until: u64) -> Result<Books, Failure> {
        let mut books = Books::default();
        let mut block = Block::default();
        while reader.next_block(&mut block)? {
            for cold in &block.cold {
                if let Cold::Definition(def) = cold {
                    books.symbols.push(def.symbol.clone());
                }
            }
            books.depths.resize_with(books.symbols.len(), || None);
            for record in &block.inputs {
                if record.ts > until {
                    return Ok(books);
                }
                books.take(record);
            }
        }
        Ok(books)
    }

    fn take(&mut self, record: &Record) {
        self.last_ts = record.ts;
        if record.kind().is_some_and(|kind| kind.is_depth())
            && let Some(depth) = self.depths.get_mut(record.instrument().index())
        {
            depth.get_or_insert_default().apply(record);
        }
    }

    fn of(&self, symbol: Option<&str>) -> Result<(&str, &Depth), Failure> {
        let mut known = self
            .symbols
            .iter()
            .zip(&self.depths)
            .filter_map(|(symbol, depth)| depth.as_ref().map(|depth| (symbol.as_str(), depth)));
        let names: Vec<&str> = known.clone().map(|(symbol, _)| symbol).collect();
        let list = names.iter().take(8).copied().collect::<Vec<_>>().join(", ");
        match (symbol, names.len()) {
            (_, 0) => Err(Failure::input(
                "no depth up to that instant: a session has it from mbo or mbp-10 files".to_string(),
            )),
            (None, 1) => known.next().ok_or_else(|| Failure::input("no depth")),
            (None, n) => {
                Err(Failure::usage(format!("--symbol: {n} instruments have depth ({list}); name one")))
            }
            (Some(wanted), _) => known.find(|(symbol, _)| *symbol == wanted).ok_or_else(|| {
                let meant = nearest(wanted, names.iter().copied());
                let hint = meant.map_or_else(String::new, |name| format!("; did you mean '{name}'?"));
                Failure::input(format!("--symbol: '{wanted}' has no depth (known: {list}){hint}"))
            }),
        }
    }
}

pub(crate) fn run(args: &DepthArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let until = match &args.at {
        None => u64::MAX,
        Some(text) => instant(text)?,
    };
    let books = Books::read(&mut SessionReader::open(&args.path)?, until)?;
    let (symbol, depth) = books.of(args.symbol.as_deref())?;
    if session.json {
        report::json(&as_json(symbol, depth, books.last_ts, args.levels))?;
    } else {
        print(symbol, depth, books.last_ts, args.levels);
    }
    Ok(0)
}

fn instant(text: &str) -> Result<u64, Failure> {
    let parsed = text.parse::<jiff::Timestamp>().ok();
    let nanos = parsed.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    nanos.ok_or_else(|| Failure::usage(format!("--at: '{text}' is not a time such as 2023-12-25T23:30:00Z")))
}

fn as_json(symbol: &str, depth: &Depth, ts: u64, levels: u32) -> Value {
    let side = |side: Side| -> Vec<Value> {
        let shown = depth.levels(side).take(levels as usize);
        shown.map(|l| json!({"price": l.price(), "size": l.size(), "orders": l.orders()})).collect()
    };
    let venues = depth.venues().iter().map(|book| {
        json!({
            "venue": book.venue().0,
            "orders": book.order_count(),
            "bid_levels": book.levels(Side::Bid).len(),
            "ask_levels": book.levels(Side::Ask).len(),
            "faults": book.faults(),
        })
    });
    json!({
        "symbol": symbol,
        "ts": ts,
        "bids": side(Side::Bid),
        "asks": side(Side::Ask),
        "imbalance": depth.imbalance(levels as usize),
        "microprice": depth.microprice(),
        "venues": venues.collect::<Vec<_>>(),
    })
}

fn print(symbol: &str, depth: &Depth, ts: u64, levels: u32) {
    report::line(&format!("{symbol}  {} UTC", times::utc(Nanos(ts))));
    for book in depth.venues() {
        let faults = match book.faults().total() {
            0 => String::new(),
            faults => format!("   {} contradictions in the feed", count(faults)),
        };
        report::line(&format!(
            "venue {:<5} {}   {} bid and {} ask levels{faults}",
            book.venue().0,
            if book.is_by_order() {
                format!("{} orders", count(book.order_count() as u64))
            } else {
                "by price".to_string()
            },
            count(book.levels(Side::Bid).len() as u64),
            count(book.levels(Side::Ask).len() as u64),
        ));
    }
    report::line(&format!(
        "{:>8} {:>12} {:>14} | {:<14} {:<12} {:<8}",
        "orders", "size", "bid", "ask", "size", "orders"
    ));
    let (mut bids, mut asks) = (depth.levels(Side::Bid), depth.levels(Side::Ask));
    let part = |level: Option<&Level>, field: fn(&Level) -> String| level.map_or_else(String::new, field);
    for _ in 0..levels {
        let (bid, ask) = (bids.next(), asks.next());
        if bid.is_none() && ask.is_none() {
            break;
        }
        let orders = |level: &Level| level.orders().to_string();
        let (size, price) =
            (|level: &Level| level.size().to_string(), |level: &Level| level.price().to_string());
        let row = format!(
            "{:>8} {:>12} {:>14} | {:<14} {:<12} {:<8}",
            part(bid, orders),
            part(bid, size),
            part(bid, price),
            part(ask, price),
            part(ask, size),
            part(ask, orders),
        );
        report::line(row.trim_end());
    }
}
