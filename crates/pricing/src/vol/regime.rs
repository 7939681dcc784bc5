//! Rule-based volatility regimes from an index, its rank and realised volatility.

/// A volatility regime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VolRegime {
    /// Low index and low rank.
    Low,
    /// High index or high rank.
    High,
    /// Realised volatility close to implied while implied is elevated.
    Expansion,
    /// Realised volatility far below implied while implied is not elevated.
    Contraction,
    /// None of the others, or an input is not defined yet.
    Neutral,
}

/// Thresholds of [`classify`]; all comparisons are strict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegimeThresholds {
    /// `Low` needs an index below this …
    pub low_index: f64,
    /// … and a rank below this.
    pub low_rank: f64,
    /// `High` needs an index above this …
    pub high_index: f64,
    /// … or a rank above this.
    pub high_rank: f64,
    /// `Expansion` needs realised/implied above this …
    pub expansion_ratio: f64,
    /// `Contraction` needs realised/implied below this …
    pub contraction_ratio: f64,
    /// … with the rank above (expansion) or below (contraction) this.
    pub middle_rank: f64,
}

impl Default for RegimeThresholds {
    fn default() -> Self {
        Self {
            low_index: 15.0,
            low_rank: 0.30,
            high_index: 25.0,
            high_rank: 0.80,
            expansion_ratio: 0.90,
            contraction_ratio: 0.60,
            middle_rank: 0.50,
        }
    }
}

/// What the rules look at; NaN stands for "not defined yet".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegimeInputs {
    /// Volatility index in points (VIX-style: 20 = 20 %).
    pub index: f64,
    /// Rank of the index in [0, 1] over its look-back, today included.
    pub rank: f64,
    /// Realised volatility over implied volatility.
    pub realised_over_implied: f64,
}

/// The first regime whose rule holds, in the order low, high, expansion, contraction.
#[must_use]
pub fn classify(inputs: &RegimeInputs, thresholds: &RegimeThresholds) -> VolRegime {
    let (i, t) = (inputs, thresholds);
    if i.index.is_nan() || i.rank.is_nan() || i.realised_over_implied.is_nan() {
        VolRegime::Neutral
    } else if i.index < t.low_index && i.rank < t.low_rank {
        VolRegime::Low
    } else if i.index > t.high_index || i.rank > t.high_rank {
        VolRegime::High
    } else if i.realised_over_implied > t.expansion_ratio && i.rank > t.middle_rank {
        VolRegime::Expansion
    } else if i.realised_over_implied < t.contraction_ratio && i.rank < t.middle_rank {
        VolRegime::Contraction
    } else {
        VolRegime::Neutral
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_rule_that_holds_wins() {
        let cases = [
            (12.0, 0.1, 0.5, VolRegime::Low),
            (15.0, 0.1, 0.7, VolRegime::Neutral),
            (30.0, 0.1, 0.95, VolRegime::High),
            (20.0, 0.85, 0.95, VolRegime::High),
            (20.0, 0.6, 0.95, VolRegime::Expansion),
            (20.0, 0.4, 0.5, VolRegime::Contraction),
            (20.0, 0.5, 0.95, VolRegime::Neutral),
            (f64::NAN, 0.9, 0.9, VolRegime::Neutral),
        ];
        for (index, rank, realised_over_implied, expected) in cases {
            let inputs = RegimeInputs { index, rank, realised_over_implied };
            assert_eq!(classify(&inputs, &RegimeThresholds::default()), expected, "{inputs:?}");
        }
    }
}
