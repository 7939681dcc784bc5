//! Branch-free kernels: exponential, logarithm of a ratio, Mills ratio.
//!
//! Each function is a straight line of IEEE operations, so that a loop over it becomes vector code and
//! gives the bits of the scalar call. Coefficients are minimax fits made for this crate (Remez
//! exchange in 60-digit arithmetic); the stated approximation errors exclude rounding.
// Coefficients are written as fitted, with more digits than a double holds.
#![allow(clippy::excessive_precision)]

/// 1.5·2⁵²: adding it to |x| < 2⁵¹ rounds x to an integer that sits in the low mantissa bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
const LOG2_E: f64 = core::f64::consts::LOG2_E;
/// The leading 21 bits of ln 2: its product with any exponent is exact.
pub(crate) const LN2_HIGH: f64 = f64::from_bits(0x3FE6_2E42_0000_0000);
/// ln 2 − `LN2_HIGH`.
const LN2_LOW: f64 = 4.749_325_039_031_672_6e-7;

/// Polynomial `c[0] + c[1] x + …` of at most 16 coefficients by Estrin's scheme: pairs, pairs of pairs, and so
/// on, whose products do not wait for each other. Horner's rule, one product after the other, made the
/// vector loops wait for latency (measured: 11.4 ns against 7 ns per strike of a chain).
#[inline(always)]
pub(crate) fn polynomial<const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    const { assert!(N >= 1 && N <= 16) };
    let mut terms = [0.0; 16];
    terms[..N].copy_from_slice(coefficients);
    let mut power = x;
    let mut count = N;
    while count > 1 {
        let half = count.div_ceil(2);
        let mut i = 0;
        while i < half {
            let next = 2 * i + 1;
            terms[i] = if next < count { terms[2 * i] + terms[next] * power } else { terms[2 * i] };
            i += 1;
        }
        count = half;
        power *= power;
    }
    terms[0]
}

/// (eʳ − 1 − r)/r² on |r| ≤ ½ ln 2, error 2.5e-17 of eʳ.
const EXP: [f64; 10] = [
    0.500_000_000_000_000_1,
    0.166_666_666_666_666_438_59,
    0.041_666_666_666_624_172_431,
    0.008_333_333_333_356_262_274_1,
    0.001_388_888_891_720_656_220_1,
    0.000_198_412_697_845_502_371_49,
    0.000_024_801_521_290_353_728_347,
    2.755_735_555_015_800_924e-6,
    2.762_009_706_922_995_176_7e-7,
    2.506_818_578_237_368_132_5e-8,
];

/// eˣ within 1 ulp: 0 below −745.2, ∞ above 709.8, NaN for NaN; subnormal results are rounded once.
#[must_use]
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    exp_below(if x > 710.0 { 710.0 } else { x })
}

/// [`exp`] for x ≤ 710.
#[inline(always)]
fn exp_below(x: f64) -> f64 {
    let x = if x < -746.0 { -746.0 } else { x };
    let (rounded, value) = exp_reduced(x);
    // 2ⁿ in two factors, so that neither is subnormal or infinite; 2046 keeps the shift unsigned.
    let biased = rounded.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(2046);
    let first = biased >> 1;
    let second = biased.wrapping_sub(first);
    value * f64::from_bits(first << 52) * f64::from_bits(second << 52)
}

/// [`exp`] for |x| ≤ 700, bit for bit, where one factor does.
#[inline(always)]
pub(crate) fn exp_moderate(x: f64) -> f64 {
    let (rounded, value) = exp_reduced(x);
    let biased = rounded.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(1023);
    value * f64::from_bits(biased << 52)
}

/// n in the low bits and eˣ/2ⁿ, n being the integer next to x/ln 2.
#[inline(always)]
fn exp_reduced(x: f64) -> (f64, f64) {
    let rounded = x * LOG2_E + ROUNDER;
    let n = rounded - ROUNDER;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    (rounded, 1.0 + (r + r * r * polynomial(r, &EXP)))
}

/// (2 artanh(s) − 2s)/s³ in s² ≤ 0.02945, error 4.5e-18 of the logarithm.
const ARTANH: [f64; 7] = [
    0.666_666_666_666_666_970_88,
    0.399_999_999_998_989_104_14,
    0.285_714_286_262_269_570_47,
    0.222_222_110_960_795_032_56,
    0.181_828_918_083_715_791_57,
    0.153_316_361_828_988_861_21,
    0.146_174_665_050_301_889_43,
];

const MANTISSA: u64 = 0x000F_FFFF_FFFF_FFFF;
const ONE: u64 = 0x3FF0_0000_0000_0000;
const TWO_54: f64 = 18_014_398_509_481_984.0;
const LARGEST_SUBNORMAL: f64 = f64::from_bits(MANTISSA);

/// ln(a/b) within 2 ulp for a, b > 0, however close they are: for a ≈ b it is computed from a − b,
/// which is exact, so nothing is lost to rounding a/b.
///
/// −∞ for a = 0 or b = ∞, +∞ for b = 0 or a = ∞, 0 if both are 0 or both ∞, NaN for NaN; negative
/// arguments give a number without meaning, so callers check them.
///
/// Formula: ln(m_a/m_b) = 2 artanh((m_a − m_b)/(m_a + m_b)) on the mantissas, plus the difference of
/// the exponents times ln 2.
#[must_use]
#[inline(always)]
pub fn ln_ratio(a: f64, b: f64) -> f64 {
    let value = ln_reduced(reduced_ratio(a, b));
    let edge = if a < b { f64::NEG_INFINITY } else { f64::INFINITY };
    let edge = if a == b { 0.0 } else { edge };
    let inside = (a > 0.0) & (b > 0.0) & (a < f64::INFINITY) & (b < f64::INFINITY);
    let value = if inside { value } else { edge };
    if a.is_nan() | b.is_nan() { f64::NAN } else { value }
}

/// [`ln_ratio`] of plain numbers ([`is_plain`]), bit for bit; of others a number without meaning.
#[inline(always)]
pub(crate) fn ln_ratio_plain(a: f64, b: f64) -> f64 {
    ln_reduced(reduced_bits(a.to_bits(), b.to_bits()))
}

/// Positive, finite and not subnormal.
#[inline(always)]
pub(crate) fn is_plain(x: f64) -> bool {
    (x > LARGEST_SUBNORMAL) & (x < f64::INFINITY)
}

/// ln(m/n 2ᵏ)
#[inline(always)]
fn ln_reduced((m, n, k): (f64, f64, f64)) -> f64 {
    let s = (m - n) / (m + n);
    let w = s * s;
    k * LN2_HIGH + (2.0 * s + (s * w * polynomial(w, &ARTANH) + k * LN2_LOW))
}

/// (m, n, k) with a/b = m/n 2ᵏ and m/n in [1/√2, √2], exactly, for finite positive a and b.
#[inline(always)]
pub(crate) fn reduced_ratio(a: f64, b: f64) -> (f64, f64, f64) {
    let (a_bits, a_shift) = normalised_bits(a);
    let (b_bits, b_shift) = normalised_bits(b);
    let (m, n, k) = reduced_bits(a_bits, b_bits);
    (m, n, k + (a_shift - b_shift))
}

/// [`reduced_ratio`] of normal numbers. Integer arithmetic on the exponents: a choice between two numbers
/// costs AVX2 three operations.
#[inline(always)]
fn reduced_bits(a_bits: u64, b_bits: u64) -> (f64, f64, f64) {
    let a_mantissa = f64::from_bits((a_bits & MANTISSA) | ONE);
    let b_mantissa = f64::from_bits((b_bits & MANTISSA) | ONE);
    // Bring the ratio of mantissas into [1/√2, √2].
    let high = u64::from(a_mantissa > core::f64::consts::SQRT_2 * b_mantissa);
    let low = u64::from(core::f64::consts::SQRT_2 * a_mantissa < b_mantissa);
    let carry = high.wrapping_sub(low);
    let m = f64::from_bits(a_mantissa.to_bits().wrapping_sub(carry << 52));
    let steps = (a_bits >> 52).wrapping_sub(b_bits >> 52).wrapping_add(carry);
    let k = f64::from_bits(steps.wrapping_add(ROUNDER.to_bits())) - ROUNDER;
    (m, b_mantissa, k)
}

/// The bits of x scaled out of the subnormal range, and the exponent that was added, negated.
#[inline(always)]
fn normalised_bits(x: f64) -> (u64, f64) {
    let subnormal = x < f64::MIN_POSITIVE;
    let scaled = x * if subnormal { TWO_54 } else { 1.0 };
    (scaled.to_bits(), if subnormal { -54.0 } else { 0.0 })
}

/// ln x within 2 ulp; −∞ for 0, ∞ for ∞, NaN for negative numbers and NaN.
#[must_use]
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    let value = ln_ratio(x, 1.0);
    if x < 0.0 { f64::NAN } else { value }
}

/// ln(1 + x) within 3 ulp; −∞ for −1, NaN below.
#[must_use]
#[inline(always)]
pub fn ln_1p(x: f64) -> f64 {
    let sum = 1.0 + x;
    // The rounding error of 1 + x (Knuth's two-sum), returned to first order.
    let virtual_x = sum - 1.0;
    let lost = (1.0 - (sum - virtual_x)) + (x - virtual_x);
    let correction = if sum > 0.0 && sum < f64::INFINITY { lost / sum } else { 0.0 };
    ln(sum) + correction
}

/// Numerator and denominator of the Mills ratio M(z) = e^{z²/2} N(−z) on 0 ≤ z ≤ 40: a minimax
/// rational function of degree 9/10, relative error 5.7e-17, all coefficients positive.
const MILLS_NUMERATOR: [f64; 10] = [
    0.499_999_999_999_999_973_01,
    0.775_501_101_402_905_488_6,
    0.594_955_771_151_929_353_63,
    0.289_982_787_622_899_256_39,
    0.097_991_392_341_428_844_318,
    0.023_711_719_995_428_308_327,
    0.004_108_295_220_538_370_051_1,
    0.000_493_164_785_875_060_653_02,
    0.000_037_503_933_139_413_888_45,
    1.396_837_353_129_418_092_8e-6,
];
const MILLS_DENOMINATOR: [f64; 11] = [
    1.0,
    2.348_886_763_608_665_701_5,
    2.564_052_026_061_761_473_5,
    1.717_301_238_394_858_551_1,
    0.783_878_410_628_313_003_19,
    0.255_737_935_568_548_837_78,
    0.060_665_646_278_847_812_651,
    0.010_391_977_368_975_076_693,
    0.001_239_682_148_517_594_874_5,
    0.000_094_008_419_215_152_273_171,
    3.501_352_004_424_330_809e-6,
];

/// The Mills ratio N(−z)/(√2π φ(z)) = e^{z²/2} N(−z) as a fraction, for 0 ≤ z ≤ 40.
#[inline(always)]
pub(crate) fn mills_fraction(z: f64) -> (f64, f64) {
    (polynomial(z, &MILLS_NUMERATOR), polynomial(z, &MILLS_DENOMINATOR))
}

/// Numerator and denominator of L(z) = φ(0) − z M(z) = e^{z²/2} (φ(z) − z N(−z)) on 0 ≤ z ≤ 40: minimax of
/// degree 9/11, relative error 7.9e-17, all coefficients positive.
const LOSS_NUMERATOR: [f64; 10] = [
    0.398_942_280_401_432_7,
    0.514_450_743_474_631_6,
    0.337_066_820_708_500_8,
    0.143_219_425_450_892_53,
    0.042_939_889_965_412_26,
    0.009_363_920_093_413_428,
    0.001_483_207_210_507_195,
    0.000_165_030_439_860_477_97,
    1.179_992_435_413_863_8e-5,
    4.204_138_834_134_192_5e-7,
];
const LOSS_DENOMINATOR: [f64; 12] = [
    1.0,
    2.542_850_916_813_967_5,
    3.031_892_226_355_988,
    2.242_717_403_271_516,
    1.146_733_711_645_313_3,
    0.426_976_026_301_574_4,
    0.118_610_407_275_479_43,
    0.024_706_554_315_871_865,
    0.003_806_583_191_542_641_2,
    0.000_416_831_430_900_227_4,
    2.957_802_402_270_987_4e-5,
    1.053_821_327_219_949_4e-6,
];

/// The normal loss function without its exponential, e^{z²/2} (φ(z) − z N(−z)) = −M'(z), for 0 ≤ z ≤ 40;
/// the difference it stands for would cancel for large z.
#[inline(always)]
pub(crate) fn normal_loss(z: f64) -> f64 {
    polynomial(z, &LOSS_NUMERATOR) / polynomial(z, &LOSS_DENOMINATOR)
}

/// e^{−d²/2} and N(d) for a pair of arguments that share one division.
pub(crate) struct NormalPair {
    /// e^{−d1²/2}: √2π times the density.
    pub(crate) bell1: f64,
    /// e^{−d2²/2}.
    pub(crate) bell2: f64,
    /// N(d1).
    pub(crate) n1: f64,
    /// N(d2).
    pub(crate) n2: f64,
}

/// Beyond this the density is zero in double precision.
pub(crate) const NORMAL_EDGE: f64 = 40.0;

#[inline(always)]
pub(crate) fn normal_pair(d1: f64, d2: f64) -> NormalPair {
    let (z1, z2) = (edged(d1), edged(d2));
    let (bell1, bell2) = (exp(-0.5 * z1 * z1), exp(-0.5 * z2 * z2));
    let (n1, n2) = tail_pair(d1, d2, bell1, bell2);
    NormalPair { bell1, bell2, n1, n2 }
}

/// |d|, at most [`NORMAL_EDGE`].
#[inline(always)]
fn edged(d: f64) -> f64 {
    if d.abs() > NORMAL_EDGE { NORMAL_EDGE } else { d.abs() }
}

/// e^{−d1²/2} and e^{−d2²/2} for d1² − d2² = 2 ln(a/b) by one exponential, that of the smaller argument:
/// the other bell is a/b or b/a, whichever is below one, times as high.
#[inline(always)]
pub(crate) fn bell_pair(d1: f64, d2: f64, a: f64, b: f64) -> (f64, f64) {
    let first_is_higher = a < b;
    let z = edged(if first_is_higher { d1 } else { d2 });
    let high = exp_below(-0.5 * z * z);
    // Numbers ≥ 0 are ordered as their bits are. Chosen by `first_is_higher`, the two become the compiler's
    // reason to divide both ways and to choose between the quotients.
    let (a_bits, b_bits) = (a.to_bits() as i64, b.to_bits() as i64);
    let ratio = f64::from_bits(a_bits.min(b_bits) as u64) / f64::from_bits(a_bits.max(b_bits) as u64);
    // 0/0 and ∞/∞; NaN is not equal to itself and stays.
    let ratio = if a == b { 1.0 } else { ratio };
    let low = high * ratio;
    if first_is_higher { (high, low) } else { (low, high) }
}

/// N(d1) and N(d2), given e^{−d²/2} of each.
#[inline(always)]
pub(crate) fn tail_pair(d1: f64, d2: f64, bell1: f64, bell2: f64) -> (f64, f64) {
    let (p1, q1) = mills_fraction(edged(d1));
    let (p2, q2) = mills_fraction(edged(d2));
    let shared = 1.0 / (q1 * q2);
    let tail1 = bell1 * (p1 * q2 * shared);
    let tail2 = bell2 * (p2 * q1 * shared);
    (if d1 > 0.0 { 1.0 - tail1 } else { tail1 }, if d2 > 0.0 { 1.0 - tail2 } else { tail2 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ulps(a: f64, b: f64) -> f64 {
        if a == b {
            return 0.0;
        }
        let spacing = f64::from_bits(b.abs().to_bits() + 1) - b.abs();
        (a - b).abs() / spacing
    }

    #[test]
    fn edges() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(f64::INFINITY), f64::INFINITY);
        assert_eq!(exp(-745.0), 5e-324);
        assert!(exp(f64::NAN).is_nan());
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(0.0), f64::NEG_INFINITY);
        assert_eq!(ln(f64::INFINITY), f64::INFINITY);
        assert!(ln(-1.0).is_nan() && ln(f64::NAN).is_nan());
        assert_eq!(ln_ratio(0.0, 0.0), 0.0);
        assert_eq!(ln_1p(-1.0), f64::NEG_INFINITY);
        assert_eq!(ln_1p(1e-30), 1e-30);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn exp_is_within_an_ulp(x in -745.0..709.7f64) {
            prop_assert!(ulps(exp(x), libm::exp(x)) <= 1.5, "{x}");
        }

        #[test]
        fn ln_is_within_two_ulps(x in prop::num::f64::POSITIVE) {
            prop_assert!(ulps(ln(x), libm::log(x)) <= 2.0, "{x}");
        }

        #[test]
        fn ln_ratio_keeps_digits_near_one(a in 0.5..2.0f64, steps in -1000i64..1000) {
            let b = f64::from_bits(a.to_bits().wrapping_add_signed(steps));
            let exact = libm::log1p((a - b) / b);
            prop_assert!(ulps(ln_ratio(a, b), exact) <= 3.0, "{a} {b}");
        }

        #[test]
        fn ln_1p_is_within_three_ulps(x in -0.99..10.0f64, scale in 0..300i32) {
            let x = x * libm::exp2(-f64::from(scale));
            prop_assert!(ulps(ln_1p(x), libm::log1p(x)) <= 3.0, "{x}");
        }

        #[test]
        fn normal_pair_agrees_with_erfc(d1 in -37.0..38.0f64, d2 in -8.0..8.0f64) {
            let pair = normal_pair(d1, d2);
            for (d, n) in [(d1, pair.n1), (d2, pair.n2)] {
                let reference = 0.5 * libm::erfc(-d * core::f64::consts::FRAC_1_SQRT_2);
                // Rounding d² costs d²/2 units of relative error.
                prop_assert!((n - reference).abs() <= reference * 2.3e-16 * (4.0 + d * d), "{d}");
            }
        }

        #[test]
        fn nothing_panics(a in prop::num::f64::ANY, b in prop::num::f64::ANY) {
            let _ = (exp(a), ln(a), ln_1p(a), ln_ratio(a, b), normal_pair(a, b).n1);
        }
    }
}
