//! Black and normal implied volatilities of whole columns, bit for bit those of [`super::black_vol`] and
//! [`super::normal_vol`].
//!
//! Up to four steps are taken in vector registers with every branch replaced by a choice; the rare rows
//! that need more, and those without a volatility, go through the scalar function.
use super::black::{LAST_STEP, SERIES_HALF_VOL, difference_series_both};
use super::normal::{self, start_both};
use super::{ForwardQuote, IvError, black_vol, normal_vol};
use crate::Right;
use crate::columns::{LengthError, same_length};
use crate::math::kernel::{ln, ln_ratio, mills_fraction};
use crate::math::normal::FRAC_1_SQRT_2PI;
use crate::simd::{Kernel, dispatch};

/// Undiscounted prices, one column per input of [`ForwardQuote`].
#[derive(Clone, Copy, Debug)]
pub struct ForwardQuotes<'a> {
    /// Undiscounted prices.
    pub price: &'a [f64],
    /// Forwards.
    pub forward: &'a [f64],
    /// Strikes.
    pub strike: &'a [f64],
    /// Times to expiry in years.
    pub years: &'a [f64],
    /// Calls or puts.
    pub right: &'a [Right],
}

/// Black volatilities of every row into `vol`; NaN where [`black_vol`] gives an error (ask it for the
/// reason).
///
/// # Errors
/// [`LengthError`] if the columns differ in length; nothing is written then.
pub fn black_vols(quotes: &ForwardQuotes<'_>, vol: &mut [f64]) -> Result<(), LengthError> {
    quotes.check(vol.len())?;
    dispatch(Columns { quotes, vol });
    quotes.finish(vol, black_vol);
    Ok(())
}

/// Normal (Bachelier) volatilities of every row into `vol`, in price units per √year; NaN where
/// [`normal_vol`] gives an error.
///
/// # Errors
/// [`LengthError`] if the columns differ in length; nothing is written then.
pub fn normal_vols(quotes: &ForwardQuotes<'_>, vol: &mut [f64]) -> Result<(), LengthError> {
    quotes.check(vol.len())?;
    dispatch(NormalColumns { quotes, vol });
    quotes.finish(vol, normal_vol);
    Ok(())
}

impl ForwardQuotes<'_> {
    fn check(&self, vols: usize) -> Result<(), LengthError> {
        let rows = self.price.len();
        same_length("forward", self.forward.len(), rows)?;
        same_length("strike", self.strike.len(), rows)?;
        same_length("years", self.years.len(), rows)?;
        same_length("right", self.right.len(), rows)?;
        same_length("vol", vols, rows)
    }

    /// The rows that the vector code left to the scalar function.
    fn finish(&self, vol: &mut [f64], scalar: fn(&ForwardQuote, Right) -> Result<f64, IvError>) {
        for (i, vol) in vol.iter_mut().enumerate() {
            if vol.is_nan() {
                let quote = ForwardQuote {
                    price: self.price[i],
                    forward: self.forward[i],
                    strike: self.strike[i],
                    years: self.years[i],
                };
                *vol = scalar(&quote, self.right[i]).unwrap_or(f64::NAN);
            }
        }
    }

    /// The `rows` rows from `at`, the rest of the eight lanes filled with ones.
    #[inline(always)]
    fn lanes(&self, at: usize, rows: usize) -> Lanes {
        let load = |column: &[f64]| {
            let mut lanes = [1.0; LANES];
            lanes[..rows].copy_from_slice(&column[at..at + rows]);
            lanes
        };
        let mut call = [true; LANES];
        for (call, right) in call.iter_mut().zip(&self.right[at..at + rows]) {
            *call = *right == Right::Call;
        }
        Lanes {
            price: load(self.price),
            forward: load(self.forward),
            strike: load(self.strike),
            years: load(self.years),
            call,
        }
    }
}

const LANES: usize = 8;
const STEPS: usize = 4;

pub(super) struct Columns<'a, 'b> {
    pub(super) quotes: &'a ForwardQuotes<'a>,
    pub(super) vol: &'b mut [f64],
}

/// Eight rows.
struct Lanes {
    price: [f64; LANES],
    forward: [f64; LANES],
    strike: [f64; LANES],
    years: [f64; LANES],
    call: [bool; LANES],
}

impl Lanes {
    /// What the holder receives and pays, and the value of the out-of-the-money option: the branch-free
    /// form of [`super::time_value`].
    #[inline(always)]
    fn legs(&self, lane: usize) -> (f64, f64, f64) {
        let (f, k, price) = (self.forward[lane], self.strike[lane], self.price[lane]);
        let long = if self.call[lane] { f } else { k };
        let short = if self.call[lane] { k } else { f };
        let intrinsic = long - short;
        let virtual_short = intrinsic - long;
        let lost = (long - (intrinsic - virtual_short)) + (-short - virtual_short);
        (long, short, if long <= short { price } else { (price - intrinsic) - lost })
    }
}

impl Kernel for Columns<'_, '_> {
    #[inline(always)]
    fn run(self) {
        // The block is called by name: through a closure it would be compiled without the instruction set.
        let Columns { quotes, vol } = self;
        for at in (0..vol.len()).step_by(LANES) {
            let rows = LANES.min(vol.len() - at);
            let block = black_block(&quotes.lanes(at, rows));
            vol[at..at + rows].copy_from_slice(&block[..rows]);
        }
    }
}

struct NormalColumns<'a, 'b> {
    quotes: &'a ForwardQuotes<'a>,
    vol: &'b mut [f64],
}

impl Kernel for NormalColumns<'_, '_> {
    #[inline(always)]
    fn run(self) {
        let NormalColumns { quotes, vol } = self;
        for at in (0..vol.len()).step_by(LANES) {
            let rows = LANES.min(vol.len() - at);
            let block = normal_block(&quotes.lanes(at, rows));
            vol[at..at + rows].copy_from_slice(&block[..rows]);
        }
    }
}

/// Eight normal volatilities without a branch; NaN for those that need the scalar function.
#[inline(always)]
fn normal_block(lanes: &Lanes) -> [f64; LANES] {
    let (mut v, mut value, mut distance) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let (mut valid, mut settled) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let (long, short, own) = lanes.legs(lane);
        let apart = (long - short).abs();
        let admissible = (own > 0.0)
            & (own < f64::INFINITY)
            & (apart < f64::INFINITY)
            & (lanes.years[lane] > 0.0)
            & (lanes.years[lane] < f64::INFINITY);
        valid[lane] = if admissible { 1.0 } else { 0.0 };
        value[lane] = own;
        distance[lane] = apart;
        v[lane] = start_both(own, apart);
    }
    for _ in 0..STEPS {
        for lane in 0..LANES {
            let step = normal::step(v[lane], value[lane], distance[lane]);
            let moved = if settled[lane] > 0.0 { v[lane] } else { v[lane] + step };
            let done = (settled[lane] > 0.0) | (step.abs() <= normal::LAST_STEP * moved);
            settled[lane] = if done { 1.0 } else { 0.0 };
            v[lane] = moved;
        }
        if settled.iter().sum::<f64>() == LANES as f64 {
            break;
        }
    }
    let mut vol = [0.0; LANES];
    for lane in 0..LANES {
        let good = valid[lane] * settled[lane] > 0.0;
        vol[lane] = if good { v[lane] / lanes.years[lane].sqrt() } else { f64::NAN };
    }
    vol
}

/// Eight volatilities without a branch; NaN for those that need the scalar function.
///
/// The loops over lanes are innermost, or they would not become vector code.
#[inline(always)]
fn black_block(lanes: &Lanes) -> [f64; LANES] {
    let years = &lanes.years;
    let (mut x, mut target, mut unit) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let mut complement = [0.0; LANES];
    let (mut s, mut valid, mut settled) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let (f, k, price) = (lanes.forward[lane], lanes.strike[lane], lanes.price[lane]);
        let (long, short, value) = lanes.legs(lane);
        let scale = f.sqrt() * k.sqrt();
        let distance = (f - k).abs();
        let log_moneyness = ln_ratio(f, k).abs();
        let admissible = (value > 0.0)
            & (price > 0.0)
            & (price < long)
            & (long < f64::INFINITY)
            & (short > 0.0)
            & (short < f64::INFINITY)
            & (years[lane] > 0.0)
            & (years[lane] < f64::INFINITY);
        valid[lane] = if admissible { 1.0 } else { 0.0 };
        x[lane] = log_moneyness;
        (target[lane], unit[lane]) = (value, scale);
        complement[lane] = (long - price) / scale;

        let apart = (log_moneyness > 1e-2) & (distance > 0.0);
        let ratio = if apart {
            log_moneyness * (scale / distance)
        } else {
            1.0 - log_moneyness * log_moneyness / 24.0
        };
        let y = ratio * (start_both(value, distance) / scale);
        let c = 5.0 / (120.0 + log_moneyness * log_moneyness);
        let squared = y * y;
        let near = y * (1.0 + squared * (c + squared * 0.003_65));
        let tail = (-8.0 * ln(complement[lane])).sqrt();
        s[lane] = if (squared > 3.0) & (tail > near) { tail } else { near };
    }
    for _ in 0..STEPS {
        for lane in 0..LANES {
            let from = s[lane];
            let step = step(x[lane], target[lane], unit[lane], complement[lane], from);
            let next = from + step;
            let next = if next < 0.5 * from { 0.5 * from } else { next };
            let next = if next > 2.0 * from { 2.0 * from } else { next };
            let moved = if settled[lane] > 0.0 { from } else { next };
            let done = (settled[lane] > 0.0) | (step.abs() <= LAST_STEP * moved);
            settled[lane] = if done { 1.0 } else { 0.0 };
            s[lane] = moved;
        }
        // Settled lanes no longer move, so stopping here changes no bit.
        if settled.iter().sum::<f64>() == LANES as f64 {
            break;
        }
    }
    let mut vol = [0.0; LANES];
    for lane in 0..LANES {
        let good = valid[lane] * settled[lane] > 0.0;
        vol[lane] = if good { s[lane] / years[lane].sqrt() } else { f64::NAN };
    }
    vol
}

/// [`super::black`]'s step, every case computed and one chosen.
#[inline(always)]
fn step(x: f64, value: f64, scale: f64, complement: f64, s: f64) -> f64 {
    let h = x / s;
    let t = 0.5 * s;
    let exponent = -0.5 * (h * h + t * t);
    let series = difference_series_both(h, t);
    let (p1, q1) = mills_fraction((h - t).abs());
    let (p2, q2) = mills_fraction(h + t);
    let inverse = 1.0 / (q1 * q2);
    let by_series = (t < SERIES_HALF_VOL) & (x <= 1.0);
    let above = !by_series & (h < t);
    let d = if by_series { series } else { (p1 * q2 - p2 * q1) * inverse };
    let sum = (p1 * q2 + p2 * q1) * inverse;
    let size = if above { sum } else { d };
    let f =
        exponent + ln_ratio(if above { size } else { size * scale }, if above { complement } else { value });
    let slope = FRAC_1_SQRT_2PI / size;
    let slope = if above { -slope } else { slope };

    let hs = h * h / s;
    let curvature = hs - 0.25 * s;
    let third = curvature * curvature - 3.0 * hs / s - 0.25;
    let h2 = curvature - slope;
    let h3 = third - slope * (3.0 * curvature - 2.0 * slope);
    let newton = -f / slope;
    newton * (1.0 + 0.5 * h2 * newton) / (1.0 + newton * (h2 + h3 * newton / 6.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bsm::{self, BsmInputs};
    use crate::columns::testing::{awkward, bits};
    use crate::simd::{Level, dispatch_at};

    #[test]
    fn normal_columns_give_the_bits_of_the_scalar_function_at_every_level() {
        let [time_value, forward, mut strike, years] = awkward::<4>(403);
        for (i, strike) in strike.iter_mut().enumerate() {
            *strike -= 0.02 * i as f64;
        }
        let right: Vec<Right> = (0..403).map(|i| if i % 2 == 0 { Right::Call } else { Right::Put }).collect();
        let price: Vec<f64> = (0..403)
            .map(|i| {
                right[i].intrinsic(forward[i], strike[i]) + time_value[i] * libm::exp(-(i as f64) / 10.0)
            })
            .collect();
        let quotes =
            ForwardQuotes { price: &price, forward: &forward, strike: &strike, years: &years, right: &right };
        for &level in Level::ALL {
            let mut vol = vec![0.0; 403];
            dispatch_at(level, NormalColumns { quotes: &quotes, vol: &mut vol });
            let mut direct = 0;
            for (i, vol) in vol.iter().enumerate() {
                let quote =
                    ForwardQuote { price: price[i], forward: forward[i], strike: strike[i], years: years[i] };
                if !vol.is_nan() {
                    direct += 1;
                    assert_eq!(normal_vol(&quote, right[i]), Ok(*vol), "{level:?} {quote:?}");
                }
            }
            assert!(direct > 300, "most rows need no scalar call: {direct}");
        }
        let mut vol = vec![0.0; 403];
        assert_eq!(normal_vols(&quotes, &mut vol), Ok(()));
        for (i, vol) in vol.iter().enumerate() {
            let quote =
                ForwardQuote { price: price[i], forward: forward[i], strike: strike[i], years: years[i] };
            assert_eq!(bits(*vol), bits(normal_vol(&quote, right[i]).unwrap_or(f64::NAN)));
        }
        assert!(normal_vols(&quotes, &mut vol[1..]).is_err());
    }

    #[test]
    fn columns_give_the_bits_of_the_scalar_function_at_every_level() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / 9_007_199_254_740_992.0
        };
        let (mut price, mut strike, mut years, mut right) = (vec![], vec![], vec![], vec![]);
        for i in 0..2003 {
            let (t, vol) = (3.0 * uniform() * uniform() + 1e-6, 0.02 + 1.5 * uniform());
            let k = 100.0 * libm::exp((8.0 * uniform() - 4.0) * vol * t.sqrt());
            let side = if i % 2 == 0 { Right::Call } else { Right::Put };
            let inputs = BsmInputs { spot: 100.0, strike: k, years: t, rate: 0.0, dividend_yield: 0.0, vol };
            let value = if i % 50 == 7 { -1.0 } else { bsm::price(&inputs, side) };
            price.push(value);
            strike.push(k);
            years.push(t);
            right.push(side);
        }
        let forward = vec![100.0; price.len()];
        let quotes =
            ForwardQuotes { price: &price, forward: &forward, strike: &strike, years: &years, right: &right };
        let mut direct = 0;
        for &level in Level::ALL {
            let mut vol = vec![0.0; price.len()];
            dispatch_at(level, Columns { quotes: &quotes, vol: &mut vol });
            for (i, vol) in vol.iter().enumerate() {
                let quote =
                    ForwardQuote { price: price[i], forward: 100.0, strike: strike[i], years: years[i] };
                if !vol.is_nan() {
                    direct += 1;
                    assert_eq!(black_vol(&quote, right[i]), Ok(*vol), "{level:?} {quote:?}");
                }
            }
        }
        assert!(direct > 3 * 1800, "most rows need no scalar call: {direct}");
        let mut vol = vec![0.0; price.len()];
        assert_eq!(black_vols(&quotes, &mut vol), Ok(()));
        assert!(vol[7].is_nan() && !vol[8].is_nan());
        assert!(black_vols(&quotes, &mut vol[1..]).is_err());
    }
}
