//! Figures of the law of motion, from the latent model.

use super::super::days::Days;
use super::super::model::{Drivers, Model, coarse_step};
use super::super::path::{Path, tenor};
use super::super::random::{Purpose, Stream};
use super::super::surface::{Slice, total_variances};
use super::super::{GenerateError, GenerateRequest};
use super::Figure;
use onetape_pricing::Right;

/// Markets over which selling premium is judged.
const MARKETS: u64 = 500;
const STEPS_PER_DAY: usize = 13;
const TRADING_DAYS: usize = 21;
const CALENDAR_DAYS: f64 = 30.0;

/// The skew stickiness ratio of a request's live days, and what a naive seller of strangles earns over
/// many markets with the request's parameters.
///
/// # Errors
/// The request is out of bounds or beyond the calendar.
pub fn motion_figures(request: &GenerateRequest) -> Result<Vec<Figure>, GenerateError> {
    request.check()?;
    let days = Days::new(request.first_date, request.days as usize)?;
    let path = Path::new(request.seed, &days, request.parameters, request.scenario);
    let stickiness = stickiness(path, days.live.min(2));
    let (sharpe, skewness) = strangles(request);
    Ok(vec![
        Figure::new("skew stickiness ratio, 30 days", stickiness, 1.2, 1.8),
        Figure::new("short strangle, annualised Sharpe ratio", sharpe, 0.3, 1.2),
        Figure::new("short strangle, skewness", skewness, f64::NEG_INFINITY, -1.0),
    ])
}

/// Regression of changes of at-the-money volatility on returns, over the slope of the smile.
fn stickiness(mut path: Path, live: usize) -> f64 {
    const MINUTE_STEPS: u64 = 600;
    let (mut product, mut square) = (0.0, 0.0);
    for day in 0..live {
        path.open_day(day);
        let mut last: Option<(f64, f64)> = None;
        while !path.is_over() {
            let moved = path.step();
            if path.steps_done().is_multiple_of(MINUTE_STEPS) {
                let slice = tenor(&path.model, &path.clock, moved.ts, 30);
                let slope = 0.5 * slice.rho * slice.eta / slice.years.sqrt();
                let seen = (path.model.ln_spot, slice.vol(0.0));
                if let Some(before) = last {
                    let change = seen.0 - before.0;
                    product += (seen.1 - before.1) / slope * change;
                    square += change * change;
                }
                last = Some(seen);
            }
        }
    }
    product / square
}

/// Annualised Sharpe ratio and skewness of selling 16-delta strangles of 30 days at fair value.
fn strangles(request: &GenerateRequest) -> (f64, f64) {
    let tau = 1.0 / 252.0 / STEPS_PER_DAY as f64;
    let years = 1.0 / 365.0 * (CALENDAR_DAYS / TRADING_DAYS as f64) / STEPS_PER_DAY as f64;
    let mut results = Vec::with_capacity(MARKETS as usize);
    for market in 0..MARKETS {
        let mut stream = Stream::new(market, Purpose::History);
        let mut drivers = Drivers::live(market);
        let mut model = Model::stationary(request.parameters, 0.0, &mut stream);
        for _ in 0..TRADING_DAYS {
            coarse_step(&mut model, 1.0 / 252.0, 0.0, &mut drivers);
        }
        model.ln_spot = 0.0;
        let mut total = Vec::with_capacity(2);
        let horizon = TRADING_DAYS as f64 / 252.0;
        total_variances(&model, &[0.1 * horizon, horizon], &mut total);
        let slice = Slice::new(&model, total[1], CALENDAR_DAYS / 365.0);
        let growth = 1.0 / slice.discount;
        let strike = |right| growth * libm::exp(slice.moneyness_of_delta(right, 0.16));
        let (put, call) = (strike(Right::Put), strike(Right::Call));
        let credit = slice.european(0.0, 1.0, put, libm::log(put)).put
            + slice.european(0.0, 1.0, call, libm::log(call)).call;
        for _ in 0..TRADING_DAYS * STEPS_PER_DAY {
            coarse_step(&mut model, tau, years, &mut drivers);
        }
        let spot = model.spot();
        results.push(credit * growth - (put - spot).max(0.0) - (spot - call).max(0.0));
    }
    let count = results.len() as f64;
    let mean = results.iter().sum::<f64>() / count;
    let moment = |power: i32| {
        results.iter().map(|x| (0..power).fold(1.0, |product, _| product * (x - mean))).sum::<f64>() / count
    };
    let deviation = moment(2).sqrt();
    (mean / deviation * 12.0f64.sqrt(), moment(3) / (deviation * deviation * deviation))
}
