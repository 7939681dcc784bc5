//! Complex numbers with deterministic elementary functions.

use crate::math::kernel;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// `re + i im`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Complex {
    pub(crate) re: f64,
    pub(crate) im: f64,
}

impl Complex {
    pub(crate) const fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    pub(crate) fn norm_square(self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    pub(crate) fn scale(self, factor: f64) -> Self {
        Self::new(self.re * factor, self.im * factor)
    }

    pub(crate) fn inverse(self) -> Self {
        let n = self.norm_square();
        Self::new(self.re / n, -self.im / n)
    }

    /// Principal square root.
    pub(crate) fn sqrt(self) -> Self {
        let half = (0.5 * (self.norm_square().sqrt() + self.re.abs())).sqrt();
        if half == 0.0 {
            return Self::default();
        }
        let other = 0.5 * self.im / half;
        if self.re >= 0.0 {
            Self::new(half, other)
        } else if self.im >= 0.0 {
            Self::new(other, half)
        } else {
            Self::new(-other, -half)
        }
    }

    /// `(e^z, e^z - 1)`, the second accurate near `z = 0`.
    pub(crate) fn exp_and_expm1(self) -> (Self, Self) {
        let (sin, cos) = libm::sincos(self.im);
        let size = kernel::exp(self.re);
        let e = Self::new(size * cos, size * sin);
        if self.re.abs() > 0.5 {
            return (e, Self::new(e.re - 1.0, e.im));
        }
        let half = libm::sin(0.5 * self.im);
        // e^x cos y - 1 = expm1(x) cos y - 2 sin^2(y/2)
        (e, Self::new(libm::expm1(self.re) * cos - 2.0 * half * half, e.im))
    }

    /// `ln(1 + z)` on the principal branch, accurate near `z = 0`.
    pub(crate) fn ln_1p(self) -> Self {
        let excess = 2.0 * self.re + self.norm_square();
        Self::new(0.5 * kernel::ln_1p(excess), libm::atan2(self.im, 1.0 + self.re))
    }
}

impl Add for Complex {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }
}

impl Sub for Complex {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::new(self.re - other.re, self.im - other.im)
    }
}

impl Mul for Complex {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self::new(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
    }
}

// Division is multiplication by the inverse: the lint expects a `/`.
#[allow(clippy::suspicious_arithmetic_impl)]
impl Div for Complex {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        self * other.inverse()
    }
}

impl Neg for Complex {
    type Output = Self;
    fn neg(self) -> Self {
        Self::new(-self.re, -self.im)
    }
}

#[cfg(test)]
mod tests {
    use super::Complex;

    #[test]
    fn functions_invert_each_other() {
        for &(re, im) in &[(0.3, 0.4), (-0.2, 2.0), (1e-9, -1e-9), (-0.4, -0.1), (0.7, 0.0)] {
            let z = Complex::new(re, im);
            let root = z.sqrt();
            assert!((root * root - z).norm_square() < 1e-30);
            assert!(root.re >= 0.0);
            let (e, e1) = z.exp_and_expm1();
            assert!((e - e1 - Complex::new(1.0, 0.0)).norm_square() < 1e-30);
            let back = e1.ln_1p();
            assert!((back - z).norm_square() < 1e-28 * z.norm_square().max(1e-6), "{z:?} {back:?}");
        }
    }
}
