//! Books and imbalances on the way out.

use super::Writer;
use crate::import::ImportError;
use dbn::enums::rtype;
use dbn::{FlagSet, ImbalanceMsg, MboMsg, Mbp10Msg, Schema, UNDEF_PRICE, UNDEF_TIMESTAMP};
use onetape_engine::input::Imbalance;
use onetape_engine::record::{BookAction, BookLevel, BookOrder, Record, Side, Trade, flags};
use std::ffi::c_char;

fn message_flags(record: &Record) -> FlagSet {
    let mut bits = FlagSet::empty();
    if record.has(flags::LAST) {
        bits.set_last();
    }
    if record.has(flags::SNAPSHOT) {
        bits.set_snapshot();
    }
    if record.has(flags::NON_FIRM) {
        bits.set_maybe_bad_book();
    }
    bits
}

impl Writer {
    pub(super) fn order(&mut self, record: &Record, body: &BookOrder) -> Result<(), ImportError> {
        let is_bare = [BookAction::Clear as u8, BookAction::None as u8].contains(&body.action);
        let message = MboMsg {
            hd: self.header::<MboMsg>(record, rtype::MBO, record.venue),
            order_id: body.order_id,
            price: if is_bare { UNDEF_PRICE } else { body.price },
            size: self.size(body.size)?,
            flags: message_flags(record),
            channel_id: body.channel,
            action: body.action as c_char,
            side: body.side as c_char,
            ts_recv: record.ts,
            ts_in_delta: body.sent_before_ns,
            sequence: body.sequence,
        };
        self.put(Schema::Mbo, &message)
    }

    pub(super) fn order_print(&mut self, record: &Record, trade: &Trade) -> Result<(), ImportError> {
        let message = MboMsg {
            hd: self.header::<MboMsg>(record, rtype::MBO, record.venue),
            order_id: trade.trade_id,
            price: trade.price,
            size: self.size(trade.size)?,
            flags: message_flags(record),
            channel_id: 0,
            action: b'T' as c_char,
            side: trade.aggressor as c_char,
            ts_recv: record.ts,
            ts_in_delta: 0,
            sequence: trade.sequence,
        };
        self.put(Schema::Mbo, &message)
    }

    pub(super) fn level(&mut self, record: &Record, body: &BookLevel) -> Result<(), ImportError> {
        self.books.entry((record.instrument, record.venue)).or_default().apply(record);
        if !record.has(flags::LAST) && body.ends_message == 0 {
            return Ok(());
        }
        let message = self.levels(record, body.sequence)?;
        self.put(Schema::Mbp10, &message)
    }

    pub(super) fn level_print(&mut self, record: &Record, trade: &Trade) -> Result<(), ImportError> {
        let message = Mbp10Msg {
            action: b'T' as c_char,
            side: trade.aggressor as c_char,
            price: trade.price,
            size: self.size(trade.size)?,
            ..self.levels(record, trade.sequence)?
        };
        self.put(Schema::Mbp10, &message)
    }

    /// The record's book as a message.
    fn levels(&mut self, record: &Record, sequence: u32) -> Result<Mbp10Msg, ImportError> {
        let mut message = Mbp10Msg {
            hd: self.header::<Mbp10Msg>(record, rtype::MBP_10, record.venue),
            action: b'M' as c_char,
            side: b'N' as c_char,
            flags: message_flags(record),
            ts_recv: record.ts,
            sequence,
            ..Mbp10Msg::default()
        };
        let book = self.books.entry((record.instrument, record.venue)).or_default();
        let mut is_deeper = false;
        let mut sides = [Vec::with_capacity(10), Vec::with_capacity(10)];
        for (shown, side) in sides.iter_mut().zip([Side::Bid, Side::Ask]) {
            shown.extend(book.levels(side).take(10).copied());
            is_deeper |= book.levels(side).nth(10).is_some();
        }
        for (place, level) in sides[0].iter().enumerate() {
            let pair = &mut message.levels[place];
            (pair.bid_px, pair.bid_sz, pair.bid_ct) =
                (level.price().0, self.size(level.size().0)?, level.orders() as u32);
        }
        for (place, level) in sides[1].iter().enumerate() {
            let pair = &mut message.levels[place];
            (pair.ask_px, pair.ask_sz, pair.ask_ct) =
                (level.price().0, self.size(level.size().0)?, level.orders() as u32);
        }
        if is_deeper {
            *self.left_out.entry("levels below the tenth".to_string()).or_default() += 1;
        }
        Ok(message)
    }

    pub(super) fn imbalance(&mut self, record: &Record, body: &Imbalance) -> Result<(), ImportError> {
        let message = ImbalanceMsg {
            hd: self.header::<ImbalanceMsg>(record, rtype::IMBALANCE, record.venue),
            ts_recv: record.ts,
            ref_price: body.reference_price.0,
            auction_time: if body.auction_time == 0 { UNDEF_TIMESTAMP } else { body.auction_time },
            cont_book_clr_price: body.continuous_clearing_price.0,
            auct_interest_clr_price: body.auction_clearing_price.0,
            ssr_filling_price: body.short_sale_filling_price.0,
            ind_match_price: body.indicative_match_price.0,
            upper_collar: body.upper_collar.0,
            lower_collar: body.lower_collar.0,
            paired_qty: self.size(body.paired_quantity.0)?,
            total_imbalance_qty: self.size(body.total_imbalance_quantity.0)?,
            market_imbalance_qty: self.size(body.market_imbalance_quantity.0)?,
            unpaired_qty: self.size(body.unpaired_quantity.0)?,
            auction_type: body.auction_type as c_char,
            side: body.side as c_char,
            auction_status: body.auction_status,
            freeze_status: body.freeze_status,
            num_extensions: body.extensions,
            unpaired_side: body.unpaired_side as c_char,
            significant_imbalance: body.significant as c_char,
            ..ImbalanceMsg::default()
        };
        self.put(Schema::Imbalance, &message)
    }
}
