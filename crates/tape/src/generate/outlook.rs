//! What a day of a seed's market holds for a seller of options, from the latent path alone (no quotes):
//! how seeds for demonstrations are chosen and how premium selling is judged over many seeds.
//!
//! Values are fair values; spreads and fees come on top.

use super::clock::TradingDay;
use super::days::Days;
use super::path::Path;
use super::surface::{Slice, total_variances};
use super::{GenerateError, GenerateRequest};
use onetape_pricing::Right;

const YEAR_NS: f64 = 365.0 * 86_400e9;
const MINUTE_NS: u64 = 60_000_000_000;
/// Distance of strikes near the money.
const STRIKE_STEP: f64 = 0.5;

/// The underlying's latent day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayRange {
    /// Trade date, yyyymmdd.
    pub date: u32,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

/// An iron condor and a short put sold at one minute of the day in options expiring at its close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlook {
    /// The day.
    pub day: DayRange,
    /// Price at the sale.
    pub spot: f64,
    /// Short put, short call, long put and long call of the condor: 16 delta, wings 1 % further.
    pub condor: [f64; 4],
    /// Fair credit of the condor.
    pub credit: f64,
    /// Highest fair cost of buying it back before 15:45, and the minute after the open it was seen.
    pub worst: (f64, u64),
    /// First minute after the open at which half the credit was earned.
    pub half_earned: Option<u64>,
    /// First minute after the open at which twice the credit was lost.
    pub stopped: Option<u64>,
    /// Whether the underlying reached a short strike.
    pub is_tested: bool,
    /// Strike of the short put of 40 delta and its fair value.
    pub put: (f64, f64),
    /// Close over the put's strike, minus one.
    pub put_distance: f64,
    /// Rank of the 30-day implied volatility at the previous close within the 252 sessions before it, 0 to 100.
    pub iv_rank: f64,
}

fn slice_at(path: &Path, day: &TradingDay, ts: u64) -> Slice {
    let clock = &path.clock;
    let mut total = Vec::with_capacity(1);
    total_variances(&path.model, &[(clock.at(day.close) - clock.at(ts)).max(0.0)], &mut total);
    Slice::new(&path.model, total[0], day.close.saturating_sub(ts) as f64 / YEAR_NS)
}

fn value(slice: &Slice, ln_spot: f64, strike: f64, right: Right) -> f64 {
    let fair = slice.european(ln_spot, libm::exp(ln_spot), strike, libm::log(strike));
    match right {
        Right::Call => fair.call,
        Right::Put => fair.put,
    }
}

fn strike_of_delta(slice: &Slice, spot: f64, right: Right, delta: f64) -> f64 {
    let strike = spot * libm::exp(slice.moneyness_of_delta(right, delta));
    libm::rint(strike / STRIKE_STEP) * STRIKE_STEP
}

fn condor_cost(slice: &Slice, ln_spot: f64, legs: &[f64; 4]) -> f64 {
    value(slice, ln_spot, legs[0], Right::Put) + value(slice, ln_spot, legs[1], Right::Call)
        - value(slice, ln_spot, legs[2], Right::Put)
        - value(slice, ln_spot, legs[3], Right::Call)
}

fn iv_rank(path: &Path) -> f64 {
    let Some((last, before)) = path.history.split_last() else { return 0.0 };
    let window = &before[before.len().saturating_sub(252)..];
    let low = window.iter().map(|row| row.iv30).fold(f64::INFINITY, f64::min);
    let high = window.iter().map(|row| row.iv30).fold(0.0, f64::max);
    if high > low { 100.0 * (last.iv30 - low) / (high - low) } else { 0.0 }
}

/// The outlook of live day `n` (0-based) for a sale `minute` minutes after its open.
///
/// # Errors
/// The request is out of bounds or has no such day.
pub fn outlook(request: &GenerateRequest, n: u32, minute: u64) -> Result<Outlook, GenerateError> {
    request.check()?;
    if n >= request.days {
        return Err(GenerateError::Request {
            name: "day",
            expected: "below the number of days",
            found: u64::from(n),
        });
    }
    let days = Days::new(request.first_date, request.days as usize)?;
    let mut path = Path::new(request.seed, &days, request.parameters, request.scenario);
    let rank = iv_rank(&path);
    for earlier in 0..n as usize {
        path.open_day(earlier);
        while !path.is_over() {
            path.step();
        }
    }
    path.open_day(n as usize);
    let today = path.clock.days()[path.day];
    let spot = path.model.spot();
    let day = DayRange { date: today.date, open: spot, high: spot, low: spot, close: spot };
    let mut seen = Outlook {
        day,
        spot,
        condor: [0.0; 4],
        credit: 0.0,
        worst: (0.0, 0),
        half_earned: None,
        stopped: None,
        is_tested: false,
        put: (0.0, 0.0),
        put_distance: 0.0,
        iv_rank: rank,
    };
    while !path.is_over() {
        let moved = path.step();
        seen.day.high = seen.day.high.max(moved.spot);
        seen.day.low = seen.day.low.min(moved.spot);
        seen.day.close = moved.spot;
        let elapsed = path.steps_done() * super::path::STEP_NS;
        if elapsed == minute * MINUTE_NS {
            sell(&path, &today, &mut seen);
        }
        if elapsed > minute * MINUTE_NS {
            seen.is_tested |= moved.spot <= seen.condor[0] || moved.spot >= seen.condor[1];
            if elapsed.is_multiple_of(MINUTE_NS / 4) && today.close - moved.ts > 15 * MINUTE_NS {
                watch(&path, &today, elapsed, &mut seen);
            }
        }
    }
    seen.put_distance = seen.day.close / seen.put.0 - 1.0;
    Ok(seen)
}

fn sell(path: &Path, today: &TradingDay, seen: &mut Outlook) {
    let ts = today.open + path.steps_done() * super::path::STEP_NS;
    let slice = slice_at(path, today, ts);
    let spot = path.model.spot();
    let short = |right| strike_of_delta(&slice, spot, right, 0.16);
    let (put, call) = (short(Right::Put), short(Right::Call));
    seen.spot = spot;
    seen.condor = [put, call, put - 1.0, call + 1.0];
    seen.credit = condor_cost(&slice, path.model.ln_spot, &seen.condor);
    let strike = strike_of_delta(&slice, spot, Right::Put, 0.40);
    seen.put = (strike, value(&slice, path.model.ln_spot, strike, Right::Put));
}

fn watch(path: &Path, today: &TradingDay, elapsed: u64, seen: &mut Outlook) {
    let slice = slice_at(path, today, today.open + elapsed);
    let cost = condor_cost(&slice, path.model.ln_spot, &seen.condor);
    let minute = elapsed / MINUTE_NS;
    if cost > seen.worst.0 {
        seen.worst = (cost, minute);
    }
    if cost <= 0.5 * seen.credit && seen.half_earned.is_none() {
        seen.half_earned = Some(minute);
    }
    if cost >= 3.0 * seen.credit && seen.stopped.is_none() {
        seen.stopped = Some(minute);
    }
}
