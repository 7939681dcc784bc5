//! Sums, products and the logarithm of a ratio as unevaluated sums of two doubles, about 104 bits.
//!
//! For the few options whose formulas take the difference of two nearly equal numbers and then divide by
//! something small; plain IEEE operations, no fused ones, so the bits are the same everywhere.
//!
//! Source: Dekker (1971), *A floating-point technique for extending the available precision*; Knuth's
//! two-sum.
// Tables and the parts of ln 2 are written as rounded by 60-digit arithmetic.
#![allow(clippy::excessive_precision, clippy::approx_constant)]
use super::kernel::{LN2_HIGH, reduced_ratio};

/// `high + low`, `low` no more than half a unit in the last place of `high`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extended {
    pub(crate) high: f64,
    pub(crate) low: f64,
}

impl Extended {
    /// a + b for |a| ≥ |b|.
    fn ordered_sum(a: f64, b: f64) -> Self {
        let high = a + b;
        Self { high, low: b - (high - a) }
    }

    /// a + b exactly.
    pub(crate) fn sum(a: f64, b: f64) -> Self {
        let high = a + b;
        let virtual_b = high - a;
        Self { high, low: (a - (high - virtual_b)) + (b - virtual_b) }
    }

    /// a b exactly, for factors between 1e-140 and 1e140 in size (or zero).
    pub(crate) fn product(a: f64, b: f64) -> Self {
        let ((a_high, a_low), (b_high, b_low)) = (split(a), split(b));
        let high = a * b;
        let low = ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low;
        Self { high, low }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        let high = Self::sum(self.high, other.high);
        let low = Self::sum(self.low, other.low);
        let middle = Self::ordered_sum(high.high, high.low + low.high);
        Self::ordered_sum(middle.high, middle.low + low.low)
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        self.plus(Self { high: -other.high, low: -other.low })
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        let high = Self::product(self.high, factor);
        Self::ordered_sum(high.high, high.low + self.low * factor)
    }

    fn times_extended(self, other: Self) -> Self {
        let high = Self::product(self.high, other.high);
        Self::ordered_sum(high.high, high.low + (self.high * other.low + self.low * other.high))
    }

    fn over(self, other: Self) -> Self {
        let first = self.high / other.high;
        let rest = self.minus(other.times(first));
        let second = rest.high / other.high;
        let rest = rest.minus(other.times(second));
        Self::ordered_sum(first, second).plus(Self { high: rest.high / other.high, low: 0.0 })
    }

    /// Multiplied by a power of two.
    pub(crate) fn scaled(self, power: f64) -> Self {
        Self { high: self.high * power, low: self.low * power }
    }
}

/// Veltkamp's split into two halves of 26 bits.
fn split(x: f64) -> (f64, f64) {
    let scaled = 134_217_729.0 * x;
    let high = scaled - (scaled - x);
    (high, x - high)
}

/// ln 2 − `LN2_HIGH`.
const LN2_LOW: Extended = Extended { high: 4.749_325_039_031_672_6e-7, low: -2.340_793_886_567_823_4e-23 };

/// 1/3, 1/5, 1/7.
const ODD: [Extended; 3] = [
    Extended { high: 0.333_333_333_333_333_3, low: 1.850_371_707_708_594e-17 },
    Extended { high: 0.2, low: -1.110_223_024_625_156_6e-17 },
    Extended { high: 0.142_857_142_857_142_85, low: 7.930_164_461_608_26e-18 },
];

/// ln(i/32) for i = 22 … 46.
const LN: [(f64, f64); 25] = [
    (-0.3746934494414107, 3.9243112288632396e-18),
    (-0.33024168687057687, 1.0828321637483858e-17),
    (-0.2876820724517809, -2.607160616442564e-17),
    (-0.24686007793152578, -1.361743371748368e-17),
    (-0.2076393647782445, -1.2053243216686129e-17),
    (-0.16989903679539747, 4.868008764439071e-19),
    (-0.13353139262452263, 3.664457663660085e-18),
    (-0.09844007281325252, 4.439009633675136e-18),
    (-0.06453852113757118, 6.470486661692933e-18),
    (-0.0317486983145803, -3.0382263084680858e-18),
    (0.0, 0.0),
    (0.030771658666753687, 1.0431732029005968e-18),
    (0.06062462181643484, 2.6424025938726934e-18),
    (0.08961215868968714, -5.4268129336647135e-18),
    (0.11778303565638346, -1.1971685747593677e-18),
    (0.1451820098444979, 8.242418783022475e-18),
    (0.17185025692665923, -6.0224538210113705e-18),
    (0.19782574332991987, 1.2821194372980142e-17),
    (0.22314355131420976, -9.091270597324799e-18),
    (0.24783616390458127, -1.2432209578702523e-17),
    (0.27193371548364176, 7.83319637697442e-19),
    (0.2954642128938359, -2.16461086040599e-17),
    (0.3184537311185346, 2.7114779367326236e-17),
    (0.3409265869705932, 1.7467136443544747e-17),
    (0.3629054936893685, -2.1492361455310972e-17),
];

/// ln(a/b) for finite positive a and b to about 1e-30 of max(1, |ln(a/b)|), and of |ln(a/b)| where a ≈ b.
///
/// With m = the ratio of the mantissas in [1/√2, √2] and c = i/32 near m:
/// ln(a/b) = k ln 2 + ln c + 2 artanh((m − c)/(m + c)).
pub(crate) fn ln_ratio(a: f64, b: f64) -> Extended {
    let (m, b, k) = reduced_ratio(a, b);
    let i = (32.0 * (m / b) + 0.5) as usize;
    let i = i.clamp(22, 46);
    let c = Extended::product(b, i as f64 / 32.0);
    let m = Extended { high: m, low: 0.0 };
    let s = m.minus(c).over(m.plus(c));
    let w = s.times_extended(s);
    // |w| ≤ 1.3e-4: beyond w³ plain doubles suffice.
    let x = w.high;
    let tail = x * (1.0 / 9.0 + x * (1.0 / 11.0 + x * (1.0 / 13.0 + x * (1.0 / 15.0))));
    let mut series = Extended { high: tail, low: 0.0 };
    for coefficient in ODD.iter().rev() {
        series = series.plus(*coefficient).times_extended(w);
    }
    let artanh = s.plus(s.times_extended(series)).scaled(2.0);
    let (high, low) = LN[i - 22];
    // k has at most 12 bits, LN2_HIGH 21: their product is exact.
    let two = Extended { high: k * LN2_HIGH, low: 0.0 }.plus(LN2_LOW.times(k));
    two.plus(Extended { high, low }.plus(artanh))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// mpmath, 60 digits: ln of the ratio, its double and the rest.
    #[test]
    fn reference_values() {
        let cases = [
            (100.0, 103.5, -0.034401426717332394, -2.4319050684864852e-18),
            (2.0, 1.0, 0.6931471805599453, 2.3190468138462996e-17),
            (1e-310, 3e+300, -1405.675519015036, -9.153511131170436e-14),
            (1.0, 1.0000000000009095, -9.094947017725146e-13, -2.5077212817525026e-37),
            (95.64416352734128, 33.50883343037448, 1.0488255864078555, 6.661369892860083e-17),
            (1.41421, 1.0, 0.34657107129862735, 2.168761757928295e-17),
            (0.7071, 1.0, -0.346583180371942, 2.3156292029870996e-17),
            (1e+250, 7.0, 573.7003630994561, -1.867186322062203e-14),
        ];
        for (a, b, high, low) in cases {
            let value = ln_ratio(a, b);
            assert_eq!(value.high, high, "ln({a}/{b})");
            assert!((value.low - low).abs() <= 1e-30 * f64::abs(high), "ln({a}/{b}): {} {low}", value.low);
        }
    }

    proptest! {
        #[test]
        fn products_of_ratios_add(a in 1e-100..1e100f64, steps in 1u64..1 << 40, b in 1e-3..1e3f64) {
            // ln(a/c) = ln(a/b) + ln(b/c), where the left side is small.
            let c = f64::from_bits(a.to_bits() + steps);
            let (whole, left, right) = (ln_ratio(a, c), ln_ratio(a, b), ln_ratio(b, c));
            let rest = left.plus(right).minus(whole);
            prop_assert!(rest.high.abs() <= 1e-30 * (1.0 + left.high.abs()), "{rest:?}");
            prop_assert!((whole.high - crate::math::kernel::ln_ratio(a, c)).abs() <= 5e-16 * whole.high.abs());
        }
    }
}
