//! Standard normals from counter-based streams.
//!
//! ChaCha8 keyed by a seed, one stream number per block; normals by inversion of the
//! distribution function (Wichura, "Algorithm AS 241", Applied Statistics 37, 1988,
//! PPND16: relative accuracy about 1e-16), so that a normal is a monotone function of
//! one 53-bit uniform and pseudo-random and Sobol points share one transformation.

use crate::math::kernel::ln;
use crate::simd::{Kernel, dispatch};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Normals of one block.
pub struct NormalStream {
    rng: ChaCha8Rng,
}

impl NormalStream {
    /// Stream number `stream` of the generator keyed by `seed`.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self { rng }
    }

    /// Fills `out` with independent standard normals.
    pub fn fill(&mut self, out: &mut [f64]) {
        for u in out.iter_mut() {
            *u = uniform_of_bits(self.rng.next_u64());
        }
        normals_of_uniforms(out);
    }

    /// A uniform in (0, 1), the middle of one of 2^53 equal cells.
    pub fn uniform(&mut self) -> f64 {
        uniform_of_bits(self.rng.next_u64())
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.rng.next_u64()
    }
}

/// The middle of the cell given by the 52 leading bits; never 0 or 1.
pub(crate) fn uniform_of_bits(bits: u64) -> f64 {
    // The bits as the fraction of a number in [1, 2): exact, and cheaper than a conversion.
    let fraction = f64::from_bits(0x3FF0_0000_0000_0000 | (bits >> 12));
    (fraction - 1.0) + 0.5 * f64::EPSILON
}

/// Quantile of the standard normal distribution for `p` in (0, 1).
#[must_use]
#[inline]
pub fn standard_normal(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= CENTRE_EDGE { centre(q) } else { tail(p) }
}

/// Replaces uniforms in (0, 1) by the normals of [`standard_normal`], bit for bit: the central rational for
/// all of them without a branch, then the tails, one in seven.
pub(crate) fn normals_of_uniforms(values: &mut [f64]) {
    dispatch(Normals(values));
}

struct Normals<'a>(&'a mut [f64]);

impl Kernel for Normals<'_> {
    #[inline(always)]
    fn run(self) {
        const CHUNK: usize = 64;
        let mut p = [0.5; CHUNK];
        for z in self.0.chunks_mut(CHUNK) {
            p[..z.len()].copy_from_slice(z);
            let mut central = [0.0; CHUNK];
            for (central, p) in central.iter_mut().zip(&p) {
                *central = centre(p - 0.5);
            }
            z.copy_from_slice(&central[..z.len()]);
            for (z, &p) in z.iter_mut().zip(&p) {
                if (p - 0.5).abs() > CENTRE_EDGE {
                    *z = tail(p);
                }
            }
        }
    }
}

/// Half-width of the central region.
const CENTRE_EDGE: f64 = 0.425;

#[inline(always)]
fn centre(q: f64) -> f64 {
    let r = 0.180_625 - q * q;
    q * horner(&CENTRE_TOP, r) / horner(&CENTRE_BOTTOM, r)
}

fn tail(p: f64) -> f64 {
    let share = if p < 0.5 { p } else { 1.0 - p };
    let r = (-ln(share)).sqrt();
    let z = if r <= 5.0 {
        horner(&MIDDLE_TOP, r - 1.6) / horner(&MIDDLE_BOTTOM, r - 1.6)
    } else {
        horner(&FAR_TOP, r - 5.0) / horner(&FAR_BOTTOM, r - 5.0)
    };
    if p < 0.5 { -z } else { z }
}

/// Polynomial with the constant term first.
#[inline(always)]
fn horner(c: &[f64; 8], x: f64) -> f64 {
    // Two interleaved chains halve the latency.
    let x2 = x * x;
    let even = ((c[6] * x2 + c[4]) * x2 + c[2]) * x2 + c[0];
    let odd = ((c[7] * x2 + c[5]) * x2 + c[3]) * x2 + c[1];
    odd * x + even
}

const CENTRE_TOP: [f64; 8] = [
    3.387_132_872_796_366_5,
    1.331_416_678_917_843_8e2,
    1.971_590_950_306_551_3e3,
    1.373_169_376_550_946e4,
    4.592_195_393_154_987e4,
    6.726_577_092_700_87e4,
    3.343_057_558_358_813e4,
    2.509_080_928_730_122_7e3,
];
const CENTRE_BOTTOM: [f64; 8] = [
    1.0,
    4.231_333_070_160_091e1,
    6.871_870_074_920_579e2,
    5.394_196_021_424_751e3,
    2.121_379_430_158_659_7e4,
    3.930_789_580_009_271e4,
    2.872_908_573_572_194_3e4,
    5_226.495_278_852_854,
];
const MIDDLE_TOP: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    2.417_807_251_774_506e-1,
    2.272_384_498_926_918_4e-2,
    7.745_450_142_783_414e-4,
];
const MIDDLE_BOTTOM: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    6.897_673_349_851e-1,
    1.481_039_764_274_800_8e-1,
    1.519_866_656_361_645_7e-2,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const FAR_TOP: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    2.965_605_718_285_048_7e-1,
    2.653_218_952_657_612_4e-2,
    1.242_660_947_388_078_4e-3,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const FAR_BOTTOM: [f64; 8] = [
    1.0,
    5.998_322_065_558_879e-1,
    1.369_298_809_227_358e-1,
    1.487_536_129_085_061_5e-2,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::normal;
    use crate::simd::{Level, dispatch_at};

    #[test]
    fn quantiles_agree_with_the_exact_inverse() {
        for i in 1..2000 {
            for p in [f64::from(i) / 2000.0, libm::exp(-f64::from(i) / 60.0)] {
                let (fast, exact) = (standard_normal(p), normal::inverse_cdf(p));
                assert!((fast - exact).abs() < 3e-15 * (1.0 + exact.abs()), "{p}: {fast} {exact}");
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_bits_of_the_scalar_quantile() {
        let uniforms: Vec<f64> = (0..1003).map(|i| (f64::from(i) + 0.5) / 1003.0).collect();
        for &level in Level::ALL {
            let mut values = uniforms.clone();
            dispatch_at(level, Normals(&mut values));
            for (z, &p) in values.iter().zip(&uniforms) {
                assert_eq!(z.to_bits(), standard_normal(p).to_bits(), "{level:?} {p}");
            }
        }
    }

    #[test]
    fn streams_are_distinct_and_repeatable() {
        let draw = |seed, stream| {
            let mut out = [0.0; 4];
            NormalStream::new(seed, stream).fill(&mut out);
            out
        };
        assert_eq!(draw(1, 7), draw(1, 7));
        assert_ne!(draw(1, 7), draw(1, 8));
        assert_ne!(draw(1, 7), draw(2, 7));
        assert!(uniform_of_bits(0) > 0.0 && uniform_of_bits(u64::MAX) < 1.0);
    }

    #[test]
    fn moments_of_a_million() {
        let mut z = vec![0.0; 1_000_000];
        NormalStream::new(42, 0).fill(&mut z);
        let moment = |p: i32| z.iter().map(|x| x.powi(p)).sum::<f64>() / 1e6;
        assert!(moment(1).abs() < 4e-3 && (moment(2) - 1.0).abs() < 6e-3);
        assert!(moment(3).abs() < 2e-2 && (moment(4) - 3.0).abs() < 5e-2);
    }
}
