//! Rows of bar files become records, delivered at the bar's end.

use super::files::DataType;
use super::rows::{Columns, Fault, PriceScale};
use onetape_engine::ids::{InstrumentIx, VenueIx};
use onetape_engine::num::Nanos;
use onetape_engine::record::{Bar, Body, HalfBar, Head, Record, Statistic, StatisticKind, flags};

/// Where a bar's records go and how its row is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct BarAt {
    /// End of the bar, UTC nanoseconds.
    pub(super) end_ns: u64,
    pub(super) instrument: InstrumentIx,
    /// Regular session as (open, close]: bars that end outside are marked.
    pub(super) regular_ns: Option<(u64, u64)>,
    pub(super) data: DataType,
    pub(super) scale: PriceScale,
}

impl BarAt {
    fn record(&self, sides: u8, body: Body) -> Record {
        let ts = Nanos(self.end_ns);
        let mut bits = sides;
        if self.data != DataType::OpenInterest
            && self.regular_ns.is_some_and(|(open, close)| self.end_ns <= open || self.end_ns > close)
        {
            bits |= flags::EXTENDED;
        }
        let head = Head { ts, ts_src: ts, instrument: self.instrument, venue: VenueIx(0), flags: bits };
        Record::new(head, body)
    }
}

/// Parses a row from its second column on and appends its records.
///
/// A side of a quote row without prices is no update of that side and gives no record.
pub(super) fn push_row(columns: &mut Columns<'_>, at: BarAt, out: &mut Vec<Record>) -> Result<(), Fault> {
    match at.data {
        DataType::Trade => {
            let fault = Fault { field: "price", expected: "four prices" };
            let [open, high, low, close] = columns.ohlc("price", at.scale)?.ok_or(fault)?;
            let volume = columns.quantity("volume")?;
            out.push(at.record(flags::LAST, Body::TradeBar(Bar { open, high, low, close, volume })));
        }
        DataType::Quote => {
            let bid = half(columns, "bid", at.scale)?;
            let ask = half(columns, "ask", at.scale)?;
            if let Some(bid) = bid {
                let last = if ask.is_none() { flags::LAST } else { 0 };
                out.push(at.record(flags::BID | last, Body::BidBar(bid)));
            }
            if let Some(ask) = ask {
                out.push(at.record(flags::ASK | flags::LAST, Body::AskBar(ask)));
            }
        }
        DataType::OpenInterest => {
            let value = columns.quantity("contracts")?;
            let stat = StatisticKind::OpenInterest as u16;
            let body = Statistic { value, stat, ts_ref: at.end_ns, ..Statistic::default() };
            out.push(at.record(flags::LAST, Body::Statistic(body)));
        }
    }
    match columns.text() {
        None => Ok(()),
        Some(_) => Err(Fault { field: "row", expected: "of this many columns" }),
    }
}

fn half(columns: &mut Columns<'_>, side: &'static str, scale: PriceScale) -> Result<Option<HalfBar>, Fault> {
    let prices = columns.ohlc(side, scale)?;
    let size = columns.quantity("size")?;
    Ok(prices.map(|[open, high, low, close]| HalfBar { open, high, low, close, size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(data: DataType, end_ns: u64, row: &str) -> Result<Vec<Record>, Fault> {
        let at = BarAt {
            end_ns,
            instrument: InstrumentIx(4),
            regular_ns: Some((100, 200)),
            data,
            scale: PriceScale::TenThousandths,
        };
        let mut out = Vec::new();
        push_row(&mut Columns::new(row.as_bytes()), at, &mut out).map(|()| out)
    }

    #[test]
    fn a_quote_row_is_one_or_two_halves_closed_by_the_last_flag() {
        use flags::{ASK, BID, EXTENDED, LAST};
        for (end, row, expected) in [
            (150, "1,1,1,1,5,2,2,2,2,6", &[BID, ASK | LAST][..]),
            (150, ",,,,0,2,2,2,2,6", &[ASK | LAST]),
            (200, "1,1,1,1,5,,,,,0", &[BID | LAST]),
            (150, ",,,,0,,,,,0", &[]),
            (100, "1,1,1,1,5,,,,,0", &[BID | LAST | EXTENDED]),
            (201, "1,1,1,1,5,,,,,0", &[BID | LAST | EXTENDED]),
        ] {
            let found: Vec<u8> =
                records(DataType::Quote, end, row).unwrap().iter().map(|r| r.flags).collect();
            assert_eq!(found, expected, "{end} {row}");
        }
    }

    #[test]
    fn trade_and_open_interest_rows() {
        let bar = records(DataType::Trade, 150, "54,55,53,54,7").unwrap()[0];
        let expected =
            Bar { open: 5_400_000, high: 5_500_000, low: 5_300_000, close: 5_400_000, volume: 7_000_000_000 };
        assert_eq!(bar.body(), Some(Body::TradeBar(expected)));
        let oi = records(DataType::OpenInterest, 50, "1732").unwrap()[0];
        assert_eq!(oi.flags, flags::LAST);
        assert!(matches!(oi.body(), Some(Body::Statistic(s)) if s.value == 1_732_000_000_000 && s.stat == 1));
        for row in ["54,55,53,54", "54,55,53,54,7,8", ",,,,7"] {
            assert!(records(DataType::Trade, 150, row).is_err(), "{row}");
        }
    }
}
