//! Which contracts are listed, and their definitions.
//!
//! Expiries on a day: the next two Fridays, the Friday at least 28 days out, the third Fridays of the
//! two months after it, and the Thursday of a week in its last two days. An expiry that falls on a
//! holiday moves to the trading day before.
//!
//! Strikes near the money are 0.50 apart, 1.00 on the monthlies. Beyond them wings reach out to 3.5 standard
//! deviations of the return to the expiry, further in a wild market than in a calm one, at twice the distance,
//! which doubles again where very many strikes would be needed. New strikes are added on the morning after the spot came near
//! the end of the near ones, or the market became wild enough for the outermost to be no longer far.

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

/// How far the wings reach when they are listed, and below which reach they are extended, in standard deviations.
const WINGS_REACH: f64 = 3.5;
const WINGS_REACH_MIN: f64 = 3.0;
/// Strikes of a wing, in strikes each side of the money, after which their distance doubles.
const WINGS_DOUBLING: i64 = 2;

/// A ladder near the money: distance between strikes and strikes each side.
fn ladder(days_ahead: i64, is_thursday: bool) -> (i64, i64) {
    match days_ahead {
        _ if is_thursday => (50, 12),
        ..=31 => (50, 20),
        _ => (100, 20),
    }
}

/// Strikes of a wing above (`side` 1) or below (−1) `end`, the last near the money, as far as `limit`, in cents:
/// twice the near distance apart, and twice that again after each `count` strikes.
fn wing(end: i64, side: i64, limit: f64, (step, count): (i64, i64)) -> Vec<i64> {
    let (mut found, mut at, mut spacing) = (Vec::new(), end, step);
    loop {
        spacing *= 2;
        for _ in 0..count {
            let multiple = if side > 0 { at.div_euclid(spacing) + 1 } else { (at - 1).div_euclid(spacing) };
            at = multiple * spacing;
            let is_beyond = (side * at) as f64 > side as f64 * limit;
            if is_beyond || at <= 0 {
                return found;
            }
            found.push(at);
        }
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

    /// Strikes, in cents, to list this morning around the spot; `deviation` is that of the log return to the
    /// expiry.
    pub(super) fn missing_strikes(&self, today: &TradingDay, spot: f64, deviation: f64) -> Vec<i64> {
        let (step, reach) = ladder(self.day.ordinal - today.ordinal, self.day.weekday == 4);
        let centre = libm::rint(spot * 100.0 / step as f64) as i64 * step;
        let is_listed = |cents: i64| self.strikes.binary_search_by_key(&cents, |strike| strike.cents).is_ok();
        let mut wanted = Vec::new();
        // Near strikes are added only when the spot left their middle half.
        if ![-1, 1].iter().all(|side| is_listed(centre + side * (reach / 2) * step)) {
            wanted.extend((-reach..=reach).map(|n| centre + n * step));
        }
        for side in [-1, 1] {
            let sign = side as f64;
            let at = |deviations: f64| 100.0 * spot * libm::exp(sign * deviations * deviation);
            let outermost = if side < 0 { self.strikes.first() } else { self.strikes.last() };
            let listed = outermost.map_or(centre, |strike| strike.cents);
            if sign * (listed as f64) < sign * at(WINGS_REACH_MIN) {
                let beyond =
                    wing(centre + side * reach * step, side, at(WINGS_REACH), (step, WINGS_DOUBLING * reach));
                wanted.extend(beyond.into_iter().filter(|cents| side * cents > side * listed));
            }
        }
        wanted.retain(|cents| *cents > 0 && !is_listed(*cents));
        wanted.sort_unstable();
        wanted
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
    }

    #[test]
    fn wings_reach_further_in_a_wild_market_and_grow_when_it_becomes_wild() {
        let days = Days::new(20250515, 2).expect("dates inside the calendar");
        let (today, clock) = (days.table[days.first_live], Clock::new(days.table.clone()));
        let mut expiry = Expiry::new(&clock, days.first_live + 1);
        let calm = expiry.missing_strikes(&today, 100.1, 0.01);
        assert_eq!((calm.len(), calm[0], calm[40]), (41, 9_000, 11_000));
        let wild = expiry.missing_strikes(&today, 100.1, 0.1);
        assert_eq!((wild[0], wild[1], wild.last()), (7_100, 7_200, Some(&14_200)));
        assert!(wild.is_sorted_by(|a, b| a < b));
        for cents in &calm {
            expiry.add_strike(*cents, 1, 2);
        }
        assert!(expiry.missing_strikes(&today, 104.0, 0.01).is_empty());
        assert_eq!(
            expiry.missing_strikes(&today, 106.0, 0.01),
            (11_050..=11_600).step_by(50).collect::<Vec<_>>()
        );
        let outer = expiry.missing_strikes(&today, 100.1, 0.04);
        let expected: Vec<i64> = (8_800..9_000).chain(11_100..11_600).step_by(100).collect();
        assert_eq!(outer, expected);
        for cents in &outer {
            expiry.add_strike(*cents, 1, 2);
        }
        assert!(expiry.missing_strikes(&today, 100.1, 0.042).is_empty());
        // After two strikes the distance doubles again, on multiples of it.
        assert_eq!(
            wing(11_050, -1, 1.0, (50, 2)),
            [11_000, 10_900, 10_800, 10_600, 10_400, 10_000, 9_600, 8_800, 8_000, 6_400, 3_200]
        );
    }
}
