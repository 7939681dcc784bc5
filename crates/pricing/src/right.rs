//! Call or put.

/// The right an option gives its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Right {
    /// The right to buy at the strike.
    Call,
    /// The right to sell at the strike.
    Put,
}

impl Right {
    /// `+1.0` for a call, `-1.0` for a put: the φ (or ω) of textbook formulas.
    #[must_use]
    #[inline]
    pub fn sign(self) -> f64 {
        match self {
            Right::Call => 1.0,
            Right::Put => -1.0,
        }
    }

    /// The value of exercising at once: `max(±(spot − strike), 0)`; NaN if either input is NaN.
    #[must_use]
    #[inline]
    pub fn intrinsic(self, spot: f64, strike: f64) -> f64 {
        let value = self.sign() * (spot - strike);
        if value < 0.0 { 0.0 } else { value }
    }
}
