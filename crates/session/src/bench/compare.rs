//! Two reports side by side: which figures changed, and by more than chance.
//!
//! Rates and costs are ratios by nature, so their logarithms are compared: Welch's unequal-variance t interval
//! (Welch 1947, Biometrika 34) of the difference of means, at 95 %. A figure regressed when the interval lies
//! wholly on the worse side and the ratio itself is worse by more than the tolerance.

use super::{Better, Report, Row};
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Worse beyond tolerance and chance.
    Regressed,
    /// Better beyond tolerance and chance.
    Improved,
    /// Neither.
    Same,
    /// Fewer than two samples on a side: chance is unknown.
    Unknown,
}

/// One figure of both reports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Name of the row.
    pub name: String,
    /// What was measured.
    pub what: String,
    /// Unit of the figures.
    pub unit: String,
    /// Figure of the first report.
    pub before: f64,
    /// Figure of the second.
    pub after: f64,
    /// Geometric mean of the second ÷ that of the first.
    pub ratio: f64,
    /// 95 % interval of the ratio.
    pub interval: Option<(f64, f64)>,
    /// Verdict.
    pub verdict: Verdict,
}

/// Compares the rows that both reports have and that can get better or worse.
///
/// `tolerance` is the fraction by which a figure may worsen (0.05 = 5 %).
pub fn compare(before: &Report, after: &Report, tolerance: f64) -> Vec<Comparison> {
    let pairs = before.rows.iter().filter(|row| row.better != Better::Context).filter_map(|row| {
        let again = after.rows.iter().find(|again| again.name == row.name && again.unit == row.unit)?;
        Some(compare_rows(row, again, tolerance))
    });
    pairs.collect()
}

fn compare_rows(before: &Row, after: &Row, tolerance: f64) -> Comparison {
    let (a, b) = (Logs::of(&before.samples), Logs::of(&after.samples));
    let ratio = (b.mean - a.mean).exp();
    let interval = interval(&a, &b);
    // Above 1: worse.
    let worse = |ratio: f64| if before.better == Better::Higher { 1.0 / ratio } else { ratio };
    let verdict = match interval {
        None => Verdict::Unknown,
        Some((low, high)) => {
            let (least, most) = (worse(low).min(worse(high)), worse(low).max(worse(high)));
            if least > 1.0 && worse(ratio) > 1.0 + tolerance {
                Verdict::Regressed
            } else if most < 1.0 && worse(ratio) < 1.0 / (1.0 + tolerance) {
                Verdict::Improved
            } else {
                Verdict::Same
            }
        }
    };
    Comparison {
        name: before.name.clone(),
        what: before.what.trim().to_string(),
        unit: before.unit.clone(),
        before: before.figure,
        after: after.figure,
        ratio,
        interval,
        verdict,
    }
}

/// Mean and variance of logarithms.
struct Logs {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Logs {
    fn of(samples: &[f64]) -> Logs {
        let count = samples.len() as f64;
        // A figure of zero is below what was measured; it must not make the mean infinite.
        let logs: Vec<f64> = samples.iter().map(|sample| sample.max(1e-12).ln()).collect();
        let mean = logs.iter().sum::<f64>() / count.max(1.0);
        let squares: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
        Logs { count, mean, variance: squares / (count - 1.0).max(1.0) }
    }
}

fn interval(a: &Logs, b: &Logs) -> Option<(f64, f64)> {
    if a.count < 2.0 || b.count < 2.0 {
        return None;
    }
    let (va, vb) = (a.variance / a.count, b.variance / b.count);
    let difference = b.mean - a.mean;
    if va + vb <= 0.0 {
        return Some((difference.exp(), difference.exp()));
    }
    // Welch–Satterthwaite.
    let freedom = (va + vb).powi(2) / (va.powi(2) / (a.count - 1.0) + vb.powi(2) / (b.count - 1.0));
    let half = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.975) * (va + vb).sqrt();
    Some(((difference - half).exp(), (difference + half).exp()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::median;

    fn row(better: Better, samples: &[f64]) -> Row {
        let row = Row::new("a", "a figure", median(samples), "ns", better, None);
        Row { samples: samples.to_vec(), ..row }
    }

    /// The interval of Welch's test on R's `t.test(log(b), log(a))`: samples 10, 11, 12 and 20, 22, 24 differ
    /// by log 2 exactly, variances equal, so df = 4 and half = 2.7764451 · sqrt(2 · var / 3).
    #[test]
    fn the_interval_is_welchs() {
        let (a, b) = (Logs::of(&[10.0, 11.0, 12.0]), Logs::of(&[20.0, 22.0, 24.0]));
        let (low, high) = interval(&a, &b).unwrap();
        let half = 2.776_445_105_197_798 * (2.0 * a.variance / 3.0).sqrt();
        assert!((low.ln() - (2f64.ln() - half)).abs() < 1e-9);
        assert!((high.ln() - (2f64.ln() + half)).abs() < 1e-9);
    }

    #[test]
    fn a_regression_is_worse_beyond_tolerance_and_chance() {
        let base = [100.0, 101.0, 99.0, 100.5];
        for (better, samples, verdict) in [
            (Better::Lower, [120.0, 121.0, 119.0, 120.5], Verdict::Regressed),
            (Better::Higher, [120.0, 121.0, 119.0, 120.5], Verdict::Improved),
            (Better::Higher, [80.0, 81.0, 79.0, 80.5], Verdict::Regressed),
            // Significant, but within the tolerance of 5 %.
            (Better::Lower, [103.0, 104.0, 102.0, 103.5], Verdict::Same),
            // Beyond the tolerance, but the samples scatter too much to say.
            (Better::Lower, [60.0, 190.0, 70.0, 180.0], Verdict::Same),
        ] {
            let compared = compare_rows(&row(better, &base), &row(better, &samples), 0.05);
            assert_eq!(compared.verdict, verdict, "{better:?} {samples:?}: {compared:?}");
        }
        let single = compare_rows(&row(Better::Lower, &[1.0]), &row(Better::Lower, &[9.0]), 0.05);
        assert_eq!((single.verdict, single.interval), (Verdict::Unknown, None));
    }
}
