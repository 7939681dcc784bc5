//! A session's records as DBN files, version 3, zstd: one file a schema.
//!
//! ```text
//! <out>/definition.dbn.zst    every instrument           <out>/statistics.dbn.zst
//!       mbp-1.dbn.zst         bid and ask of one venue   <out>/status.dbn.zst
//!       cmbp-1.dbn.zst        of two venues              <out>/trades.dbn.zst
//!       bbo-1s|1m.dbn.zst     sampled, of one venue      <out>/imbalance.dbn.zst
//!       cbbo-1s|1m.dbn.zst    sampled, of two venues     <out>/mbo.dbn.zst     books by order
//!       ohlcv-1s|1m|1h|1d.dbn.zst  bars                  <out>/mbp-10.dbn.zst  books by price
//! ```
//! A trade that follows a quote of the same instant and sequence is written into that quote's
//! record, as such records are read; importing the files gives the session's records back.
//!
//! # Limits
//! A session does not state the period of its bars: it is that of the DBN bars the session was made of, or the
//! caller's; without one bars are left out and counted. Session phases are not written (the calendar gives them), nor
//! are flags beyond the snapshot bit and classes of prints. Venues become publisher ids, instrument n the id n + 1.
//! Sizes must be whole and below 2^32. Of a book by price the ten best levels of a side are written. Records of
//! several schemas at one instant come back in the order of the files.

mod depth;
mod sampled;

pub use sampled::BarPeriod;

use crate::import::ImportError;
use crate::session::SessionReader;
use dbn::encode::dbn::Encoder;
use dbn::encode::{DbnEncodable, EncodeRecord};
use dbn::enums::rtype;
use dbn::record::{RecordHeader, str_to_c_chars};
use dbn::{
    BidAskPair, Cmbp1Msg, ConsolidatedBidAskPair, FlagSet, InstrumentDefMsg, MappingInterval, Mbp1Msg,
    Metadata, SType, Schema, StatMsg, StatusMsg, SymbolMapping, TradeMsg, UNDEF_PRICE, UNDEF_STAT_QUANTITY,
    UNDEF_TIMESTAMP,
};
use onetape_engine::block::Block;
use onetape_engine::depth::Depth;
use onetape_engine::input::Cold;
use onetape_engine::instrument::{ExerciseStyle, InstrumentDef, InstrumentKind, Right, Settlement, TickRule};
use onetape_engine::num::SCALE;
use onetape_engine::record::{
    Body, Quote, Record, Statistic, StatisticKind, Status, Trade, TradeFeed, flags,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

type Output = Encoder<zstd::stream::write::Encoder<'static, BufWriter<File>>>;

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct DbnWritten {
    /// Files with their records.
    pub files: BTreeMap<PathBuf, u64>,
    /// Records of kinds that have no DBN form here, by kind.
    pub left_out: BTreeMap<String, u64>,
}

/// Writes a session as DBN files into the folder `out`, which must not exist. `bars` is the period of its bars;
/// `None` takes that of the DBN bars which the session was made of.
///
/// # Errors
/// `out` exists or cannot be written, the session is damaged, or a size is not whole; then
/// nothing is left behind.
pub fn write_dbn(
    session: &mut SessionReader,
    out: &Path,
    bars: Option<BarPeriod>,
) -> Result<DbnWritten, ImportError> {
    if out.exists() {
        let what = format!("{} exists: choose another folder or remove it", out.display());
        return Err(ImportError::Request { what });
    }
    let mut name = out.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(ImportError::io("remove", &partial))?;
    }
    std::fs::create_dir_all(&partial).map_err(ImportError::io("create", &partial))?;
    let bars = bars.or_else(|| BarPeriod::of_sources(&session.manifest().source_records));
    let written = write_all(session, &partial, bars).and_then(|files| {
        std::fs::rename(&partial, out).map_err(ImportError::io("rename to", out))?;
        Ok(files)
    });
    if written.is_err() {
        // Best effort: what stays behind is named `.partial`.
        std::fs::remove_dir_all(&partial).ok();
    }
    let mut written = written?;
    let moved = |path: PathBuf| path.file_name().map_or_else(|| path.clone(), |name| out.join(name));
    written.files = written.files.into_iter().map(|(path, records)| (moved(path), records)).collect();
    Ok(written)
}

fn write_all(
    session: &mut SessionReader,
    folder: &Path,
    bars: Option<BarPeriod>,
) -> Result<DbnWritten, ImportError> {
    let mut block = Block::default();
    let mut defs = Vec::new();
    let (start, end) = (session.manifest().first_ts, session.manifest().last_ts);
    while session.next_block(&mut block)? {
        defs.extend(block.cold.drain(..).filter_map(|cold| match cold {
            Cold::Definition(def) => Some(*def),
            _ => None,
        }));
    }
    session.rewind()?;
    let mut writer = Writer { bars, ..Writer::new(folder, &defs, (start, end)) };
    for (place, def) in defs.iter().enumerate() {
        let message = definition(place, def, &defs, start).map_err(|error| writer.encode_error(&error))?;
        writer.put(Schema::Definition, &message)?;
    }
    // A quote waits for the trade that may belong to it.
    let mut quote: Option<Record> = None;
    while session.next_block(&mut block)? {
        for record in &block.inputs {
            let held = quote.take();
            match (record.body(), held) {
                (Some(Body::Trade(trade)), Some(before)) if is_pair(&before, record, &trade) => {
                    writer.quote(&before, Some(&trade))?;
                    continue;
                }
                (_, Some(before)) => writer.quote(&before, None)?,
                (_, None) => {}
            }
            match record.body() {
                Some(Body::Quote(body)) => match writer.interval_of(record) {
                    Some(interval) => writer.sample(record, &body, interval)?,
                    None => quote = Some(*record),
                },
                Some(Body::TradeBar(bar)) => writer.bar(record, &bar)?,
                Some(Body::Trade(trade)) if trade.feed == TradeFeed::Orders as u8 => {
                    writer.order_print(record, &trade)?;
                }
                Some(Body::Trade(trade)) if trade.feed == TradeFeed::Levels as u8 => {
                    writer.level_print(record, &trade)?;
                }
                Some(Body::Trade(trade)) => writer.trade(record, &trade)?,
                Some(Body::BookOrder(order)) => writer.order(record, &order)?,
                Some(Body::BookLevel(level)) => writer.level(record, &level)?,
                Some(Body::Statistic(statistic)) => writer.statistic(record, &statistic)?,
                Some(Body::Status(status)) => writer.status(record, &status)?,
                Some(Body::Cold(index)) => {
                    if let Some(Cold::Imbalance(imbalance)) = block.cold.get(index as usize) {
                        writer.imbalance(record, imbalance)?;
                    }
                }
                Some(Body::SessionPhase(_) | Body::Tick | Body::Seal) | None => {}
                Some(_) => writer.leave_out(record),
            }
        }
    }
    if let Some(last) = quote {
        writer.quote(&last, None)?;
    }
    session.rewind()?;
    writer.finish()
}

fn is_pair(quote: &Record, record: &Record, trade: &Trade) -> bool {
    let is_same = trade.feed == TradeFeed::Prints as u8
        && (quote.ts, quote.ts_src, quote.instrument) == (record.ts, record.ts_src, record.instrument);
    is_same && matches!(quote.body(), Some(Body::Quote(body)) if body.sequence == trade.sequence)
}

struct Writer {
    folder: PathBuf,
    metadata: Metadata,
    outputs: BTreeMap<u16, (PathBuf, Output, u64)>,
    left_out: BTreeMap<String, u64>,
    /// Books by price, by instrument and venue.
    books: BTreeMap<(u32, u16), Depth>,
    bars: Option<BarPeriod>,
    /// How long quotes hold, by instrument.
    holds: Vec<Option<u64>>,
}

impl Writer {
    fn new(folder: &Path, defs: &[InstrumentDef], (start, end): (u64, u64)) -> Writer {
        let dataset = defs.iter().find_map(|def| {
            def.source.strip_prefix("dbn:").and_then(|rest| rest.split('/').next()).map(str::to_string)
        });
        let date = |ts: u64| {
            time::OffsetDateTime::from_unix_timestamp((ts / 1_000_000_000) as i64)
                .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
                .date()
        };
        let mapping = |(place, def): (usize, &InstrumentDef)| SymbolMapping {
            raw_symbol: def.symbol.clone(),
            intervals: vec![MappingInterval {
                start_date: date(start),
                end_date: date(end).next_day().unwrap_or(time::Date::MAX),
                symbol: (place + 1).to_string(),
            }],
        };
        let metadata = Metadata::builder()
            .version(3)
            .dataset(dataset.unwrap_or_else(|| "ONETAPE".to_string()))
            .schema(None)
            .start(start)
            .end(std::num::NonZeroU64::new(end))
            .stype_in(Some(SType::RawSymbol))
            .stype_out(SType::InstrumentId)
            .symbols(defs.iter().map(|def| def.symbol.clone()).collect())
            .mappings(defs.iter().enumerate().map(mapping).collect())
            .build();
        Writer {
            folder: folder.to_path_buf(),
            metadata,
            outputs: BTreeMap::new(),
            left_out: BTreeMap::new(),
            books: BTreeMap::new(),
            bars: None,
            holds: defs.iter().map(|def| def.quote_hold_ns).collect(),
        }
    }

    fn encode_error(&self, error: &dbn::Error) -> ImportError {
        ImportError::Dbn { path: self.folder.clone(), record: 0, what: error.to_string() }
    }

    fn put<R: DbnEncodable>(&mut self, schema: Schema, record: &R) -> Result<(), ImportError> {
        let key = schema as u16;
        if !self.outputs.contains_key(&key) {
            let path = self.folder.join(format!("{schema}.dbn.zst"));
            let file = File::create_new(&path).map_err(ImportError::io("create", &path))?;
            let packed = zstd::stream::write::Encoder::new(BufWriter::with_capacity(1 << 16, file), 0)
                .map_err(ImportError::io("write", &path))?;
            let metadata = Metadata { schema: Some(schema), ..self.metadata.clone() };
            let output = Encoder::new(packed, &metadata).map_err(|error| self.encode_error(&error))?;
            self.outputs.insert(key, (path, output, 0));
        }
        let Some((path, output, records)) = self.outputs.get_mut(&key) else { return Ok(()) };
        *records += 1;
        output.encode_record(record).map_err(|error| ImportError::Dbn {
            path: path.clone(),
            record: *records,
            what: error.to_string(),
        })
    }

    fn header<R: dbn::HasRType<Header = RecordHeader>>(
        &self,
        record: &Record,
        kind: u8,
        publisher: u16,
    ) -> RecordHeader {
        RecordHeader::new::<R>(kind, publisher, record.instrument + 1, record.ts_src)
    }

    fn size(&self, nanos: i64) -> Result<u32, ImportError> {
        let whole = (nanos % SCALE == 0).then_some(nanos / SCALE).and_then(|size| u32::try_from(size).ok());
        whole.ok_or_else(|| ImportError::Request {
            what: format!(
                "size {} is not a whole number below 2^32, which DBN needs",
                nanos as f64 / SCALE as f64
            ),
        })
    }

    /// A quote, with the trade that was read from the same source record.
    fn quote(&mut self, record: &Record, trade: Option<&Trade>) -> Result<(), ImportError> {
        let Some(Body::Quote(body)) = record.body() else { return Ok(()) };
        let Quote { bid, ask, bid_size, ask_size, ask_venue, sequence, .. } = body;
        let (bid_sz, ask_sz) = (self.size(bid_size)?, self.size(ask_size)?);
        let (bid_px, ask_px) = (defined(bid, bid_size), defined(ask, ask_size));
        let (action, side) = trade.map_or((b'M', b'N'), |trade| (b'T', trade.aggressor));
        let price = trade.map_or(UNDEF_PRICE, |trade| trade.price);
        let size = trade.map_or(Ok(0), |trade| self.size(trade.size))?;
        let mut bits = FlagSet::empty();
        bits.set_last();
        bits.set_tob();
        if record.has(flags::SNAPSHOT) {
            bits.set_snapshot();
        }
        let (action, side) = (action as std::ffi::c_char, side as std::ffi::c_char);
        if ask_venue == record.venue {
            let message = Mbp1Msg {
                hd: self.header::<Mbp1Msg>(record, rtype::MBP_1, record.venue),
                price,
                size,
                action,
                side,
                flags: bits,
                ts_recv: record.ts,
                sequence,
                levels: [BidAskPair { bid_px, ask_px, bid_sz, ask_sz, ..BidAskPair::default() }],
                ..Mbp1Msg::default()
            };
            return self.put(Schema::Mbp1, &message);
        }
        let level = ConsolidatedBidAskPair {
            bid_px,
            ask_px,
            bid_sz,
            ask_sz,
            bid_pb: record.venue,
            ask_pb: ask_venue,
            ..ConsolidatedBidAskPair::default()
        };
        let message = Cmbp1Msg {
            hd: self.header::<Cmbp1Msg>(record, rtype::CMBP_1, record.venue),
            price,
            size,
            action,
            side,
            flags: bits,
            ts_recv: record.ts,
            levels: [level],
            ..Cmbp1Msg::default_for_schema(Schema::Cmbp1)
        };
        self.put(Schema::Cmbp1, &message)
    }

    fn trade(&mut self, record: &Record, body: &Trade) -> Result<(), ImportError> {
        let message = TradeMsg {
            hd: self.header::<TradeMsg>(record, rtype::MBP_0, record.venue),
            price: body.price,
            size: self.size(body.size)?,
            action: b'T' as std::ffi::c_char,
            side: body.aggressor as std::ffi::c_char,
            ts_recv: record.ts,
            sequence: body.sequence,
            ..TradeMsg::default()
        };
        self.put(Schema::Trades, &message)
    }

    fn statistic(&mut self, record: &Record, body: &Statistic) -> Result<(), ImportError> {
        let is_quantity =
            [StatisticKind::OpenInterest as u16, StatisticKind::Volume as u16].contains(&body.stat);
        let quantity = if is_quantity { body.value } else { body.quantity };
        let stat_type = match body.stat {
            1 => 9,
            2 => 3,
            4 => 11,
            5 => 6,
            6 => 1,
            _ => body.raw,
        };
        let message = StatMsg {
            hd: self.header::<StatMsg>(record, rtype::STATISTICS, record.venue),
            ts_recv: record.ts,
            ts_ref: if body.ts_ref == 0 { UNDEF_TIMESTAMP } else { body.ts_ref },
            price: if is_quantity { UNDEF_PRICE } else { body.value },
            quantity: if quantity == 0 && !is_quantity { UNDEF_STAT_QUANTITY } else { quantity / SCALE },
            sequence: body.sequence,
            stat_type,
            ..StatMsg::default()
        };
        self.put(Schema::Statistics, &message)
    }

    fn status(&mut self, record: &Record, body: &Status) -> Result<(), ImportError> {
        let action = match body.state {
            1 => 7,
            3 => 1,
            4 => 12,
            _ => 8,
        };
        let message = StatusMsg {
            hd: self.header::<StatusMsg>(record, rtype::STATUS, record.venue),
            ts_recv: record.ts,
            action,
            reason: body.reason,
            ..StatusMsg::default()
        };
        self.put(Schema::Status, &message)
    }

    fn leave_out(&mut self, record: &Record) {
        let name = record.kind().map_or("unknown", |kind| kind.name());
        *self.left_out.entry(name.to_string()).or_default() += 1;
    }

    fn finish(self) -> Result<DbnWritten, ImportError> {
        let mut written = DbnWritten { files: BTreeMap::new(), left_out: self.left_out };
        for (_, (path, mut output, records)) in self.outputs {
            output.get_mut().do_finish().map_err(ImportError::io("write", &path))?;
            let file = output.get_mut().get_mut();
            file.flush().map_err(ImportError::io("write", &path))?;
            file.get_ref().sync_all().map_err(ImportError::io("sync", &path))?;
            written.files.insert(path, records);
        }
        Ok(written)
    }
}

/// Price of a side; an empty side has none.
fn defined(price: i64, size: i64) -> i64 {
    if price == 0 && size == 0 { UNDEF_PRICE } else { price }
}

fn definition(
    place: usize,
    def: &InstrumentDef,
    defs: &[InstrumentDef],
    ts: u64,
) -> Result<InstrumentDefMsg, dbn::Error> {
    let mut message = InstrumentDefMsg {
        hd: RecordHeader::new::<InstrumentDefMsg>(rtype::INSTRUMENT_DEF, 0, place as u32 + 1, ts),
        ts_recv: ts,
        raw_instrument_id: place as u64 + 1,
        raw_symbol: str_to_c_chars(&def.symbol)?,
        unit_of_measure_qty: def.multiplier.saturating_mul(SCALE),
        ..InstrumentDefMsg::default()
    };
    message.min_price_increment = match def.tick {
        TickRule::Fixed(increment) => increment,
        TickRule::Penny | TickRule::Nickel | TickRule::Free => UNDEF_PRICE,
    };
    message.expiration = def.expiry.map_or(UNDEF_TIMESTAMP, |at| at.0);
    let class = match (def.kind, &def.option) {
        (InstrumentKind::Equity | InstrumentKind::Index, _) => b'K',
        (InstrumentKind::Future, _) => b'F',
        (InstrumentKind::Option, Some(terms)) if terms.right == Right::Put => b'P',
        (InstrumentKind::Option, _) => b'C',
    };
    message.instrument_class = class as std::ffi::c_char;
    if let Some(terms) = &def.option {
        let right = if terms.right == Right::Call { 'C' } else { 'P' };
        let style = if terms.style == ExerciseStyle::American { 'A' } else { 'E' };
        let delivery = if terms.settlement == Settlement::Cash { 'C' } else { 'P' };
        message.cfi = str_to_c_chars(&format!("O{right}{style}X{delivery}S"))?;
        message.strike_price = terms.strike.0;
        message.expiration = terms.expiry.0;
        message.asset = str_to_c_chars(&terms.root)?;
        if let Some(underlying) = defs.get(terms.underlying.index()) {
            message.underlying = str_to_c_chars(&underlying.symbol)?;
            message.underlying_id = terms.underlying.0 + 1;
        }
    }
    Ok(message)
}
