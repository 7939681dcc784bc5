//! Sobol points and the Brownian bridge.
//!
//! Sobol sequence in Gray-code order (Antonov & Saleev 1979). Dimensions 1–21 use the
//! direction numbers of Joe & Kuo (SIAM J. Sci. Comput. 30, 2008); further dimensions
//! take the next primitive polynomials over GF(2), found by search, with seeded odd
//! initial numbers, which keeps every one-dimensional projection perfectly stratified.
//! A digital shift (exclusive or with a random word per dimension) makes the points
//! unbiased. The bridge gives the first dimensions to the path's coarse shape.

use super::random::{NormalStream, normals_of_uniforms};

/// Largest number of dimensions.
pub const DIMENSIONS_MAX: usize = 256;
/// Binary digits of a coordinate.
const BITS: usize = 52;

/// (degree, inner polynomial coefficients, initial numbers) of dimensions 2 to 21.
const JOE_KUO: [(usize, u32, [u64; 7]); 20] = [
    (1, 0, [1, 0, 0, 0, 0, 0, 0]),
    (2, 1, [1, 3, 0, 0, 0, 0, 0]),
    (3, 1, [1, 3, 1, 0, 0, 0, 0]),
    (3, 2, [1, 1, 1, 0, 0, 0, 0]),
    (4, 1, [1, 1, 3, 3, 0, 0, 0]),
    (4, 4, [1, 3, 5, 13, 0, 0, 0]),
    (5, 2, [1, 1, 5, 5, 17, 0, 0]),
    (5, 4, [1, 1, 5, 5, 5, 0, 0]),
    (5, 7, [1, 1, 7, 11, 19, 0, 0]),
    (5, 11, [1, 1, 5, 1, 1, 0, 0]),
    (5, 13, [1, 1, 1, 3, 11, 0, 0]),
    (5, 14, [1, 3, 5, 5, 31, 0, 0]),
    (6, 1, [1, 3, 3, 9, 7, 49, 0]),
    (6, 13, [1, 1, 1, 15, 21, 21, 0]),
    (6, 16, [1, 3, 1, 13, 27, 49, 0]),
    (6, 19, [1, 1, 1, 15, 7, 5, 0]),
    (6, 22, [1, 3, 1, 15, 13, 25, 0]),
    (6, 25, [1, 1, 5, 5, 19, 61, 0]),
    (7, 1, [1, 3, 7, 11, 23, 15, 103]),
    (7, 4, [1, 3, 7, 13, 13, 15, 69]),
];

/// A Sobol sequence of fixed dimension with a digital shift.
pub struct Sobol {
    directions: Vec<[u64; BITS]>,
    shift: Vec<u64>,
    state: Vec<u64>,
    index: u64,
}

impl Sobol {
    /// The sequence with `dimensions` (at most [`DIMENSIONS_MAX`], silently capped)
    /// coordinates, shifted by the stream `replicate` of `seed`.
    #[must_use]
    pub fn new(dimensions: usize, seed: u64, replicate: u64) -> Self {
        let dimensions = dimensions.min(DIMENSIONS_MAX);
        // Streams from the top of the range never meet the block streams.
        let mut shifts = NormalStream::new(seed, u64::MAX - replicate);
        Self {
            directions: directions(dimensions),
            shift: (0..dimensions).map(|_| shifts.bits() >> (64 - BITS)).collect(),
            state: vec![0; dimensions],
            index: 0,
        }
    }

    /// Jumps to point `index`.
    pub fn skip_to(&mut self, index: u64) {
        let gray = index ^ (index >> 1);
        for (state, directions) in self.state.iter_mut().zip(&self.directions) {
            *state = (0..BITS).filter(|b| gray >> b & 1 == 1).fold(0, |x, b| x ^ directions[b]);
        }
        self.index = index;
    }

    /// Writes the next point's uniforms, each in (0, 1).
    pub fn next_point(&mut self, out: &mut [f64]) {
        for ((x, state), shift) in out.iter_mut().zip(&self.state).zip(&self.shift) {
            *x = ((state ^ shift) as f64 + 0.5) * (1.0 / (1u64 << BITS) as f64);
        }
        let flipped = (self.index.trailing_ones() as usize).min(BITS - 1);
        for (state, directions) in self.state.iter_mut().zip(&self.directions) {
            *state ^= directions[flipped];
        }
        self.index += 1;
    }
}

fn directions(dimensions: usize) -> Vec<[u64; BITS]> {
    let mut all = Vec::with_capacity(dimensions);
    let mut search = PolynomialSearch { degree: 7, inner: 4 };
    let mut initial = NormalStream::new(0x50B0_15E9, 0);
    for dimension in 0..dimensions {
        let mut v = [0u64; BITS];
        if dimension == 0 {
            for (i, v) in v.iter_mut().enumerate() {
                *v = 1 << (BITS - 1 - i);
            }
            all.push(v);
            continue;
        }
        let (degree, inner, m) = match JOE_KUO.get(dimension - 1) {
            Some(&(degree, inner, m)) => (degree, inner, m.to_vec()),
            None => {
                let (degree, inner) = search.next_primitive();
                let m = (0..degree).map(|i| (initial.bits() >> (63 - i)) | 1).collect();
                (degree, inner, m)
            }
        };
        for i in 0..BITS {
            v[i] = if i < degree {
                m[i] << (BITS - 1 - i)
            } else {
                let mut next = v[i - degree] ^ (v[i - degree] >> degree);
                for k in 1..degree {
                    if inner >> (degree - 1 - k) & 1 == 1 {
                        next ^= v[i - k];
                    }
                }
                next
            };
        }
        all.push(v);
    }
    all
}

/// Walks through primitive polynomials `x^d + inner + 1` over GF(2) in ascending order.
struct PolynomialSearch {
    degree: usize,
    inner: u32,
}

impl PolynomialSearch {
    fn next_primitive(&mut self) -> (usize, u32) {
        loop {
            self.inner += 1;
            if self.inner >= 1 << (self.degree - 1) {
                self.degree += 1;
                self.inner = 0;
            }
            if self.is_primitive() {
                return (self.degree, self.inner);
            }
        }
    }

    /// Whether `x` generates the whole multiplicative group: its order is `2^d - 1`.
    fn is_primitive(&self) -> bool {
        let polynomial = (1u32 << self.degree) | (self.inner << 1) | 1;
        let period = (1u32 << self.degree) - 1;
        let mut x = 1u32;
        for n in 1..=period {
            x <<= 1;
            if x >> self.degree & 1 == 1 {
                x ^= polynomial;
            }
            if x == 1 {
                return n == period;
            }
        }
        false
    }
}

/// Builds a standard Brownian motion's increments from coarse to fine.
struct BrownianBridge {
    /// Points in the order in which they are drawn.
    order: Vec<BridgePoint>,
    root_dt: Vec<f64>,
}

struct BridgePoint {
    at: usize,
    left: Option<usize>,
    right: Option<usize>,
    left_weight: f64,
    right_weight: f64,
    deviation: f64,
}

impl BrownianBridge {
    fn new(times: &[f64]) -> Self {
        let n = times.len();
        let mut order = Vec::with_capacity(n);
        let mut is_set = vec![false; n];
        if let Some(&end) = times.last() {
            order.push(BridgePoint {
                at: n - 1,
                left: None,
                right: None,
                left_weight: 0.0,
                right_weight: 0.0,
                deviation: end.sqrt(),
            });
            is_set[n - 1] = true;
        }
        // Repeatedly halve the longest gaps: breadth-first over intervals of indices.
        let mut gaps = std::collections::VecDeque::from([(None, n.saturating_sub(1))]);
        while let Some((left, right)) = gaps.pop_front() {
            let first = left.map_or(0, |l: usize| l + 1);
            if first >= right {
                continue;
            }
            let at = first + (right - first) / 2;
            let before = left.map_or(0.0, |l| times[l]);
            let (whole, part) = (times[right] - before, times[at] - before);
            order.push(BridgePoint {
                at,
                left,
                right: Some(right),
                left_weight: (whole - part) / whole,
                right_weight: part / whole,
                deviation: (part * (whole - part) / whole).sqrt(),
            });
            is_set[at] = true;
            gaps.push_back((left, at));
            gaps.push_back((Some(at), right));
        }
        let mut last = 0.0;
        let root_dt = times
            .iter()
            .map(|&t| {
                let dt: f64 = t - last;
                last = t;
                dt.sqrt()
            })
            .collect();
        Self { order, root_dt }
    }

    /// Replaces normals in order of importance by standardised increments in order of time.
    fn increments(
        &self,
        normals: &[f64],
        w: &mut [f64],
        out: impl Fn(usize, f64, &mut [f64]),
        target: &mut [f64],
    ) {
        for (point, z) in self.order.iter().zip(normals) {
            let left = point.left.map_or(0.0, |l| w[l]);
            let right = point.right.map_or(0.0, |r| w[r]);
            w[point.at] = point.left_weight * left + point.right_weight * right + point.deviation * z;
        }
        let mut last = 0.0;
        for (i, root) in self.root_dt.iter().enumerate() {
            out(i, (w[i] - last) / root, target);
            last = w[i];
        }
    }
}

/// Paths' normals from Sobol points, bridged per factor.
pub(crate) struct SobolNormals {
    sobol: Sobol,
    bridge: BrownianBridge,
    factors: usize,
    point: Vec<f64>,
    column: Vec<f64>,
    motion: Vec<f64>,
}

impl SobolNormals {
    pub(crate) fn new(seed: u64, replicate: u64, factors: usize, times: &[f64]) -> Self {
        let n = times.len();
        Self {
            sobol: Sobol::new(factors * n, seed, replicate),
            bridge: BrownianBridge::new(times),
            factors,
            point: vec![0.0; factors * n],
            column: vec![0.0; n],
            motion: vec![0.0; n],
        }
    }

    pub(crate) fn skip_to(&mut self, index: u64) {
        self.sobol.skip_to(index);
    }

    /// Normals of the next paths, path after path, each in the layout `[step][factor]`.
    pub(crate) fn fill(&mut self, normals: &mut [f64]) {
        let dimensions = self.factors * self.column.len();
        for point in normals.chunks_exact_mut(dimensions) {
            self.sobol.next_point(point);
        }
        normals_of_uniforms(normals);
        let factors = self.factors;
        for path in normals.chunks_exact_mut(dimensions) {
            self.point.copy_from_slice(path);
            for factor in 0..factors {
                // Level by level the factors share the best dimensions.
                for (z, level) in self.column.iter_mut().zip(self.point.chunks_exact(factors)) {
                    *z = level[factor];
                }
                self.bridge.increments(
                    &self.column,
                    &mut self.motion,
                    |step, z, target| target[step * factors + factor] = z,
                    path,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_projection_is_stratified() {
        let mut sobol = Sobol::new(64, 5, 0);
        let mut point = [0.0; 64];
        let mut seen = vec![[false; 256]; 64];
        for _ in 0..256 {
            sobol.next_point(&mut point);
            for (seen, x) in seen.iter_mut().zip(point) {
                let cell = (x * 256.0) as usize;
                assert!(!seen[cell], "two points in one cell");
                seen[cell] = true;
            }
        }
    }

    #[test]
    fn jumping_equals_walking() {
        let (mut walk, mut jump) = (Sobol::new(30, 1, 2), Sobol::new(30, 1, 2));
        let (mut a, mut b) = ([0.0; 30], [0.0; 30]);
        for _ in 0..77 {
            walk.next_point(&mut a);
        }
        jump.skip_to(77);
        walk.next_point(&mut a);
        jump.next_point(&mut b);
        assert_eq!(a, b);
    }

    #[test]
    fn the_bridge_has_the_covariance_of_brownian_motion() {
        // The map from normals to increments is orthogonal: unit vectors stay unit vectors.
        let times = [0.1, 0.3, 0.35, 0.8, 1.0];
        let bridge = BrownianBridge::new(&times);
        let mut rows = Vec::new();
        for i in 0..5 {
            let mut z = [0.0; 5];
            z[i] = 1.0;
            let (mut w, mut out) = ([0.0; 5], [0.0; 5]);
            bridge.increments(&z, &mut w, |k, x, target| target[k] = x, &mut out);
            rows.push(out);
        }
        for i in 0..5 {
            for j in 0..5 {
                let dot: f64 = (0..5).map(|k| rows[k][i] * rows[k][j]).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
    }
}
