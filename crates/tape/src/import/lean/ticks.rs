//! Equity ticks: trades, and the NBBO built from per-exchange quotes.
//!
//! ```text
//! trade row   ms,price,size,exchange,conditions (hex),suspicious
//! quote row   ms,bid,bid size,ask,ask size,exchange,conditions (hex),suspicious   one side a row
//! ```
//! Files of one date are streamed and merged: by time, then by symbol as requested, trades before
//! quotes, then by line. The clock has whole milliseconds, so the order of a trade and a quote of
//! one millisecond is not known; a trade is compared with the quote before it.
//!
//! Two kinds of quote files exist under one name. In most recordings bid and ask rows alternate and
//! share their millisecond: each pair states the national best, and becomes one record. Where they do
//! not, the rows are the exchanges' own quotes and the best is built from them, each standing until
//! replaced. The first 1,000 rows decide.
//!
//! Rows marked suspicious are counted and left out. A quote whose conditions suspend firmness or
//! trading is flagged non-firm, and withdraws that side where the best is built from exchanges. A
//! record is written when a price, size or exchange changes; the book starts empty each date.
//! Exchange letters A to Z are venues 1 to 26.

use super::archive::{Archive, EntryLines};
use super::define::{Day, Definer};
use super::files::{DataType, SourceFile};
use super::rows::{Columns, Fault, PriceScale};
use super::tick_book::{Book, Shown};
use super::{LeanKind, LeanRequest, Plan};
use crate::import::terms::{number_of, phases};
use crate::import::{ImportError, InputSink, OnProgress, Origin, Progress};
use onetape_calendar::{Date, DayClock};
use onetape_engine::ids::{InstrumentIx, VenueIx};
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Quote, Record, Trade, TradeClass, flags};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

pub(super) fn read(
    plan: &Plan,
    request: &LeanRequest,
    mut definer: Definer,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    if request.kind != LeanKind::Equity {
        let what = format!("tick files of kind {} are not supported; equity is", request.kind.folder());
        return Err(ImportError::Request { what });
    }
    let mut by_date: BTreeMap<Date, Vec<(usize, &SourceFile)>> = BTreeMap::new();
    for (place, symbol) in plan.symbols.iter().enumerate() {
        for file in &symbol.files {
            if let Some(date) = file.date {
                by_date.entry(date).or_default().push((place, file));
            }
        }
    }
    for (date, sources) in by_date {
        let day = Day::new(date, request)?;
        let mut opened = Vec::with_capacity(sources.len());
        let mut keys = BTreeSet::new();
        for (place, file) in sources {
            let clock = DayClock::new(plan.symbols[place].zone, date)
                .map_err(|source| ImportError::Calendar { what: format!("data of {date}"), source })?;
            let mut archive = Archive::open(&file.path)?;
            for index in 0..archive.names().len() {
                let key = definer.key_of(place, file, &archive.names()[index])?;
                keys.insert(key);
                let book = match file.data {
                    DataType::Quote => {
                        Book::of(&mut archive.stream(index)?, &file.path, request.nbbo_size, number_of(date))?
                    }
                    _ => Book::Trades,
                };
                opened.push((key, file, clock, archive.stream(index)?, book));
            }
        }
        let added = definer.admit(&keys);
        definer.push_definitions(&day, &added, sink)?;
        let mut streams = Vec::with_capacity(opened.len());
        for (key, file, clock, lines, book) in opened {
            if let Some(instrument) = definer.index_of(key) {
                streams.push(TickStream::new(file, clock, instrument, (lines, book))?);
            }
        }
        merge(&mut streams, &day, sink)?;
        report(&streams, sink, on_progress);
    }
    Ok(())
}

fn report(streams: &[TickStream], sink: &mut dyn InputSink, on_progress: OnProgress<'_>) {
    for stream in streams {
        let record_type = match stream.data {
            DataType::Trade => "equity_trade_tick",
            _ => "equity_quote_tick",
        };
        sink.count_source(record_type, stream.rows);
        on_progress(Progress::File { path: stream.path.clone(), rows: stream.rows });
        if stream.suspicious > 0 {
            let note = format!("{}: {} suspicious rows left out", stream.path.display(), stream.suspicious);
            on_progress(Progress::Note(note));
        }
    }
}

fn merge(streams: &mut [TickStream], day: &Day, sink: &mut dyn InputSink) -> Result<(), ImportError> {
    let regular_ns = day.session.map(|session| (session.open_ns, session.close_ns));
    let mut phases: VecDeque<Record> = day.session.iter().flat_map(phases).collect();
    // Streams stand in tie order, so the first of the smallest time is next.
    while let Some(next) = streams.iter_mut().min_by_key(|stream| stream.next_ns) {
        if next.next_ns == u64::MAX {
            break;
        }
        while let Some(phase) = phases.front() {
            let is_open = phases.len() == 2;
            if phase.ts > next.next_ns || (phase.ts == next.next_ns && !is_open) {
                break;
            }
            sink.push(*phase, None)?;
            phases.pop_front();
        }
        let is_regular =
            regular_ns.is_some_and(|(open, close)| next.next_ns >= open && next.next_ns <= close);
        if let Some(record) = next.take(if is_regular { 0 } else { flags::EXTENDED })? {
            let origin = Origin { file: &next.path, entry: &next.lines.name, line: next.taken };
            sink.push_from(record, origin)?;
        }
    }
    phases.into_iter().try_for_each(|phase| sink.push(phase, None))
}

/// A parsed row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Row {
    Trade { price: i64, size: i64, venue: u16, conditions: u32, suspicious: bool },
    Quote { bid: (i64, i64), ask: (i64, i64), venue: u16, conditions: u32, suspicious: bool },
}

/// One file of a date.
struct TickStream {
    path: PathBuf,
    data: DataType,
    clock: DayClock,
    instrument: InstrumentIx,
    lines: EntryLines,
    book: Book,
    last_ms: u32,
    row: Row,
    /// Time of `row`, `u64::MAX` past the last.
    next_ns: u64,
    rows: u64,
    suspicious: u64,
    /// Line of the row that was turned into a record last.
    taken: u64,
}

impl TickStream {
    fn new(
        file: &SourceFile,
        clock: DayClock,
        instrument: InstrumentIx,
        (lines, book): (EntryLines, Book),
    ) -> Result<TickStream, ImportError> {
        let row = Row::Trade { price: 0, size: 0, venue: 0, conditions: 0, suspicious: false };
        let mut stream = TickStream {
            path: file.path.clone(),
            data: file.data,
            clock,
            instrument,
            lines,
            book,
            last_ms: 0,
            row,
            next_ns: 0,
            rows: 0,
            suspicious: 0,
            taken: 0,
        };
        stream.advance()?;
        Ok(stream)
    }

    fn advance(&mut self) -> Result<(), ImportError> {
        let Some(line) = self.lines.next_line()? else {
            self.next_ns = u64::MAX;
            return Ok(());
        };
        let is_trade = self.data == DataType::Trade;
        let (ms, row) = match parse(line, is_trade) {
            Ok(parsed) => parsed,
            Err(fault) => {
                let row = line.to_vec();
                let (name, number) = (&self.lines.name, self.lines.number);
                return Err(super::days::row_error(&self.path, name, number, &row, fault));
            }
        };
        if ms < self.last_ms {
            return Err(ImportError::RowOrder {
                path: self.path.clone(),
                entry: self.lines.name.clone(),
                line: self.lines.number,
                previous: u64::from(self.last_ms),
                found: u64::from(ms),
            });
        }
        self.last_ms = ms;
        self.row = row;
        self.rows += 1;
        self.next_ns = self.clock.utc_ns_at_ms(ms);
        Ok(())
    }

    /// Turns the row at hand into its record, if it becomes one, and reads the next.
    fn take(&mut self, extended: u8) -> Result<Option<Record>, ImportError> {
        let ts = Nanos(self.next_ns);
        let head = Head {
            ts,
            ts_src: ts,
            instrument: self.instrument,
            venue: VenueIx(0),
            flags: flags::LAST | extended,
        };
        let record = match self.row {
            Row::Trade { suspicious: true, .. } | Row::Quote { suspicious: true, .. } => {
                self.suspicious += 1;
                None
            }
            Row::Trade { price, size, venue, conditions, .. } => {
                let class = trade_class(conditions, size) as u8;
                let body =
                    Trade { price, size, condition: conditions, class, aggressor: b'N', ..Trade::default() };
                Some(Record::new(Head { venue: VenueIx(venue), ..head }, Body::Trade(body)))
            }
            Row::Quote { bid, ask, venue, conditions, .. } => {
                let is_firm = conditions & NOT_FIRM == 0;
                self.book.update(bid, ask, venue, is_firm);
                None
            }
        };
        self.taken = self.lines.number;
        let (was_quote, at) = (matches!(self.row, Row::Quote { .. }), self.next_ns);
        self.advance()?;
        // The bid row of a pair waits for its ask row.
        let is_pair_open = matches!(self.row, Row::Quote { bid: (0, _), .. }) && self.next_ns == at;
        if was_quote && !(is_pair_open && self.book.is_bid_waiting()) {
            return Ok(self.book.changed().map(|shown| nbbo(head, shown)));
        }
        Ok(record)
    }
}

/// A best bid and offer; a side that no exchange shows is not stated.
fn nbbo(head: Head, shown: Shown) -> Record {
    let Shown { bid, ask, is_firm } = shown;
    let sides = if bid.size > 0 { flags::BID } else { 0 } | if ask.size > 0 { flags::ASK } else { 0 };
    let firmness = if is_firm { 0 } else { flags::NON_FIRM };
    let body = Quote {
        bid: if bid.size > 0 { bid.price } else { 0 },
        ask: if ask.size > 0 { ask.price } else { 0 },
        bid_size: bid.size,
        ask_size: ask.size,
        ask_venue: ask.venue,
        condition: 0,
        sequence: 0,
    };
    let head = Head { venue: VenueIx(bid.venue), flags: head.flags | sides | firmness, ..head };
    Record::new(head, Body::Quote(body))
}

pub(super) fn parse(line: &[u8], is_trade: bool) -> Result<(u32, Row), Fault> {
    let mut columns = Columns::new(line);
    let ms = columns.millis()?;
    let scale = PriceScale::TenThousandths;
    let row = if is_trade {
        let price = columns.price("price", scale)?;
        let size = columns.quantity("size")?;
        let (venue, conditions, suspicious) = tail(&mut columns)?;
        Row::Trade { price, size, venue, conditions, suspicious }
    } else {
        let bid = (columns.price("bid", scale)?, columns.quantity("bid size")?);
        let ask = (columns.price("ask", scale)?, columns.quantity("ask size")?);
        let (venue, conditions, suspicious) = tail(&mut columns)?;
        Row::Quote { bid, ask, venue, conditions, suspicious }
    };
    match columns.text() {
        None => Ok((ms, row)),
        Some(_) => Err(Fault { field: "row", expected: "of this many columns" }),
    }
}

fn tail(columns: &mut Columns<'_>) -> Result<(u16, u32, bool), Fault> {
    let venue = match columns.text() {
        Some([letter @ b'A'..=b'Z']) => u16::from(letter - b'A') + 1,
        _ => return Err(Fault { field: "exchange", expected: "a letter from A to Z" }),
    };
    let fault = Fault { field: "conditions", expected: "at most 8 hexadecimal digits" };
    let conditions = hexadecimal(columns.text().ok_or(fault)?).ok_or(fault)?;
    let suspicious = match columns.text() {
        Some(b"0") => false,
        Some(b"1") => true,
        _ => return Err(Fault { field: "suspicious", expected: "0 or 1" }),
    };
    Ok((venue, conditions, suspicious))
}

fn hexadecimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    text.iter().try_fold(0u32, |value, byte| Some(value << 4 | (*byte as char).to_digit(16)?))
}

/// Bits of LEAN's `QuoteConditionFlags` under which a quote is no firm one: gap, halts (news,
/// imbalance, volatility, related security …), trading range, closed market maker, non-firm,
/// price bands, manual.
const NOT_FIRM: u32 = 1 << 2
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 7
    | 1 << 8
    | 1 << 9
    | 1 << 10
    | 1 << 12
    | 1 << 14
    | 1 << 15
    | 1 << 16
    | 1 << 17
    | 1 << 18
    | 1 << 19
    | 1 << 20
    | 1 << 22;

/// Class of a print by LEAN's `TradeConditionFlags`; what keeps a print from updating the last
/// price comes before what does not.
fn trade_class(conditions: u32, size: i64) -> TradeClass {
    const ROUND_LOT: i64 = 100_000_000_000;
    let has = |bit: u32| conditions & (1 << bit) != 0;
    match () {
        // Out of sequence; sold last.
        () if has(14) => TradeClass::OutOfSequence,
        () if has(11) => TradeClass::Late,
        // Stock-option trade.
        () if has(18) => TradeClass::StockTied,
        // Cash, next day, seller, derivatively priced, average price, prior reference price,
        // official close, official open: no price of this moment.
        () if [1, 2, 3, 9, 20, 25, 24, 26].into_iter().any(has) => TradeClass::Other,
        () if has(6) => TradeClass::Open,
        () if has(8) => TradeClass::Reopen,
        () if has(7) => TradeClass::Auction,
        () if has(21) => TradeClass::Cross,
        () if has(31) || size < ROUND_LOT => TradeClass::OddLot,
        () if has(5) => TradeClass::Iso,
        () if has(28) => TradeClass::Auto,
        () => TradeClass::Regular,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_parse_or_name_the_column() {
        let (ms, row) = parse(b"14400547,0,0,492000,3000,P,1,0", false).unwrap();
        assert_eq!(ms, 14_400_547);
        let Row::Quote { bid, ask, venue, conditions, suspicious } = row else { panic!("a quote") };
        assert_eq!((bid, ask), ((0, 0), (49_200_000_000, 3_000_000_000_000)));
        assert_eq!((venue, conditions, suspicious), (16, 1, false));
        for (line, is_trade, field) in [
            ("14400547,0,0,492000,3000,p,1,0", false, "exchange"),
            ("14400547,0,0,492000,3000,P,g,0", false, "conditions"),
            ("14400547,491800,300,P,20002020,2", true, "suspicious"),
            ("14400547,491800,300,P,20002020,0,9", true, "row"),
            ("x,491800,300,P,20002020,0", true, "time"),
        ] {
            assert_eq!(parse(line.as_bytes(), is_trade).unwrap_err().field, field, "{line}");
        }
    }

    #[test]
    fn conditions_decide_the_class() {
        const LOT: i64 = 100_000_000_000;
        for (conditions, size, class) in [
            (0x1, LOT, TradeClass::Regular),
            (0x2000_0020, LOT, TradeClass::Iso),
            (0x20, LOT - 1, TradeClass::OddLot),
            (0x2000_0040, LOT, TradeClass::Open),
            (0x2000_0080, LOT, TradeClass::Auction),
            (0x2010_0200, LOT, TradeClass::Other),
            (0x4800, LOT, TradeClass::OutOfSequence),
            (0x2000_2020, LOT, TradeClass::Iso),
        ] {
            assert_eq!(trade_class(conditions, size), class, "{conditions:x}");
        }
        assert_eq!(hexadecimal(b"20002020"), Some(0x2000_2020));
        assert_eq!(hexadecimal(b"123456789"), None);
    }
}
