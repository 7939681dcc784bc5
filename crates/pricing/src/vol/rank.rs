//! Where today's implied volatility stands among previous sessions.
//!
//! IV rank = 100 (today - min)/(max - min); IV percentile = share of sessions with a
//! lower value, times 100. Both look at the *previous* sessions only (252 by default,
//! at least 200), today excluded, so that a signal never contains its own answer.

use crate::model_error::{ModelError, non_negative};

/// Look-back of [`iv_standing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookback {
    /// Sessions looked at.
    pub sessions: usize,
    /// Fewest sessions for an answer.
    pub sessions_min: usize,
}

impl Default for Lookback {
    fn default() -> Self {
        Self { sessions: 252, sessions_min: 200 }
    }
}

/// Rank and percentile in [0, 100]; the rank exceeds that range when today is a new extreme.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IvStanding {
    /// 100 (today - min)/(max - min).
    pub rank: f64,
    /// 100 times the share of sessions strictly below today.
    pub percentile: f64,
    /// Smallest value of the window.
    pub low: f64,
    /// Largest value of the window.
    pub high: f64,
    /// Sessions in the window.
    pub sessions: usize,
}

/// Standing of `today` among `previous` (oldest first, today not included).
///
/// # Errors
/// [`ModelError`] when fewer than `sessions_min` values exist, a value is negative or
/// not finite, or the window is constant.
pub fn iv_standing(previous: &[f64], today: f64, lookback: Lookback) -> Result<IvStanding, ModelError> {
    non_negative("implied volatility", today)?;
    let window = &previous[previous.len() - previous.len().min(lookback.sessions)..];
    let needed = lookback.sessions_min.max(1);
    if window.len() < needed {
        return Err(ModelError::TooFew { what: "IV rank (sessions)", needed, found: window.len() });
    }
    let (mut low, mut high, mut below) = (f64::INFINITY, f64::NEG_INFINITY, 0usize);
    for &iv in window {
        non_negative("implied volatility", iv)?;
        low = low.min(iv);
        high = high.max(iv);
        below += usize::from(iv < today);
    }
    if high <= low {
        return Err(ModelError::OutOfRange {
            what: "IV window's range",
            expected: "greater than 0",
            value: 0.0,
        });
    }
    Ok(IvStanding {
        rank: 100.0 * (today - low) / (high - low),
        percentile: 100.0 * below as f64 / window.len() as f64,
        low,
        high,
        sessions: window.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_previous_sessions_only() {
        let history: Vec<f64> = (0..300).map(|i| 0.10 + f64::from(i) * 0.001).collect();
        let standing = iv_standing(&history, 0.30, Lookback::default()).unwrap();
        assert_eq!(standing.sessions, 252);
        // The window is 0.148 .. 0.399; 152 of its values lie below 0.30.
        assert!((standing.rank - 100.0 * (0.30 - 0.148) / 0.251).abs() < 1e-9);
        assert!((standing.percentile - 100.0 * 152.0 / 252.0).abs() < 0.4);
        assert!(iv_standing(&history, 0.5, Lookback::default()).unwrap().rank > 100.0);
    }

    #[test]
    fn too_short_or_flat_histories_have_no_rank() {
        assert!(iv_standing(&[0.2; 199], 0.2, Lookback::default()).is_err());
        assert!(iv_standing(&[0.2; 252], 0.2, Lookback::default()).is_err());
        assert!(iv_standing(&[], 0.2, Lookback { sessions: 5, sessions_min: 0 }).is_err());
        assert!(iv_standing(&[f64::NAN; 252], 0.2, Lookback::default()).is_err());
    }
}
