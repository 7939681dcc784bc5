//! Moments of one-minute returns, with stretches of the session that can be left out.

/// Stretches of ten minutes: short enough that several lie in each part of the day that a ratio compares.
const STRETCH_MINUTES: u64 = 10;
pub(super) const STRETCHES_PER_DAY: usize = 39;

/// A one-minute return.
#[derive(Debug, Clone, Copy)]
pub(super) struct Return {
    pub(super) minute: u64,
    pub(super) stretch: usize,
    pub(super) value: f64,
}

pub(super) fn stretch_of(day: usize, minute: u64) -> usize {
    day * STRETCHES_PER_DAY + (minute / STRETCH_MINUTES).min(STRETCHES_PER_DAY as u64 - 1) as usize
}

/// The returns outside a stretch.
pub(super) fn values(returns: &[Return], without: Option<usize>) -> Vec<f64> {
    returns.iter().filter(|found| without != Some(found.stretch)).map(|found| found.value).collect()
}

/// Mean size of the returns of the first half hour over that of midday.
pub(super) fn diurnal_ratio(returns: &[Return], without: Option<usize>) -> f64 {
    let mean = |from: u64, to: u64| {
        let sizes: Vec<f64> = returns
            .iter()
            .filter(|found| (from..to).contains(&found.minute) && without != Some(found.stretch))
            .map(|found| found.value.abs())
            .collect();
        sizes.iter().sum::<f64>() / sizes.len() as f64
    };
    mean(0, 30) / mean(150, 270)
}

pub(super) fn kurtosis(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    let fourth =
        values.iter().map(|x| (x - mean) * (x - mean) * (x - mean) * (x - mean)).sum::<f64>() / count;
    fourth / (square * square)
}

pub(super) fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let square: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    let product: f64 = values.iter().zip(values.iter().skip(lag)).map(|(a, b)| (a - mean) * (b - mean)).sum();
    product / square
}
