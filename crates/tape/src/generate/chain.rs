//! Which contracts are listed, and their definitions.
//!
//! Expiries on a day: the next two Fridays, the Friday at least 28 days out, the third Fridays of the
//! two months after it, and the Thursday of a week in its last two days. An expiry that falls on a
//! holiday moves to the trading day before. Strikes are 0.50 apart near the money and 1.00 on the
//! monthlies; new ones are added on the morning after the spot comes near the end of a ladder.

use super::clock::{Clock, TradingDay};
use super::surface::{EarlyExercise, Fair};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::instrument::{
    ExerciseStyle, InstrumentDef, InstrumentKind, OptionTerms, Settlement, SettlementTime, TickRule,
    osi_symbol,
};
use onetape_engine::num::{Nanos, Price, Qty};
use onetape_pricing::Right;

/// Symbol of the fund and root of its options.
pub const SYMBOL: &str = "ONE";
const CENT: i64 = 10_000_000;
/// 17:30 and 06:00 local, relative to the 16:00 close.
const CUTOFF_AFTER_CLOSE_NS: u64 = 5_400_000_000_000;
const NOTICE_BEFORE_OPEN_NS: u64 = 12_600_000_000_000;

/// The displayed market of one contract. Prices in cents, sizes in contracts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Displayed {
    pub(super) instrument: u32,
    pub(super) is_open: bool,
    pub(super) non_firm: bool,
    pub(super) bid: i32,
    pub(super) ask: i32,
    pub(super) bid_size: i32,
    pub(super) ask_size: i32,
    /// Receipt time of its last record.
    pub(super) last_ts: u64,
    /// Fair half-spread at the last look, in currency.
    pub(super) half: f64,
    pub(super) open_interest: i64,
    pub(super) traded_today: i64,
}

/// One strike of one expiry.
#[derive(Debug, Clone)]
pub(super) struct Strike {
    pub(super) cents: i64,
    pub(super) strike: f64,
    pub(super) ln_strike: f64,
    pub(super) fair: Fair,
    /// American value of the put.
    pub(super) put: f64,
    pub(super) early: Option<EarlyExercise>,
    pub(super) call_quote: Displayed,
    pub(super) put_quote: Displayed,
}

/// One listed expiry.
#[derive(Debug, Clone)]
pub(super) struct Expiry {
    pub(super) day: TradingDay,
    pub(super) clock_at_expiry: f64,
    notice: u64,
    pub(super) strikes: Vec<Strike>,
    /// Reference price of the last valuation, when the next is due at the latest, and whether the
    /// current look revalued it.
    pub(super) valued_at: f64,
    pub(super) value_due: u64,
    pub(super) is_fresh: bool,
}

/// A ladder: distance between strikes and strikes each side of the money.
fn ladder(days_ahead: i64, is_thursday: bool) -> (i64, i64) {
    match days_ahead {
        _ if is_thursday => (50, 12),
        ..=31 => (50, 20),
        _ => (100, 20),
    }
}

/// Index in the table of the trading day at or before an ordinal.
fn at_or_before(days: &[TradingDay], ordinal: i64) -> Option<usize> {
    days.partition_point(|day| day.ordinal <= ordinal).checked_sub(1)
}

fn third_friday_after(ordinal: i64, date: u32, months: i64) -> i64 {
    // Ordinal of the first of this month, then month by month.
    let mut first = ordinal - i64::from(date % 100) + 1;
    let (mut year, mut month) = (i64::from(date / 10_000), i64::from(date / 100 % 100));
    for _ in 0..months {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        first += match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        month += 1;
        if month == 13 {
            (year, month) = (year + 1, 1);
        }
    }
    // 1970-01-01 was a Thursday: Friday is ordinal 1 modulo 7.
    first + (1 - first).rem_euclid(7) + 14
}

/// Table indexes of the expiries listed on the morning of day `today`, ascending.
pub(super) fn listed_expiries(days: &[TradingDay], today: usize) -> Vec<usize> {
    let (ordinal, date, weekday) = (days[today].ordinal, days[today].date, i64::from(days[today].weekday));
    let friday = ordinal + (5 - weekday).rem_euclid(7);
    let far = friday + 28;
    let mut wanted = vec![friday, friday + 7, far];
    if weekday <= 4 && 4 - weekday <= 1 {
        wanted.push(friday - 1);
    }
    let mut monthlies = 0;
    for months in 0..5 {
        let monthly = third_friday_after(ordinal, date, months);
        if monthly > far && monthlies < 2 {
            wanted.push(monthly);
            monthlies += 1;
        }
    }
    let mut found: Vec<usize> =
        wanted.into_iter().filter_map(|at| at_or_before(days, at)).filter(|&index| index >= today).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The definition of the fund.
pub(super) fn fund_definition() -> InstrumentDef {
    InstrumentDef { source: "generated".to_string(), ..InstrumentDef::equity(SYMBOL) }
}

impl Expiry {
    /// An expiry on a trading day of the clock's table, without strikes.
    pub(super) fn new(clock: &Clock, index: usize) -> Expiry {
        let days = clock.days();
        let day = days[index];
        let next = days.get(index + 1).copied().unwrap_or(day);
        Expiry {
            day,
            clock_at_expiry: clock.at(day.close),
            notice: next.open - NOTICE_BEFORE_OPEN_NS,
            strikes: Vec::new(),
            valued_at: 0.0,
            value_due: 0,
            is_fresh: false,
        }
    }

    /// Strikes, in cents, to list this morning around the spot.
    pub(super) fn missing_strikes(&self, today: &TradingDay, spot: f64) -> Vec<i64> {
        let (step, reach) = ladder(self.day.ordinal - today.ordinal, self.day.weekday == 4);
        let centre = libm::rint(spot * 100.0 / step as f64) as i64 * step;
        let span = match (self.strikes.first(), self.strikes.last()) {
            (Some(first), Some(last)) => {
                // Extend only when the spot left the middle half.
                let inside = (last.cents - first.cents) / 4;
                let is_near_end = centre - first.cents < inside || last.cents - centre < inside;
                if is_near_end { reach } else { return Vec::new() }
            }
            _ => reach,
        };
        (-span..=span)
            .map(|n| centre + n * step)
            .filter(|cents| self.strikes.binary_search_by_key(cents, |strike| strike.cents).is_err())
            .collect()
    }

    /// Adds a strike whose call and put have these instruments.
    pub(super) fn add_strike(&mut self, cents: i64, call: u32, put: u32) {
        let at = self.strikes.partition_point(|strike| strike.cents < cents);
        let strike = cents as f64 / 100.0;
        let displayed = |instrument| Displayed { instrument, ..Displayed::default() };
        self.strikes.insert(
            at,
            Strike {
                cents,
                strike,
                ln_strike: libm::log(strike),
                fair: Fair::default(),
                put: 0.0,
                early: None,
                call_quote: displayed(call),
                put_quote: displayed(put),
            },
        );
    }

    /// Definition of one contract.
    pub(super) fn definition(&self, cents: i64, right: Right) -> InstrumentDef {
        let strike = Price(cents * CENT);
        InstrumentDef {
            symbol: osi_symbol(SYMBOL, self.day.date, right, strike),
            kind: InstrumentKind::Option,
            multiplier: 100,
            tick: TickRule::Penny,
            lot: Qty::ONE,
            option: Some(OptionTerms {
                underlying: InstrumentIx(0),
                root: SYMBOL.to_string(),
                expiry_date: self.day.date,
                strike,
                right,
                style: ExerciseStyle::American,
                settlement: Settlement::Physical,
                settlement_time: SettlementTime::Pm,
                last_trade: Nanos(self.day.close),
                expiry: Nanos(self.day.close),
                exercise_cutoff: Nanos(self.day.close + CUTOFF_AFTER_CLOSE_NS),
                notice: Nanos(self.notice),
            }),
            expiry: None,
            quote_hold_ns: None,
            source: "generated".to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::days::Days;
    use super::*;

    #[test]
    fn the_default_thursday_lists_six_expiries() {
        let days = Days::new(20250515, 2).expect("dates inside the calendar");
        let dates = |today: usize| -> Vec<u32> {
            listed_expiries(&days.table, today).into_iter().map(|index| days.table[index].date).collect()
        };
        assert_eq!(dates(days.first_live), [20250515, 20250516, 20250523, 20250613, 20250620, 20250718]);
        assert_eq!(dates(days.first_live + 1), [20250516, 20250523, 20250613, 20250620, 20250718]);
    }

    #[test]
    fn a_contract_has_its_instants_in_order() {
        let days = Days::new(20250515, 2).expect("dates inside the calendar");
        let clock = Clock::new(days.table.clone());
        let expiry = Expiry::new(&clock, days.first_live + 1);
        let def = expiry.definition(10_050, Right::Put);
        assert_eq!(def.symbol, "ONE   250516P00100500");
        let terms = def.option.expect("an option");
        assert!(terms.last_trade <= terms.expiry && terms.expiry < terms.exercise_cutoff);
        assert!(terms.exercise_cutoff < terms.notice);
        // Monday 06:00 New York.
        assert_eq!(terms.notice.0, 1_747_648_800_000_000_000);
        assert_eq!(expiry.missing_strikes(&days.table[days.first_live], 100.1).len(), 41);
    }
}
