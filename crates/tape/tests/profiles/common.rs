//! Reading bytes through a profile, and printing what they become.

use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::record::{Body, Record, StatisticKind, TradeClass, flags};
use onetape_tape::import::MemorySink;
use onetape_tape::import::profile::{Profile, read_bytes};

pub(crate) fn read(profile: &str, bytes: &[u8]) -> Result<MemorySink, String> {
    let profile = Profile::builtin(profile).unwrap();
    read_with(&profile, bytes)
}

pub(crate) fn read_with(profile: &Profile, bytes: &[u8]) -> Result<MemorySink, String> {
    let mut sink = MemorySink::default();
    read_bytes(profile, "rows.csv", bytes, &mut sink).map_err(|error| error.to_string())?;
    Ok(sink)
}

pub(crate) fn definitions(sink: &MemorySink) -> Vec<InstrumentDef> {
    let definition = |cold: &Option<Cold>| match cold {
        Some(Cold::Definition(def)) => Some((**def).clone()),
        _ => None,
    };
    sink.inputs.iter().filter_map(|input| definition(&input.cold)).collect()
}

/// Market records with the symbol of each.
pub(crate) fn market(sink: &MemorySink) -> Vec<(String, Record)> {
    let symbols: Vec<String> = definitions(sink).into_iter().map(|def| def.symbol).collect();
    let records = sink.inputs.iter().map(|input| input.record);
    records
        .filter(|record| record.kind().unwrap().is_market())
        .map(|record| (symbols[record.instrument as usize].clone(), record))
        .collect()
}

/// `14:30:01 SPY250221C00600000 quote 1.25x10 1.3x20 v300/302 #1 BA`, one line a record. The source's
/// time follows after `<` where it is another; times are UTC.
pub(crate) fn lines(sink: &MemorySink) -> Vec<String> {
    market(sink).iter().map(|(symbol, record)| line(symbol, record)).collect()
}

fn line(symbol: &str, record: &Record) -> String {
    let symbol: String = symbol.split_whitespace().collect();
    let source = if record.ts_src == record.ts { String::new() } else { format!("<{}", time(record.ts_src)) };
    let body = match record.body().unwrap() {
        Body::Quote(q) => format!(
            "quote {}x{} {}x{} v{}/{} #{}",
            number(q.bid),
            number(q.bid_size),
            number(q.ask),
            number(q.ask_size),
            record.venue,
            q.ask_venue,
            q.sequence
        ),
        Body::Trade(t) => format!(
            "trade {}x{} {:?} {} c{} v{} id{} #{}",
            number(t.price),
            number(t.size),
            TradeClass::from_wire(t.class),
            char::from(t.aggressor),
            t.condition,
            record.venue,
            t.trade_id,
            t.sequence
        ),
        Body::TradeBar(b) => {
            let [o, h, l, c, v] = [b.open, b.high, b.low, b.close, b.volume].map(number);
            format!("bar {o} {h} {l} {c} v{v}")
        }
        Body::BidBar(b) => format!(
            "bid {} {} {} {} x{}",
            number(b.open),
            number(b.high),
            number(b.low),
            number(b.close),
            number(b.size)
        ),
        Body::AskBar(b) => format!(
            "ask {} {} {} {} x{}",
            number(b.open),
            number(b.high),
            number(b.low),
            number(b.close),
            number(b.size)
        ),
        Body::Statistic(s) if s.stat == StatisticKind::OpenInterest as u16 => {
            format!("oi {}", number(s.value))
        }
        Body::Statistic(s) if s.stat == StatisticKind::Volume as u16 => format!("volume {}", number(s.value)),
        other => format!("{other:?}"),
    };
    let letters = [
        (flags::BID, 'B'),
        (flags::ASK, 'A'),
        (flags::NON_FIRM, 'n'),
        (flags::EXTENDED, 'x'),
        (flags::SNAPSHOT, 's'),
    ];
    let bits: String = letters.iter().filter(|(bit, _)| record.flags & bit != 0).map(|(_, c)| *c).collect();
    format!("{}{source} {symbol} {body} {bits}", time(record.ts)).trim_end().to_string()
}

fn time(ts: u64) -> String {
    let (seconds, nanos) = (ts / 1_000_000_000, ts % 1_000_000_000);
    let (h, m, s) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    if nanos == 0 { format!("{h:02}:{m:02}:{s:02}") } else { format!("{h:02}:{m:02}:{s:02}.{nanos:09}") }
}

fn number(nanos: i64) -> String {
    onetape_engine::num::Qty(nanos).to_string()
}
