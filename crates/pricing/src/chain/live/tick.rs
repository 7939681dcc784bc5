//! What one tick of the underlying computes.
use super::ExpiryTerms;
use crate::Right;
use crate::american::Pricer;
use crate::american::curve::{CurvePoint, Early, PremiumCurve};
use crate::bsm::BsmInputs;
use crate::bsm::batch::{CoreLanes, RiskBlock, RiskColumns};
use crate::bsm::core::{Carry, Core};
use crate::columns::{BLOCK, TAIL, load};
use crate::simd::Kernel;

/// What a tick of the underlying leaves as it is, one column per term.
pub(super) struct Anchors {
    pub(super) strike: Vec<f64>,
    pub(super) vol: Vec<f64>,
    /// ln(K₀/K), K₀ being the first strike.
    log_moneyness: Vec<f64>,
    /// σ√T and 1/(σ√T).
    total_vol: Vec<f64>,
    inverse_total_vol: Vec<f64>,
    /// +1 for calls, −1 for puts.
    sign: Vec<f64>,
}

impl Anchors {
    pub(super) fn with_capacity(count: usize) -> Self {
        let column = || Vec::with_capacity(count);
        Self {
            strike: column(),
            vol: column(),
            log_moneyness: column(),
            total_vol: column(),
            inverse_total_vol: column(),
            sign: column(),
        }
    }

    pub(super) fn push(&mut self, strike: f64, log_moneyness: f64, sign: f64) {
        self.strike.push(strike);
        self.vol.push(f64::NAN);
        self.log_moneyness.push(log_moneyness);
        self.total_vol.push(f64::NAN);
        self.inverse_total_vol.push(f64::NAN);
        self.sign.push(sign);
    }

    pub(super) fn set_vol(&mut self, series: usize, vol: f64, terms: &ExpiryTerms) {
        let total = vol * terms.years.sqrt();
        self.vol[series] = vol;
        self.total_vol[series] = total;
        self.inverse_total_vol[series] = 1.0 / total;
    }
}

/// Series `from..to` of one expiry at one spot.
pub(super) struct ChainTick<'a> {
    pub(super) spot: f64,
    /// ln(S/K₀)
    pub(super) shift: f64,
    pub(super) terms: ExpiryTerms,
    pub(super) anchors: &'a Anchors,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// The European marks of a tick, as a loop for every instruction set.
pub(super) fn remark<'a>(tick: &'a ChainTick<'a>, out: &'a mut RiskColumns<'_>) -> impl Kernel + 'a {
    Remark(tick, out)
}

struct Remark<'a, 'b>(&'a ChainTick<'a>, &'a mut RiskColumns<'b>);

impl Kernel for Remark<'_, '_> {
    #[inline(always)]
    fn run(self) {
        let Remark(tick, out) = self;
        let ExpiryTerms { years, rate, dividend_yield } = tick.terms;
        let carry = Carry::new(tick.spot, years, rate, dividend_yield);
        for_blocks!(tick.to - tick.from, block(tick, &carry, out));
    }
}

#[inline(always)]
fn block<const N: usize>(
    tick: &ChainTick<'_>,
    carry: &Carry,
    out: &mut RiskColumns<'_>,
    at: usize,
    rows: usize,
) {
    let Anchors { strike, vol, log_moneyness, total_vol, inverse_total_vol, sign } = tick.anchors;
    let from = tick.from + at;
    let column = |values: &[f64]| load::<N>(&values[..tick.to], from);
    let (strike, vol, moneyness) = (column(strike), column(vol), column(log_moneyness));
    let (total, inverse, sign) = (column(total_vol), column(inverse_total_vol), column(sign));
    let mut cores = CoreLanes::<N>::new();
    for i in 0..N {
        let log_moneyness = moneyness[i] + tick.shift + carry.drift;
        cores.set(
            i,
            &Core::from_total_vol(carry, strike[i], vol[i], sign[i], log_moneyness, total[i], inverse[i]),
        );
    }
    cores.add_normals();
    let mut block = RiskBlock::<N>::new();
    for i in 0..N {
        block.set(i, &cores.get(i).risk(carry));
    }
    out.store(at, rows, &block);
}

impl ChainTick<'_> {
    /// Turns European marks into American ones.
    pub(super) fn add_early_exercise(
        &self,
        curves: &[PremiumCurve],
        rights: &[Right],
        pricer: &mut Pricer,
        out: &mut RiskColumns<'_>,
    ) {
        let ExpiryTerms { years, rate, dividend_yield } = self.terms;
        for (i, (curve, &right)) in curves.iter().zip(rights).enumerate() {
            let (strike, vol) = (self.anchors.strike[self.from + i], self.anchors.vol[self.from + i]);
            if self.spot.is_nan() || vol.is_nan() {
                continue;
            }
            match curve.early {
                Early::Never => {}
                Early::Full => {
                    let inputs = BsmInputs { spot: self.spot, strike, years, rate, dividend_yield, vol };
                    let g = pricer.greeks(&inputs, right);
                    (out.price[i], out.delta[i], out.gamma[i]) = (g.price, g.delta, g.gamma);
                    (out.vega[i], out.theta[i], out.rho[i]) = (g.vega, g.theta, g.rho);
                }
                Early::Fitted => {
                    let log_moneyness = self.anchors.log_moneyness[self.from + i] + self.shift;
                    let premium = curve.at(self.spot, strike, log_moneyness, right);
                    self.add_premium(i, premium, strike, vol, right, out);
                }
            }
        }
    }

    fn add_premium(
        &self,
        i: usize,
        premium: Option<CurvePoint>,
        strike: f64,
        vol: f64,
        right: Right,
        out: &mut RiskColumns<'_>,
    ) {
        let intrinsic = right.intrinsic(self.spot, strike);
        let value = premium.map_or(intrinsic, |p| out.price[i] + if p.value > 0.0 { p.value } else { 0.0 });
        let Some(premium) = premium.filter(|_| value > intrinsic) else {
            (out.price[i], out.delta[i], out.gamma[i]) = (intrinsic, right.sign(), 0.0);
            (out.vega[i], out.theta[i], out.rho[i]) = (0.0, 0.0, 0.0);
            return;
        };
        out.price[i] = value;
        out.delta[i] += premium.delta;
        out.gamma[i] += premium.gamma;
        out.vega[i] += premium.vega;
        out.rho[i] += premium.rho;
        // The Black–Scholes equation holds on the holding side.
        let ExpiryTerms { rate, dividend_yield, .. } = self.terms;
        out.theta[i] = rate * value
            - (rate - dividend_yield) * self.spot * out.delta[i]
            - 0.5 * vol * vol * self.spot * self.spot * out.gamma[i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Level, dispatch_at};

    #[test]
    fn every_instruction_set_gives_the_same_marks() {
        let terms = ExpiryTerms { years: 0.31, rate: 0.04, dividend_yield: 0.01 };
        let mut anchors = Anchors::with_capacity(77);
        for i in 0..77 {
            let strike = 60.0 + f64::from(i);
            anchors.push(
                strike,
                crate::math::kernel::ln_ratio(99.0, strike),
                if i % 2 == 0 { 1.0 } else { -1.0 },
            );
            let vol = [0.0, f64::NAN, 0.2 + 0.003 * f64::from(i), 1e-9][(i % 4) as usize];
            anchors.set_vol(i as usize, vol, &terms);
        }
        let shift = crate::math::kernel::ln_ratio(101.5, 99.0);
        let tick = ChainTick { spot: 101.5, shift, terms, anchors: &anchors, from: 3, to: 77 };
        let marks = |level: Level| {
            let mut c = vec![vec![0.0; 74]; 6];
            let [price, delta, gamma, vega, theta, rho] = &mut c[..] else { unreachable!() };
            let mut out = RiskColumns { price, delta, gamma, vega, theta, rho };
            dispatch_at(level, remark(&tick, &mut out));
            c.concat().iter().map(|x| if x.is_nan() { u64::MAX } else { x.to_bits() }).collect::<Vec<_>>()
        };
        for &level in Level::ALL {
            assert_eq!(marks(level), marks(Level::Plain), "{level:?}");
        }
    }
}
