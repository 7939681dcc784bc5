//! What a row becomes.

mod chain;
mod numbers;

use super::cell::Cells;
use super::depth::{Books, LevelRow, WindowRow};
use super::plan::{Fault, Plan};
use super::spec::{Field, Interval, Order, Profile, RecordKind};
use super::spool::{Spool, Spooled};
use super::symbol::Book;
use super::time::{Clock, Moment};
use super::trade::TradeReader;
use crate::import::hours::ExtendedMarker;
use crate::import::levels::Shown;
use onetape_calendar::{DayClock, Market, Zone};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::{DAY, Nanos, SCALE};
use onetape_engine::record::{Bar, Body, HalfBar, Head, Quote, Record, flags};

/// Where the records of an import wait until all of them are known.
#[derive(Debug)]
pub(super) struct Spools {
    /// Records in the order of their rows.
    pub(super) rows: Spool,
    /// Open interest that is known later than its row.
    pub(super) late: Spool,
}

/// Turns the rows of one file into records.
pub(super) struct Converter<'a> {
    profile: &'a Profile,
    plan: &'a Plan,
    clock: Clock,
    trades: TradeReader<'a>,
    marker: ExtendedMarker,
    lot_until_ns: u64,
    records: Vec<Record>,
    books: Books,
    /// The last record of a book's event that may go on, with its origin.
    open: Option<Spooled>,
    /// Knowable time of the row before.
    last_ts: u64,
    /// Rows without a needed value, left out on the profile's word.
    pub(super) skipped: u64,
    /// Rows of a book whose time went back: they enter at the time of the row before.
    pub(super) raised: u64,
}

/// A row's record heads, before its body.
#[derive(Debug, Clone, Copy)]
struct At {
    head: Head,
    interval: Option<Interval>,
    lot: i64,
}

impl<'a> Converter<'a> {
    pub(super) fn new(profile: &'a Profile, plan: &'a Plan) -> Converter<'a> {
        let midnight = |text: &String| -> Option<u64> {
            DayClock::new(Zone::NewYork, text.parse().ok()?).ok().map(|day| day.midnight_utc_ns())
        };
        Converter {
            profile,
            plan,
            clock: Clock::new(&profile.time),
            trades: TradeReader::new(profile, plan),
            marker: ExtendedMarker::default(),
            lot_until_ns: profile.size.lot_until.as_ref().and_then(midnight).unwrap_or(u64::MAX),
            records: Vec::new(),
            books: Books::default(),
            open: None,
            last_ts: 0,
            skipped: 0,
            raised: 0,
        }
    }

    /// Converts one row, which stands at `origin`; true when it was one of those wanted.
    pub(super) fn row<C: Cells>(
        &mut self,
        cells: &C,
        book: &mut Book,
        spools: &mut Spools,
        origin: u64,
    ) -> Result<bool, Fault> {
        let plan = self.plan;
        if !plan.keep.is_empty() && !plan.keeps(cells) {
            return Ok(false);
        }
        let moment = self.clock.moment(plan, cells)?;
        let received = self.clock.received(plan, cells)?;
        let interval = self.interval(cells)?;
        let on = || match (moment, received) {
            (Some(Moment::Close(date, _)), _) => Some(date),
            (Some(Moment::At(at)), _) | (None, Some(at)) => Some(Zone::NewYork.date_at(at)),
            (None, None) => None,
        };
        let mut is_wanted = false;
        for leg in 0..plan.instruments {
            let Some(instrument) = book.instrument(self.profile, plan, cells, leg, on)? else { continue };
            is_wanted = true;
            let (market, hours) = {
                let known = &book.instruments[instrument as usize];
                (known.market, known.hours())
            };
            let (ts, ts_src) = self.clock.times(moment, received, interval, market)?;
            let ts = self.in_order(ts)?;
            let lot = if ts < self.lot_until_ns { i64::from(self.profile.size.lot) } else { 1 };
            let venue = self.venue(cells, plan.venue)?;
            let (ts, ts_src) = (Nanos(ts), Nanos(ts_src));
            let head = Head { ts, ts_src, instrument: InstrumentIx(instrument), venue, flags: flags::LAST };
            let at = At { head, interval, lot };
            self.records.clear();
            self.convert(cells, leg, at, book, (&mut *spools, origin))?;
            self.mark(hours, interval)?;
            self.pass_on(cells, spools, origin)?;
        }
        Ok(is_wanted)
    }

    /// Pushes the row's records. The end of a book's event shows only at the next row.
    fn pass_on<C: Cells>(&mut self, cells: &C, spools: &mut Spools, origin: u64) -> Result<(), Fault> {
        if self.profile.record != RecordKind::BookLevel {
            let rows = self.records.iter().map(|record| Spooled { record: *record, origin });
            return rows.into_iter().try_for_each(|row| spools.rows.push(row).map_err(Fault));
        }
        let Some(last) = self.records.pop() else { return Ok(()) };
        let is_last = self.trades.is_last(cells);
        if let Some(mut open) = self.open.take() {
            let goes_on = (open.record.ts, open.record.ts_src, open.record.instrument, open.record.venue)
                == (last.ts, last.ts_src, last.instrument, last.venue);
            open.record.flags |= if is_last.is_none() && !goes_on { flags::LAST } else { 0 };
            spools.rows.push(open).map_err(Fault)?;
        }
        for record in &self.records {
            spools.rows.push(Spooled { record: *record, origin }).map_err(Fault)?;
        }
        let last = Spooled { record: last, origin };
        match is_last {
            None => self.open = Some(last),
            Some(is_last) => {
                let mut last = last;
                last.record.flags |= if is_last { flags::LAST } else { 0 };
                spools.rows.push(last).map_err(Fault)?;
            }
        }
        Ok(())
    }

    /// Pushes what waited for the next row.
    pub(super) fn finish(&mut self, spools: &mut Spools) -> Result<(), Fault> {
        match self.open.take() {
            Some(mut open) => {
                open.record.flags |= flags::LAST;
                spools.rows.push(open).map_err(Fault)
            }
            None => Ok(()),
        }
    }

    /// The time at which a row enters: books are never sorted.
    fn in_order(&mut self, ts: u64) -> Result<u64, Fault> {
        if ts < self.last_ts && self.profile.file.order == Order::Time {
            return Err(Fault(format!(
                "time goes back from {} to {ts} ns; sort the file, or let the importer do it (file.order = \"any\")",
                self.last_ts
            )));
        }
        if ts < self.last_ts && self.profile.record.is_depth() {
            self.raised += 1;
            return Ok(self.last_ts);
        }
        self.last_ts = ts;
        Ok(ts)
    }

    fn interval<C: Cells>(&self, cells: &C) -> Result<Option<Interval>, Fault> {
        let time = &self.profile.time;
        let Some(place) = self.plan.time.interval else { return Ok(time.interval) };
        let cell = cells.get(place);
        let text = cell.text();
        let known = std::str::from_utf8(&text).ok().and_then(|text| time.intervals.get(text));
        known.copied().map(Some).ok_or_else(|| self.plan.fault(place, cell, "a key of time.intervals"))
    }

    /// Marks the row's records outside regular hours; daily rows have none.
    fn mark(&mut self, hours: Option<Market>, interval: Option<Interval>) -> Result<(), Fault> {
        let is_daily = match interval {
            Some(Interval::Day) => true,
            Some(Interval::Fixed(span)) => span.0 >= DAY,
            None => self.profile.time.date.is_some() && self.profile.time.clock.is_none(),
        };
        match hours.filter(|_| !is_daily) {
            Some(market) => {
                let marked = self.marker.mark(market, interval.is_some(), &mut self.records);
                marked.map_err(|error| Fault(error.to_string()))
            }
            None => Ok(()),
        }
    }

    fn convert<C: Cells>(
        &mut self,
        cells: &C,
        leg: usize,
        at: At,
        book: &mut Book,
        spools: (&mut Spools, u64),
    ) -> Result<(), Fault> {
        match self.profile.record {
            RecordKind::Quote => {
                self.quote(cells, leg, at, book)?;
                if self.trades.is_trade_row(cells) {
                    let trade = self.trade(cells, leg, at)?;
                    self.records.extend(trade);
                }
            }
            RecordKind::Trade => match self.trade(cells, leg, at)? {
                Some(trade) => {
                    if let Some(Body::Trade(body)) = trade.body() {
                        book.instruments[at.head.instrument.index()].observe_price(body.price);
                    }
                    self.records.push(trade);
                }
                None => self.skip(leg, &[Field::Price, Field::Size])?,
            },
            RecordKind::TradeBar => match self.trade_bar(cells, leg, at)? {
                Some(bar) => {
                    book.instruments[at.head.instrument.index()].observe_price(bar.close);
                    self.records.push(Record::new(at.head, Body::TradeBar(bar)));
                }
                None => self.skip(leg, &[Field::Open, Field::High, Field::Low, Field::Close])?,
            },
            RecordKind::QuoteBar => self.quote_bar(cells, leg, at, book)?,
            RecordKind::Chain => self.chain(cells, leg, at, book, spools)?,
            RecordKind::BookLevel => self.book_level(cells, leg, at)?,
            RecordKind::BookSnapshot => self.book_snapshot(cells, leg, at)?,
        }
        Ok(())
    }

    fn trade<C: Cells>(&self, cells: &C, leg: usize, at: At) -> Result<Option<Record>, Fault> {
        let price = self.price(cells, leg, Field::Price)?;
        let size = self.size(cells, leg, Field::Size, at.lot)?;
        let (Some(price), Some(size)) = (price, size) else { return Ok(None) };
        let count = |field| self.cell(cells, leg, field).and_then(|(_, cell)| cell.count());
        let ids = (count(Field::TradeId), count(Field::Sequence));
        Ok(Some(Record::new(at.head, Body::Trade(self.trades.body(cells, price, size, ids)))))
    }

    fn quote<C: Cells>(&mut self, cells: &C, leg: usize, at: At, book: &mut Book) -> Result<(), Fault> {
        let bid = self.side(cells, leg, (Field::Bid, Field::BidSize), at.lot)?;
        let ask = self.side(cells, leg, (Field::Ask, Field::AskSize), at.lot)?;
        let ask_venue = match self.plan.ask_venue {
            Some(place) => self.venue(cells, Some(place))?,
            None => at.head.venue,
        };
        let sequence = self.cell(cells, leg, Field::Sequence).and_then(|(_, cell)| cell.count());
        let mut bits = flags::LAST;
        bits |= if bid.is_some() { flags::BID } else { 0 };
        bits |= if ask.is_some() { flags::ASK } else { 0 };
        if bits == flags::LAST {
            return self.skip(leg, &[Field::Bid, Field::Ask]);
        }
        let is_snapshot = self.profile.is_batch() || self.trades.is_snapshot(cells);
        bits |= if is_snapshot { flags::SNAPSHOT } else { 0 };
        bits |= if self.trades.is_non_firm(cells) { flags::NON_FIRM } else { 0 };
        let ((bid, bid_size), (ask, ask_size)) = (bid.unwrap_or_default(), ask.unwrap_or_default());
        let sampled = match at.interval.filter(|_| self.profile.time.sampled) {
            Some(Interval::Fixed(span)) => Some(span.0),
            Some(Interval::Day) => Some(DAY),
            None => None,
        };
        book.instruments[at.head.instrument.index()].observe_quote([bid, ask], sampled);
        let body = Quote {
            bid,
            ask,
            bid_size,
            ask_size,
            ask_venue: ask_venue.0,
            condition: 0,
            // The low half of longer numbers.
            sequence: sequence.unwrap_or_default() as u32,
        };
        self.records.push(Record::new(Head { flags: bits, ..at.head }, Body::Quote(body)));
        Ok(())
    }

    fn trade_bar<C: Cells>(&self, cells: &C, leg: usize, at: At) -> Result<Option<Bar>, Fault> {
        let prices = self.ohlc(cells, leg, [Field::Open, Field::High, Field::Low, Field::Close])?;
        let Some([open, high, low, close]) = prices else { return Ok(None) };
        let volume = self.size(cells, leg, Field::Volume, at.lot)?.unwrap_or_default();
        Ok(Some(Bar { open, high, low, close, volume }))
    }

    /// A side without prices is no update of that side.
    fn quote_bar<C: Cells>(&mut self, cells: &C, leg: usize, at: At, book: &mut Book) -> Result<(), Fault> {
        use Field::*;
        let assumed = self.profile.size.assumed.map_or(0, |size| i64::from(size) * SCALE);
        let sides = [
            (flags::BID, [BidOpen, BidHigh, BidLow, BidClose], BidSize),
            (flags::ASK, [AskOpen, AskHigh, AskLow, AskClose], AskSize),
        ];
        for (bit, fields, size) in sides {
            let Some([open, high, low, close]) = self.ohlc(cells, leg, fields)? else { continue };
            let size = self.size(cells, leg, size, at.lot)?.unwrap_or(assumed);
            book.instruments[at.head.instrument.index()].observe_price(close);
            let body = HalfBar { open, high, low, close, size };
            let body = if bit == flags::BID { Body::BidBar(body) } else { Body::AskBar(body) };
            self.records.push(Record::new(Head { flags: bit, ..at.head }, body));
        }
        match self.records.last_mut() {
            Some(last) => last.flags |= flags::LAST,
            None => self.skip(leg, &[BidClose, AskClose])?,
        }
        Ok(())
    }

    /// A change of one level.
    fn book_level<C: Cells>(&mut self, cells: &C, leg: usize, at: At) -> Result<(), Fault> {
        let price = self.price(cells, leg, Field::Price)?;
        let size = self.size(cells, leg, Field::Size, at.lot)?;
        let (Some(price), Some(size)) = (price, size) else {
            return self.skip(leg, &[Field::Price, Field::Size]);
        };
        let side = self.trades.side(cells).ok_or_else(|| {
            let place = self.plan.side.unwrap_or_default();
            self.plan.fault(place, cells.get(place), "a text of side.buy or side.sell")
        })?;
        let (orders, sequence) =
            (self.count(cells, leg, Field::Orders), self.count(cells, leg, Field::Sequence));
        let is_snapshot = self.trades.is_snapshot(cells);
        let row = LevelRow { side, price, size, orders, sequence, is_snapshot };
        self.books.level(row, self.book_head(cells, at), &mut self.records);
        Ok(())
    }

    /// The best levels of both sides.
    fn book_snapshot<C: Cells>(&mut self, cells: &C, leg: usize, at: At) -> Result<(), Fault> {
        let is_trade = self.trades.is_trade_row(cells);
        let trade = if is_trade { self.trade(cells, leg, at)? } else { None };
        let row = WindowRow {
            sides: [
                self.levels(cells, [Field::Bid, Field::BidSize, Field::BidOrders], at.lot)?,
                self.levels(cells, [Field::Ask, Field::AskSize, Field::AskOrders], at.lot)?,
            ],
            sequence: self.count(cells, leg, Field::Sequence),
            is_snapshot: self.trades.is_snapshot(cells),
            is_last: self.trades.is_last(cells).unwrap_or(true),
            trade: trade.and_then(|record| match record.body() {
                Some(Body::Trade(trade)) => Some(trade),
                _ => None,
            }),
        };
        self.books.window(row, self.book_head(cells, at), &mut self.records)
    }

    /// The levels of a side that show something.
    fn levels<C: Cells>(
        &self,
        cells: &C,
        [price, size, orders]: [Field; 3],
        lot: i64,
    ) -> Result<Vec<Shown>, Fault> {
        let mut shown = Vec::with_capacity(self.plan.legs.len() - self.plan.instruments);
        for leg in self.plan.instruments..self.plan.legs.len() {
            let Some(price) = self.price(cells, leg, price)? else { continue };
            let size = self.size(cells, leg, size, lot)?.unwrap_or_default();
            if size > 0 {
                shown.push(Shown { price, size, orders: self.count(cells, leg, orders) });
            }
        }
        Ok(shown)
    }

    fn book_head<C: Cells>(&self, cells: &C, at: At) -> Head {
        let bits = if self.trades.is_non_firm(cells) { flags::NON_FIRM } else { 0 };
        Head { flags: bits, ..at.head }
    }
}
