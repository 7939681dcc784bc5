//! Sampled quotes and bars on the way out.

use super::{Writer, defined};
use crate::import::ImportError;
use dbn::record::RecordHeader;
use dbn::{BboMsg, BidAskPair, CbboMsg, ConsolidatedBidAskPair, FlagSet, OhlcvMsg, RType, Schema};
use onetape_engine::num::{DAY, SCALE, SECOND};
use onetape_engine::record::{Bar, Quote, Record, flags};
use std::collections::BTreeMap;

const MINUTE: u64 = 60 * SECOND;

/// How long a bar of an OHLCV schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BarPeriod {
    Second,
    Minute,
    Hour,
    Day,
}

impl BarPeriod {
    const ALL: [BarPeriod; 4] = [BarPeriod::Second, BarPeriod::Minute, BarPeriod::Hour, BarPeriod::Day];

    /// The one period of the DBN bars among a session's source records; `None` without any and of several.
    pub(super) fn of_sources(records: &BTreeMap<String, u64>) -> Option<BarPeriod> {
        let mut found = BarPeriod::ALL
            .into_iter()
            .filter(|period| records.get(period.schema().as_str()).is_some_and(|count| *count > 0));
        found.next().filter(|_| found.next().is_none())
    }

    fn schema(self) -> Schema {
        match self {
            BarPeriod::Second => Schema::Ohlcv1S,
            BarPeriod::Minute => Schema::Ohlcv1M,
            BarPeriod::Hour => Schema::Ohlcv1H,
            BarPeriod::Day => Schema::Ohlcv1D,
        }
    }

    fn ns(self) -> u64 {
        match self {
            BarPeriod::Second => SECOND,
            BarPeriod::Minute => MINUTE,
            BarPeriod::Hour => 60 * MINUTE,
            BarPeriod::Day => DAY,
        }
    }
}

impl Writer {
    /// Interval of a sampled quote that DBN has a schema for; it holds for two of them.
    pub(super) fn interval_of(&self, record: &Record) -> Option<u64> {
        let hold = self.holds.get(record.instrument as usize).copied().flatten()?;
        [SECOND, MINUTE].into_iter().find(|interval| record.has(flags::SNAPSHOT) && hold == 2 * interval)
    }

    /// A quote sampled each interval.
    pub(super) fn sample(&mut self, record: &Record, body: &Quote, interval: u64) -> Result<(), ImportError> {
        let (bid_sz, ask_sz) = (self.size(body.bid_size)?, self.size(body.ask_size)?);
        let (bid_px, ask_px) = (defined(body.bid, body.bid_size), defined(body.ask, body.ask_size));
        let mut bits = FlagSet::empty();
        bits.set_last();
        bits.set_snapshot();
        if body.ask_venue == record.venue {
            let schema = if interval == SECOND { Schema::Bbo1S } else { Schema::Bbo1M };
            let message = BboMsg {
                hd: self.header::<BboMsg>(record, RType::from(schema) as u8, record.venue),
                flags: bits,
                ts_recv: record.ts,
                sequence: body.sequence,
                levels: [BidAskPair { bid_px, ask_px, bid_sz, ask_sz, ..BidAskPair::default() }],
                ..BboMsg::default_for_schema(schema)
            };
            return self.put(schema, &message);
        }
        let schema = if interval == SECOND { Schema::Cbbo1S } else { Schema::Cbbo1M };
        let level = ConsolidatedBidAskPair {
            bid_px,
            ask_px,
            bid_sz,
            ask_sz,
            bid_pb: record.venue,
            ask_pb: body.ask_venue,
            ..ConsolidatedBidAskPair::default()
        };
        let message = CbboMsg {
            hd: self.header::<CbboMsg>(record, RType::from(schema) as u8, record.venue),
            flags: bits,
            ts_recv: record.ts,
            levels: [level],
            ..CbboMsg::default_for_schema(schema)
        };
        self.put(schema, &message)
    }

    /// A bar, stamped with its start.
    pub(super) fn bar(&mut self, record: &Record, bar: &Bar) -> Result<(), ImportError> {
        let Some(period) = self.bars else {
            self.leave_out(record);
            return Ok(());
        };
        let start = record.ts_src.saturating_sub(period.ns());
        let whole = (bar.volume % SCALE == 0).then_some(bar.volume / SCALE);
        let volume = whole.and_then(|volume| u64::try_from(volume).ok()).ok_or_else(|| {
            let what =
                format!("volume {} is not a whole number, which DBN needs", bar.volume as f64 / SCALE as f64);
            ImportError::Request { what }
        })?;
        let kind = RType::from(period.schema()) as u8;
        let message = OhlcvMsg {
            hd: RecordHeader::new::<OhlcvMsg>(kind, record.venue, record.instrument + 1, start),
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume,
        };
        self.put(period.schema(), &message)
    }
}
