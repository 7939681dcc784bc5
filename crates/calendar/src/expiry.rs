//! Expiry dates and the instants around an expiry.
//!
//! Ignores: FLEX terms, adjusted contracts, expiries moved by emergency order,
//! and clearing-member deadlines, which lie later than the holder's.

use jiff::civil::{Date, Weekday, date};

use crate::Error;
use crate::class::{ClassRow, Delivery, SettleAt};
use crate::holidays::{FIRST_DATE, LAST_DATE, is_settlement_day, nth_weekday, plus_days};
use crate::session::{Market, Session, next_session, previous_session, session};
use crate::zone::{DayClock, NS_PER_S, Zone};

/// Monthly options with expiration dates from here on expire on the Friday; before,
/// on the Saturday after it (SR-OCC-2013-04, 78 FR 26413; some series listed earlier
/// kept a Saturday date later).
const FRIDAY_EXPIRATION: Date = date(2015, 2, 1);
/// T+2 for trades from 2017-09-05 (SEC Rule 15c6-1, 82 FR 15564).
const T_PLUS_2: Date = date(2017, 9, 5);
/// T+1 for trades from 2024-05-28 (SEC Rule 15c6-1 as amended 2023).
const T_PLUS_1: Date = date(2024, 5, 28);

/// A listed expiry: the date in the symbol and the session on which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// Expiration date as written in the symbol; a Saturday for old monthlies.
    pub symbol_date: Date,
    /// Trading day on which the series settles.
    pub session_date: Date,
}

/// The instants around one expiry; all UTC ns.
///
/// Order: `last_trade_ns` ≤ `expiry_ns` ≤ `exercise_cutoff_ns` < `notice_ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiryTimes {
    /// Trading day on which the series settles.
    pub session_date: Date,
    /// End of trading in the series.
    pub last_trade_ns: u64,
    /// Instant whose price is the settlement value: the stock market's opening
    /// (opening settlement) or close (closing settlement).
    pub value_ns: u64,
    /// The later of `value_ns` and `last_trade_ns`: the series is alive before it.
    /// Fund options trade 15 minutes past the close that decides their exercise.
    pub expiry_ns: u64,
    /// Holder's deadline for exercise or contrary advice: 17:30 New York, on half days
    /// 90 minutes after the stock close (FINRA Rule 2360(b)(23); notice of 2021-11-23).
    pub exercise_cutoff_ns: u64,
    /// Assignment notice: 06:00 New York on the next trading day.
    pub notice_ns: u64,
    /// Date on which shares or cash move: cash on the next trading day; shares T+1,
    /// T+2 or T+3 from `session_date` by the rule of that date.
    pub settlement_date: Date,
}

/// The standard monthly expiry: third Friday, or the session before if closed.
///
/// ```
/// use onetape_calendar::{date, monthly_expiry};
/// assert_eq!(monthly_expiry(2014, 4)?.symbol_date, date(2014, 4, 19)); // Saturday
/// assert_eq!(monthly_expiry(2014, 4)?.session_date, date(2014, 4, 17)); // Good Friday was the 18th
/// # Ok::<(), onetape_calendar::Error>(())
/// ```
///
/// # Errors
/// [`Error::BadMonth`]; [`Error::DateOutOfRange`] outside the calendar.
pub fn monthly_expiry(year: i16, month: i8) -> Result<Expiry, Error> {
    let friday = third_friday(year, month)?;
    let session_date = expiry_session(friday)?;
    let saturday = plus_days(friday, 1);
    let symbol_date = if saturday < FRIDAY_EXPIRATION { saturday } else { session_date };
    Ok(Expiry { symbol_date, session_date })
}

/// The weekly or month-end expiry nominally due on `nominal`: the session before if
/// the market is closed; index weeklies due on a Monday move to the session after
/// (Cboe XSP and SPXW specifications), which `monday_moves_forward` selects.
///
/// # Errors
/// [`Error::DateOutOfRange`] outside the calendar.
pub fn weekly_expiry(nominal: Date, monday_moves_forward: bool) -> Result<Expiry, Error> {
    let closed = session(Market::UsEquity, nominal).is_none();
    let session_date = if closed && monday_moves_forward && nominal.weekday() == Weekday::Monday {
        next_session(Market::UsEquity, nominal).ok_or_else(|| out_of_range(nominal))?.trade_date
    } else {
        expiry_session(nominal)?
    };
    Ok(Expiry { symbol_date: session_date, session_date })
}

/// The monthly VIX expiry: the Wednesday 30 days before the third Friday of the
/// following month; the business day before if that Wednesday or that Friday is a
/// holiday (Cboe VIX specification).
///
/// # Errors
/// [`Error::BadMonth`]; [`Error::DateOutOfRange`] outside the calendar.
pub fn vix_expiry(year: i16, month: i8) -> Result<Expiry, Error> {
    let month_first = first_of_month(year, month)?;
    let next = plus_days(month_first, 31);
    let friday = third_friday(next.year(), next.month())?;
    let wednesday = plus_days(friday, -30);
    let session_date = if session(Market::UsEquity, friday).is_none() {
        expiry_session(plus_days(wednesday, -1))?
    } else {
        expiry_session(wednesday)?
    };
    Ok(Expiry { symbol_date: session_date, session_date })
}

/// The instants of a series of `class` whose symbol carries the date `expiration`.
///
/// A date on which the market is closed (an old Saturday, a holiday Friday) means
/// the session before it.
///
/// # Errors
/// [`Error::DateOutOfRange`] when the expiry, the session before or the settlement
/// lies outside the calendar.
pub fn expiry_times(class: &ClassRow, expiration: Date) -> Result<ExpiryTimes, Error> {
    let error = || out_of_range(expiration);
    let session_date = expiry_session(expiration)?;
    let stock = session(Market::UsEquity, session_date).ok_or_else(error)?;
    let own = session(class.market, session_date).ok_or_else(error)?;
    let (last_trade_ns, value_ns) = match class.settle_at {
        SettleAt::Open => {
            let before = previous_session(class.market, session_date).ok_or_else(error)?;
            (before.close_ns, stock.open_ns)
        }
        SettleAt::Close if class.expiring_stops_at_stock_close => (stock.close_ns, stock.close_ns),
        SettleAt::Close => (own.close_ns, stock.close_ns),
    };
    let next = next_session(Market::UsEquity, session_date).ok_or_else(error)?;
    let settlement_date = match class.delivery {
        Delivery::Cash => next.trade_date,
        Delivery::Physical => stock_settlement_date(session_date)?,
    };
    Ok(ExpiryTimes {
        session_date,
        last_trade_ns,
        value_ns,
        expiry_ns: value_ns.max(last_trade_ns),
        exercise_cutoff_ns: exercise_cutoff_ns(&stock)?,
        notice_ns: DayClock::new(Zone::NewYork, next.trade_date)?.utc_ns_at(6, 0),
        settlement_date,
    })
}

/// Settlement date of a share trade: T+1, T+2 or T+3 settlement days after it,
/// skipping bank holidays on which the exchange trades.
///
/// # Errors
/// [`Error::DateOutOfRange`] outside the calendar.
pub fn stock_settlement_date(trade_date: Date) -> Result<Date, Error> {
    let days = if trade_date >= T_PLUS_1 {
        1
    } else if trade_date >= T_PLUS_2 {
        2
    } else {
        3
    };
    let mut day = trade_date;
    for _ in 0..days {
        day = plus_days(day, 1);
        while !is_settlement_day(day) {
            if !(FIRST_DATE..=LAST_DATE).contains(&day) {
                return Err(out_of_range(trade_date));
            }
            day = plus_days(day, 1);
        }
    }
    Ok(day)
}

/// Year fraction ACT/365F between two instants (UTC ns); negative when `to` is earlier.
#[must_use]
pub fn act_365f(from_ns: u64, to_ns: u64) -> f64 {
    const NS_PER_YEAR: f64 = (365 * 86_400 * NS_PER_S) as f64;
    (i128::from(to_ns) - i128::from(from_ns)) as f64 / NS_PER_YEAR
}

/// Days to expiry: calendar days from the date of an instant (UTC ns) in the class's
/// zone to the expiry session; negative after it.
#[must_use]
pub fn dte(class: &ClassRow, now_ns: u64, session_date: Date) -> i32 {
    let today = class.market.zone().date_at(now_ns);
    today.duration_until(session_date).as_hours() as i32 / 24
}

fn exercise_cutoff_ns(stock: &Session) -> Result<u64, Error> {
    if stock.half_day {
        return Ok(stock.close_ns + 90 * 60 * NS_PER_S);
    }
    Ok(DayClock::new(Zone::NewYork, stock.trade_date)?.utc_ns_at(17, 30))
}

/// The session on the date or the last one before it.
fn expiry_session(day: Date) -> Result<Date, Error> {
    if day > LAST_DATE {
        return Err(out_of_range(day));
    }
    previous_session(Market::UsEquity, plus_days(day, 1))
        .map(|s| s.trade_date)
        .ok_or_else(|| out_of_range(day))
}

fn third_friday(year: i16, month: i8) -> Result<Date, Error> {
    first_of_month(year, month)?;
    Ok(nth_weekday(year, month, Weekday::Friday, 3))
}

fn first_of_month(year: i16, month: i8) -> Result<Date, Error> {
    Date::new(year, month, 1).map_err(|_| Error::BadMonth { year, month })
}

fn out_of_range(day: Date) -> Error {
    Error::DateOutOfRange { date: day, first: FIRST_DATE, last: LAST_DATE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::class;

    fn ny(day: Date, hour: u8, minute: u8) -> u64 {
        DayClock::new(Zone::NewYork, day).unwrap().utc_ns_at(hour, minute)
    }

    #[test]
    fn monthly_expiries() {
        for (y, m, symbol, on) in [
            (2014, 1, date(2014, 1, 18), date(2014, 1, 17)),
            (2014, 4, date(2014, 4, 19), date(2014, 4, 17)),
            (2015, 1, date(2015, 1, 17), date(2015, 1, 16)),
            (2015, 2, date(2015, 2, 20), date(2015, 2, 20)),
            (2019, 4, date(2019, 4, 18), date(2019, 4, 18)),
            (2021, 1, date(2021, 1, 15), date(2021, 1, 15)),
        ] {
            let e = monthly_expiry(y, m).unwrap();
            assert_eq!((e.symbol_date, e.session_date), (symbol, on), "{y}-{m}");
        }
        assert!(matches!(monthly_expiry(2020, 13), Err(Error::BadMonth { .. })));
    }

    #[test]
    fn vix_expiries() {
        for (y, m, on) in [
            (2011, 12, date(2011, 12, 21)),
            (2014, 3, date(2014, 3, 18)), // 18 April 2014 was Good Friday
            (2019, 3, date(2019, 3, 19)), // 19 April 2019 was Good Friday
            (2020, 3, date(2020, 3, 18)),
            (2024, 5, date(2024, 5, 22)),
        ] {
            assert_eq!(vix_expiry(y, m).unwrap().session_date, on, "{y}-{m}");
        }
    }

    #[test]
    fn weeklies_move_back_and_index_mondays_forward() {
        assert_eq!(weekly_expiry(date(2021, 4, 2), true).unwrap().session_date, date(2021, 4, 1));
        assert_eq!(weekly_expiry(date(2021, 1, 18), true).unwrap().session_date, date(2021, 1, 19));
        assert_eq!(weekly_expiry(date(2021, 1, 18), false).unwrap().session_date, date(2021, 1, 15));
    }

    /// (root, expiration, last trade, value instant, settlement date).
    #[test]
    fn times_of_known_expiries() {
        let d = date;
        for (root, exp, last, value, settles) in [
            ("SPX", d(2021, 1, 15), ny(d(2021, 1, 14), 16, 15), ny(d(2021, 1, 15), 9, 30), d(2021, 1, 19)),
            ("SPX", d(2014, 1, 18), ny(d(2014, 1, 16), 16, 15), ny(d(2014, 1, 17), 9, 30), d(2014, 1, 21)),
            ("SPXW", d(2021, 1, 15), ny(d(2021, 1, 15), 16, 0), ny(d(2021, 1, 15), 16, 0), d(2021, 1, 19)),
            (
                "SPXW",
                d(2021, 11, 26),
                ny(d(2021, 11, 26), 13, 0),
                ny(d(2021, 11, 26), 13, 0),
                d(2021, 11, 29),
            ),
            (
                "VIX",
                d(2011, 12, 21),
                ny(d(2011, 12, 20), 16, 15),
                ny(d(2011, 12, 21), 9, 30),
                d(2011, 12, 22),
            ),
            ("SPY", d(2021, 1, 15), ny(d(2021, 1, 15), 16, 15), ny(d(2021, 1, 15), 16, 0), d(2021, 1, 20)),
            (
                "GOOG",
                d(2015, 12, 24),
                ny(d(2015, 12, 24), 13, 0),
                ny(d(2015, 12, 24), 13, 0),
                d(2015, 12, 30),
            ),
            ("GOOG", d(2014, 4, 19), ny(d(2014, 4, 17), 16, 0), ny(d(2014, 4, 17), 16, 0), d(2014, 4, 23)),
            ("AAPL", d(2024, 6, 21), ny(d(2024, 6, 21), 16, 0), ny(d(2024, 6, 21), 16, 0), d(2024, 6, 24)),
        ] {
            let row = class(root, monthly_floor(exp)).unwrap();
            let t = expiry_times(row, exp).unwrap();
            assert_eq!(t.last_trade_ns, last, "{root} {exp} last trade");
            assert_eq!(t.value_ns, value, "{root} {exp} value");
            assert_eq!(t.expiry_ns, last.max(value), "{root} {exp} expiry");
            assert_eq!(t.settlement_date, settles, "{root} {exp} settlement");
            assert!(
                t.expiry_ns <= t.exercise_cutoff_ns && t.exercise_cutoff_ns < t.notice_ns,
                "{root} {exp}"
            );
        }
    }

    fn monthly_floor(day: Date) -> Date {
        date(day.year(), day.month(), 1)
    }

    #[test]
    fn deadlines_of_full_and_half_days() {
        let row = class("GOOG", date(2021, 1, 4)).unwrap();
        let full = expiry_times(row, date(2021, 1, 15)).unwrap();
        assert_eq!(full.exercise_cutoff_ns, ny(date(2021, 1, 15), 17, 30));
        assert_eq!(full.notice_ns, ny(date(2021, 1, 19), 6, 0)); // Monday was a holiday
        let half = expiry_times(row, date(2021, 11, 26)).unwrap();
        assert_eq!(half.exercise_cutoff_ns, ny(date(2021, 11, 26), 14, 30));
    }

    #[test]
    fn stock_trades_settle_by_the_rule_of_their_date() {
        for (trade, settles) in [
            (date(1999, 10, 5), date(1999, 10, 8)), // NASD Notice to Members 99-83, T+3 around Columbus Day
            (date(1999, 10, 6), date(1999, 10, 12)),
            (date(1999, 10, 8), date(1999, 10, 14)),
            (date(1999, 10, 11), date(1999, 10, 14)),
            (date(2000, 12, 22), date(2000, 12, 28)), // Notice 00-82, over Christmas
            (date(2000, 12, 29), date(2001, 1, 4)),
            (date(2017, 9, 1), date(2017, 9, 7)),
            (date(2017, 9, 5), date(2017, 9, 7)),
            (date(2024, 5, 24), date(2024, 5, 29)),
            (date(2024, 5, 28), date(2024, 5, 29)),
        ] {
            assert_eq!(stock_settlement_date(trade).unwrap(), settles, "{trade}");
        }
    }

    #[test]
    fn every_monthly_expiry_has_ordered_times() {
        for y in 2002..2040 {
            for m in 1..=12 {
                let e = monthly_expiry(y, m).unwrap();
                for root in ["SPX", "NDX", "RUT", "QQQ", "IWM", "GOOG"] {
                    let t = expiry_times(class(root, e.session_date).unwrap(), e.symbol_date).unwrap();
                    assert_eq!(t.session_date, e.session_date);
                    assert!(t.last_trade_ns <= t.expiry_ns && t.value_ns <= t.expiry_ns);
                    assert!(t.expiry_ns <= t.exercise_cutoff_ns && t.exercise_cutoff_ns < t.notice_ns);
                    assert!(t.settlement_date > t.session_date);
                }
            }
        }
    }

    #[test]
    fn year_fraction_and_days() {
        let row = class("GOOG", date(2015, 12, 24)).unwrap();
        let now = ny(date(2015, 12, 24), 10, 0);
        assert_eq!(dte(row, now, date(2016, 1, 15)), 22);
        assert_eq!(dte(row, ny(date(2015, 12, 24), 23, 59), date(2015, 12, 24)), 0);
        assert_eq!(dte(row, now, date(2015, 12, 23)), -1);
        let year = act_365f(ny(date(2015, 1, 2), 16, 0), ny(date(2016, 1, 2), 16, 0));
        assert!((year - 1.0).abs() < 1e-15);
        assert!(act_365f(10, 5) < 0.0);
    }
}
