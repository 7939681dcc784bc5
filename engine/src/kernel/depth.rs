//! Depth records: they change a book, and the last of a group states best bid and ask.

use super::Kernel;
use crate::book::Stated;
use crate::ids::Seq;
use crate::num::{Price, Qty};
use crate::record::{Body, Record, Side, Trade, TradeFeed, flags};
use crate::strategy::Strategy;

/// Whether a print is the last record of a group of a depth feed.
#[inline]
pub(super) fn ends_group(record: &Record, trade: &Trade) -> bool {
    trade.feed != TradeFeed::Prints as u8 && record.has(flags::LAST)
}

impl<S: Strategy> Kernel<S> {
    /// Applies a depth record, or the print that ends a group.
    #[inline(never)]
    pub(super) fn apply_depth(&mut self, record: &Record, seq: Seq) {
        if self.core.depths.of(record.instrument()).apply(record) {
            self.depth_stated(record, seq);
        }
    }

    /// Keeps a book whole through hours that nobody is to see.
    pub(super) fn keep_book(&mut self, record: &Record) {
        let concerns_book = match record.body() {
            Some(Body::BookLevel(_) | Body::BookOrder(_)) => true,
            Some(Body::Trade(trade)) => ends_group(record, &trade),
            _ => false,
        };
        if concerns_book {
            self.core.depths.of(record.instrument()).apply(record);
        }
    }

    fn depth_stated(&mut self, record: &Record, seq: Seq) {
        let ix = record.instrument();
        let depth = self.core.depths.of(ix);
        let [bid, ask] = [Side::Bid, Side::Ask].map(|side| {
            let (price, size) =
                depth.best(side).map_or((Price::ZERO, Qty::ZERO), |level| (level.price(), level.size()));
            Stated { price, size, ts: record.ts(), seq, firm: !record.has(flags::NON_FIRM) }
        });
        if self.core.tops[ix.index()].restate(bid, ask) {
            self.quote_stated(record, seq);
        } else {
            self.core.schedule_mark(seq);
        }
        self.call_all(seq, |strategy, ctx| strategy.on_depth(ctx, ix));
    }
}
