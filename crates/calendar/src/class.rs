//! Option classes: what a root means on a date.
//!
//! The rows live in `class_table`; each names its source. A row is in force
//! from `from` up to, but not including, `to`.

use jiff::civil::Date;

use crate::class_table::{CLASSES, EQUITY};
use crate::{Error, Market};

/// When the holder may exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// On any trading day up to expiry.
    American,
    /// At expiry only.
    European,
}

/// What exercise delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Shares against the strike.
    Physical,
    /// The difference in cash, on the next business day.
    Cash,
}

/// Which end of the expiry session fixes the settlement value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SettleAt {
    /// A special opening quotation; the last trade is on the session before.
    Open,
    /// The official close; the class trades on the expiry day.
    Close,
}

/// Where the settlement value is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueSource {
    /// `SET`: special opening quotation of the S&P 500.
    Set,
    /// `XSR`: special opening quotation of the Mini-SPX.
    Xsr,
    /// `NDS`: special opening quotation of the Nasdaq-100 (Nasdaq republishes it as `XQO`).
    Nds,
    /// `RLS`: special opening quotation of the Russell 2000.
    Rls,
    /// `VRO`: special opening quotation of the VIX.
    Vro,
    /// Official closing value of the index.
    IndexClose,
    /// Official closing price of the underlying share.
    ShareClose,
}

/// Minimum price increment of single-leg orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TickClass {
    /// 0.01 at every price.
    Penny,
    /// 0.01 below 3.00, 0.05 from there.
    PennyNickel,
    /// 0.05 below 3.00, 0.10 from there.
    NickelDime,
}

impl TickClass {
    /// Increment in 1e-9 units at a price in 1e-9 units.
    #[must_use]
    pub fn increment_e9(self, price_e9: i64) -> i64 {
        const CENT: i64 = 10_000_000;
        let low = price_e9 < 300 * CENT;
        match self {
            TickClass::Penny => CENT,
            TickClass::PennyNickel => {
                if low {
                    CENT
                } else {
                    5 * CENT
                }
            }
            TickClass::NickelDime => {
                if low {
                    5 * CENT
                } else {
                    10 * CENT
                }
            }
        }
    }
}

/// One dated row of the class table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassRow {
    /// Option root; `"*"` for the single-stock default.
    pub root: &'static str,
    /// First trade date of the row.
    pub from: Date,
    /// First trade date after the row; `None` while in force.
    pub to: Option<Date>,
    /// Trading hours of series that do not expire that day.
    pub market: Market,
    /// Exercise style.
    pub style: Style,
    /// What exercise delivers.
    pub delivery: Delivery,
    /// Opening or closing settlement.
    pub settle_at: SettleAt,
    /// Whether series stop at the close of the stock market on their last day
    /// (16:00, half days 13:00) although the class trades on.
    pub expiring_stops_at_stock_close: bool,
    /// Units of the underlying (or currency per point) per contract.
    pub multiplier: u32,
    /// Tick rule.
    pub tick: TickClass,
    /// Where the settlement value comes from.
    pub value_source: ValueSource,
    /// Where the row's facts were read.
    pub source: &'static str,
}

/// The row of a root in force on a trade date. Roots outside the table are
/// single-stock options with nickel ticks (`QQQQ` is `QQQ`): membership of the
/// penny programme changes often and is not tabulated; use [`equity_class`] when
/// it is known.
///
/// ```
/// use onetape_calendar::{SettleAt, class, date};
/// assert_eq!(class("SPX", date(2021, 1, 4))?.settle_at, SettleAt::Open);
/// assert_eq!(class("SPXW", date(2021, 1, 4))?.settle_at, SettleAt::Close);
/// # Ok::<(), onetape_calendar::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoClass`] when the root is known but not listed on the date, or the
/// date is before decimal option prices (2001-04-09).
pub fn class(root: &str, on: Date) -> Result<&'static ClassRow, Error> {
    let name = if root == "QQQQ" { "QQQ" } else { root };
    let mut known = false;
    for row in CLASSES.iter().filter(|r| r.root == name) {
        known = true;
        if in_force(row, on) {
            return Ok(row);
        }
    }
    if known {
        Err(Error::NoClass { root: root.to_owned(), date: on })
    } else {
        equity_class(on, TickClass::NickelDime)
    }
}

/// The single-stock default row with the given tick rule.
///
/// # Errors
/// [`Error::NoClass`] before 2001-04-09, and for penny ticks before the first
/// penny classes (2007-01-26).
pub fn equity_class(on: Date, tick: TickClass) -> Result<&'static ClassRow, Error> {
    EQUITY
        .iter()
        .find(|r| r.tick == tick && in_force(r, on))
        .ok_or_else(|| Error::NoClass { root: format!("* ({tick:?})"), date: on })
}

fn in_force(row: &ClassRow, on: Date) -> bool {
    on >= row.from && row.to.is_none_or(|to| on < to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn rows_of_known_dates() {
        use {Delivery::*, SettleAt::*, Style::*, TickClass::*};
        for (root, on, style, delivery, settle, tick) in [
            ("SPX", date(2021, 1, 14), European, Cash, Open, NickelDime),
            ("SPXW", date(2021, 1, 14), European, Cash, Close, NickelDime),
            ("XSP", date(2013, 11, 4), European, Cash, Open, NickelDime),
            ("XSP", date(2013, 11, 5), European, Cash, Close, Penny),
            ("VIX", date(2015, 5, 19), European, Cash, Open, NickelDime),
            ("VIX", date(2023, 5, 16), European, Cash, Open, PennyNickel),
            ("RUTW", date(2020, 5, 15), European, Cash, Close, NickelDime),
            ("NDX", date(2020, 5, 14), European, Cash, Open, NickelDime),
            ("SPY", date(2007, 9, 27), American, Physical, Close, NickelDime),
            ("SPY", date(2009, 1, 2), American, Physical, Close, PennyNickel),
            ("SPY", date(2015, 1, 2), American, Physical, Close, Penny),
            ("QQQQ", date(2008, 1, 2), American, Physical, Close, Penny),
            ("GOOG", date(2015, 12, 24), American, Physical, Close, NickelDime),
        ] {
            let r = class(root, on).unwrap();
            assert_eq!(
                (r.style, r.delivery, r.settle_at, r.tick),
                (style, delivery, settle, tick),
                "{root} {on}"
            );
        }
    }

    #[test]
    fn a_root_not_listed_on_the_date_is_an_error() {
        for (root, on) in [
            ("SPXW", date(2009, 1, 2)),
            ("VIX", date(2005, 1, 3)),
            ("SPXPM", date(2017, 5, 1)),
            ("GOOG", date(2001, 4, 6)),
        ] {
            assert!(matches!(class(root, on), Err(Error::NoClass { .. })), "{root} {on}");
        }
        assert!(equity_class(date(2007, 1, 25), TickClass::PennyNickel).is_err());
    }

    #[test]
    fn rows_of_a_root_are_ordered_and_do_not_overlap() {
        for pair in CLASSES.windows(2).filter(|p| p[0].root == p[1].root) {
            assert!(pair[0].to.is_some_and(|to| to <= pair[1].from), "{}", pair[0].root);
        }
        assert!(
            CLASSES
                .iter()
                .chain(EQUITY.iter())
                .all(|r| !r.source.is_empty() && r.to.is_none_or(|to| to > r.from))
        );
    }

    #[test]
    fn increments_change_at_three() {
        const P: i64 = 1_000_000_000;
        for (tick, low, high) in [
            (TickClass::Penny, P / 100, P / 100),
            (TickClass::PennyNickel, P / 100, P / 20),
            (TickClass::NickelDime, P / 20, P / 10),
        ] {
            assert_eq!(tick.increment_e9(3 * P - 1), low);
            assert_eq!(tick.increment_e9(3 * P), high);
        }
    }
}
