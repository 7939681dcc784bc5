//! The best bid and offer that a tick quote file states or implies.

use super::archive::EntryLines;
use super::ticks::{Row, parse};
use crate::import::ImportError;
use crate::import::nbbo::{Nbbo, SizeRule};
use std::path::Path;

/// Rows that decide what kind of file it is.
const SAMPLE_ROWS: u32 = 1_000;

/// A side of the best quote with its exchange; size 0 when there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct BestSide {
    pub(super) price: i64,
    pub(super) size: i64,
    pub(super) venue: u16,
}

/// What a record states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) bid: BestSide,
    pub(super) ask: BestSide,
    pub(super) is_firm: bool,
}

impl Default for Shown {
    fn default() -> Shown {
        Shown { bid: BestSide::default(), ask: BestSide::default(), is_firm: true }
    }
}

/// State of one file's quotes.
#[derive(Debug)]
pub(super) enum Book {
    /// A file of trades.
    Trades,
    /// Rows are the national best: bid row, then ask row.
    Best { now: Shown, last: Shown, is_bid_waiting: bool },
    /// Rows are exchanges' own quotes.
    Exchanges { quotes: Box<Nbbo>, last: Shown },
}

impl Book {
    /// The kind of a quote file: pairs of rows that share their time state the national best.
    pub(super) fn of(
        sample: &mut EntryLines,
        path: &Path,
        rule: SizeRule,
        date: u32,
    ) -> Result<Book, ImportError> {
        let (mut rows, mut pairs) = (0, 0);
        let mut waiting = None;
        while let (true, Some(line)) = (rows < SAMPLE_ROWS, sample.next_line()?) {
            let parsed = parse(line, false);
            let (ms, row) = match parsed {
                Ok(parsed) => parsed,
                Err(fault) => {
                    let row = line.to_vec();
                    return Err(super::days::row_error(path, &sample.name, sample.number, &row, fault));
                }
            };
            rows += 1;
            let is_bid = matches!(row, Row::Quote { bid: (price, _), .. } if price > 0);
            if !is_bid && waiting == Some(ms) {
                pairs += 1;
            }
            waiting = is_bid.then_some(ms);
        }
        // Withdrawn sides leave single rows: 9 of 10 rows in pairs are taken as the rule.
        let is_best = pairs * 2 * 10 >= rows * 9;
        Ok(if is_best {
            Book::Best { now: Shown::default(), last: Shown::default(), is_bid_waiting: false }
        } else {
            Book::Exchanges { quotes: Box::new(Nbbo::new(rule, date)), last: Shown::default() }
        })
    }

    /// Applies a row: a side with price 0 is not stated by it.
    pub(super) fn update(&mut self, bid: (i64, i64), ask: (i64, i64), venue: u16, is_firm: bool) {
        match self {
            Book::Trades => {}
            Book::Best { now, is_bid_waiting, .. } => {
                now.is_firm = is_firm;
                if bid.0 > 0 {
                    now.bid = BestSide { price: bid.0, size: bid.1, venue };
                }
                if ask.0 > 0 {
                    now.ask = BestSide { price: ask.0, size: ask.1, venue };
                }
                *is_bid_waiting = ask.0 == 0;
            }
            Book::Exchanges { quotes, .. } => {
                let size = |size: i64| if is_firm { size } else { 0 };
                if bid.0 > 0 {
                    quotes.bid(venue, bid.0, size(bid.1));
                }
                if ask.0 > 0 {
                    quotes.ask(venue, ask.0, size(ask.1));
                }
            }
        }
    }

    /// Whether the last row was the bid half of a pair.
    pub(super) fn is_bid_waiting(&self) -> bool {
        matches!(self, Book::Best { is_bid_waiting: true, .. })
    }

    /// The best quote when it differs from the one last returned.
    pub(super) fn changed(&mut self) -> Option<Shown> {
        let (now, last) = match self {
            Book::Trades => return None,
            Book::Best { now, last, .. } => (*now, last),
            Book::Exchanges { quotes, last } => {
                let ((bid, bid_venue), (ask, ask_venue)) = (quotes.best_bid(), quotes.best_ask());
                let bid = BestSide { price: bid.price, size: bid.size, venue: bid_venue };
                let ask = BestSide { price: ask.price, size: ask.size, venue: ask_venue };
                (Shown { bid, ask, is_firm: true }, last)
            }
        };
        (now != *last).then(|| {
            *last = now;
            now
        })
    }
}
