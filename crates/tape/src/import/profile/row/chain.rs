//! Rows of option chains: a quote, a bar or volume, the underlying, open interest.

use super::super::cell::Cells;
use super::super::plan::Fault;
use super::super::spec::{Field, OpenInterestSpec};
use super::super::spool::Spooled;
use super::super::symbol::Book;
use super::{At, Converter, Spools};
use onetape_calendar::{Date, DayClock, Market, Zone, next_session};
use onetape_engine::ids::{InstrumentIx, VenueIx};
use onetape_engine::num::SCALE;
use onetape_engine::record::{Bar, Body, Head, Quote, Record, Statistic, StatisticKind, flags};

/// Minute of the New York day at which yesterday's open interest is published.
const OPEN_INTEREST_MINUTE: u8 = 30;
const OPEN_INTEREST_HOUR: u8 = 6;

impl Converter<'_> {
    pub(super) fn chain<C: Cells>(
        &mut self,
        cells: &C,
        leg: usize,
        at: At,
        book: &mut Book,
        spools: (&mut Spools, u64),
    ) -> Result<(), Fault> {
        self.underlying(cells, leg, at, book)?;
        self.quote(cells, leg, at, book)?;
        let has_bar = self.plan.legs[leg][Field::Close as usize].is_some();
        match self.trade_bar(cells, leg, at)? {
            // Sources write zeros for a bar without trades.
            Some(bar) if bar.close > 0 => self.records.push(Record::new(at.head, Body::TradeBar(bar))),
            _ if has_bar => {}
            _ => {
                let volume = self.size(cells, leg, Field::Volume, at.lot)?;
                let known = &mut book.instruments[at.head.instrument.index()].stated[1];
                if let Some(volume) = volume
                    && is_news(known, at, volume)
                {
                    self.records.push(statistic(at.head, StatisticKind::Volume, volume));
                }
            }
        }
        self.open_interest(cells, leg, at, book, spools)
    }

    /// The underlying's quote or price, once an instant.
    pub(super) fn underlying<C: Cells>(
        &mut self,
        cells: &C,
        leg: usize,
        at: At,
        book: &mut Book,
    ) -> Result<(), Fault> {
        let bid = self.price(cells, leg, Field::UnderlyingBid)?.filter(|bid| *bid > 0);
        let ask = self.price(cells, leg, Field::UnderlyingAsk)?.filter(|ask| *ask > 0);
        let price = self.price(cells, leg, Field::UnderlyingPrice)?.filter(|price| *price > 0);
        if bid.is_none() && ask.is_none() && price.is_none() {
            return Ok(());
        }
        let Some(own) = book.underlying(self.plan, cells, at.head.instrument.0) else { return Ok(()) };
        let head = Head { instrument: InstrumentIx(own), venue: VenueIx(0), ..at.head };
        let record = match (bid, ask, price) {
            (Some(bid), Some(ask), _) => {
                // Sizes of the underlying are not part of chain rows.
                let size = i64::from(self.profile.size.assumed.unwrap_or(1)) * SCALE;
                let body = Quote { bid, ask, bid_size: size, ask_size: size, ..Quote::default() };
                let bits = flags::LAST | flags::BID | flags::ASK | flags::SNAPSHOT;
                Record::new(Head { flags: bits, ..head }, Body::Quote(body))
            }
            (_, _, Some(price)) => {
                let body = Bar { open: price, high: price, low: price, close: price, volume: 0 };
                Record::new(head, Body::TradeBar(body))
            }
            _ => return Ok(()),
        };
        let known = &mut book.instruments[own as usize];
        if known.last_stated != Some(record) {
            known.last_stated = Some(record);
            self.records.push(record);
        }
        Ok(())
    }

    /// Open interest, once a day or when it changes.
    pub(super) fn open_interest<C: Cells>(
        &mut self,
        cells: &C,
        leg: usize,
        at: At,
        book: &mut Book,
        (spools, origin): (&mut Spools, u64),
    ) -> Result<(), Fault> {
        let Some(value) = self.size(cells, leg, Field::OpenInterest, 1)? else { return Ok(()) };
        if !is_news(&mut book.instruments[at.head.instrument.index()].stated[0], at, value) {
            return Ok(());
        }
        let mut record = statistic(at.head, StatisticKind::OpenInterest, value);
        if self.profile.open_interest == Some(OpenInterestSpec::EndOfDay) {
            record.ts = morning_after(Zone::NewYork.date_at(at.head.ts_src.0))?;
            record.ts_src = record.ts;
            return spools.late.push(Spooled { record, origin }).map_err(Fault);
        }
        self.records.push(record);
        Ok(())
    }
}

/// 06:30 New York on the trading day after a date.
fn morning_after(date: Date) -> Result<u64, Fault> {
    let next = next_session(Market::UsEquity, date)
        .and_then(|session| DayClock::new(Zone::NewYork, session.trade_date).ok())
        .ok_or_else(|| Fault(format!("the calendar knows no trading day after {date}")))?;
    Ok(next.utc_ns_at(OPEN_INTEREST_HOUR, OPEN_INTEREST_MINUTE))
}

/// Whether a daily figure is another than the one last stated, or of another date.
fn is_news(known: &mut Option<(Date, i64)>, at: At, value: i64) -> bool {
    let stated = Some((Zone::NewYork.date_at(at.head.ts_src.0), value));
    std::mem::replace(known, stated) != stated
}

fn statistic(head: Head, kind: StatisticKind, value: i64) -> Record {
    let body = Statistic { value, stat: kind as u16, ts_ref: head.ts_src.0, ..Statistic::default() };
    Record::new(head, Body::Statistic(body))
}
