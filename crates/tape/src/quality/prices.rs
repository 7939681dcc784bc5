//! Which prices stand out, and which bars mix two split bases.

use onetape_engine::record::Bar;

/// Prices that a judgement looks back on.
const WINDOW: usize = 15;
/// Prices needed before anything is judged.
const WARM: usize = 5;
/// Robust standard deviations beyond which a price stands out.
const DEVIATIONS: i64 = 10;
/// Silence after which prices may have moved: three hours, or four times the instrument's own rhythm.
const PAUSE_NS: u64 = 3 * 3_600_000_000_000;

/// New shares for old ones, × 2 (3:2 is 3): the ratios that splits have.
const SPLITS_TWICE: [i64; 14] = [3, 4, 6, 8, 10, 12, 14, 16, 20, 30, 40, 50, 60, 100];

/// The prices of one kind of an instrument, last ones first out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    prices: [i64; WINDOW],
    held: u8,
    next: u8,
    last: i64,
    last_ts: u64,
    last_gap: u64,
    was_outlier: bool,
}

impl Window {
    /// Takes a price; true when it stands out from the median of those before it by more than ten
    /// robust standard deviations (1.4826 × median absolute deviation, at least `floor_permille`
    /// of the median and `floor`).
    pub(super) fn take(&mut self, price: i64, ts: u64, floor_permille: i64, floor: i64) -> bool {
        let gap = ts.saturating_sub(self.last_ts);
        if self.held > 0 && gap > PAUSE_NS.max(4 * self.last_gap) {
            self.held = 0;
        }
        if self.held > 0
            && gap > PAUSE_NS
            && split_ratio(price.max(self.last), price.min(self.last)).is_some()
        {
            self.held = 0;
        }
        if self.last_ts > 0 && gap > 0 {
            self.last_gap = gap;
        }
        let step = (price - self.last).abs();
        // A price within a tenth of its bound of the last one, itself no outlier, needs no median.
        let is_near = !self.was_outlier && step <= (self.last.abs() / 1000 * floor_permille).max(floor);
        let is_outlier = usize::from(self.held) >= WARM && !is_near && {
            let count = usize::from(self.held);
            let centre = median(&self.prices[..count], |price| price);
            let spread = median(&self.prices[..count], |price| (price - centre).abs());
            // 1.4826 in thousandths.
            let scale =
                (spread.saturating_mul(1483) / 1000).max(centre.abs() / 1000 * floor_permille).max(floor);
            (price - centre).abs() > scale.saturating_mul(DEVIATIONS)
        };
        self.prices[usize::from(self.next)] = price;
        self.next = (self.next + 1) % WINDOW as u8;
        if self.held == 0 {
            self.prices[0] = price;
            self.next = 1;
        }
        self.held = (self.held + 1).min(WINDOW as u8);
        (self.last, self.last_ts, self.was_outlier) = (price, ts, is_outlier);
        is_outlier
    }
}

fn median(values: &[i64], of: impl Fn(i64) -> i64) -> i64 {
    let mut sorted = [0i64; WINDOW];
    let sorted = &mut sorted[..values.len()];
    for (slot, value) in sorted.iter_mut().zip(values) {
        *slot = of(*value);
    }
    sorted.sort_unstable();
    sorted[values.len() / 2]
}

/// The split ratio (× 2) that `high ÷ low` is within 2 % of.
pub(super) fn split_ratio(high: i64, low: i64) -> Option<i64> {
    if low <= 0 {
        return None;
    }
    let (twice, low) = (2 * i128::from(high), i128::from(low));
    SPLITS_TWICE
        .into_iter()
        .find(|ratio| (twice - i128::from(*ratio) * low).abs() * 50 <= i128::from(*ratio) * low)
}

/// The split ratio (× 2) of a bar whose four prices lie at two levels that far apart.
pub(super) fn mixed_bases(bar: &Bar) -> Option<i64> {
    let ratio = split_ratio(bar.high, bar.low)?;
    let is_at =
        |price: i64, level: i64| (i128::from(price) - i128::from(level)).abs() * 20 <= i128::from(level);
    let is_two_levels =
        [bar.open, bar.close].into_iter().all(|price| is_at(price, bar.high) || is_at(price, bar.low));
    is_two_levels.then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CENT: i64 = 10_000_000;
    const SECOND: u64 = 1_000_000_000;

    fn feed(window: &mut Window, prices: &[i64], step: u64) -> Vec<usize> {
        let mut ts = window.last_ts.max(SECOND);
        let mut found = Vec::new();
        for (place, price) in prices.iter().enumerate() {
            ts += step;
            if window.take(*price * CENT, ts, 5, 2 * CENT) {
                found.push(place);
            }
        }
        found
    }

    #[test]
    fn spikes_stand_out_and_moves_do_not() {
        let mut window = Window::default();
        assert_eq!(
            feed(&mut window, &[5000, 5001, 5002, 5001, 5000, 5001, 500, 5001, 50_000], SECOND),
            [6, 8]
        );
        let rising: Vec<i64> = (0..300).map(|i| 5000 + i * 20).collect();
        assert_eq!(feed(&mut Window::default(), &rising, SECOND), Vec::<usize>::new());
        // A level shift stands out until it is half of what is remembered.
        let mut shifted = vec![5000; 15];
        shifted.extend([6000; 15]);
        let found = feed(&mut Window::default(), &shifted, SECOND);
        assert!(!found.is_empty() && found.len() <= 9, "{found:?}");
    }

    #[test]
    fn a_night_or_a_split_begins_anew() {
        let mut window = Window::default();
        feed(&mut window, &[5000; 15], SECOND);
        assert_eq!(feed(&mut window, &[9000; 15], 16 * 3600 * SECOND)[..], [0usize; 0]);
        // Daily bars: the rhythm is a day, and a 7:1 split is no spike.
        let mut window = Window::default();
        let day = 86_400 * SECOND;
        assert_eq!(
            feed(&mut window, &[64500, 64400, 64300, 64500, 64600, 9230, 9240, 9235, 9230, 9250, 3300], day),
            [10]
        );
    }

    #[test]
    fn bars_at_two_levels_a_split_apart() {
        let bar = |open: i64, high: i64, low: i64, close: i64| Bar {
            open: open * 100_000,
            high: high * 100_000,
            low: low * 100_000,
            close: close * 100_000,
            volume: 1,
        };
        assert_eq!(mixed_bases(&bar(6_455_700, 6_455_700, 922_300, 924_200)), Some(14));
        assert_eq!(mixed_bases(&bar(924_600, 925_000, 924_600, 925_000)), None);
        // A fall to half through every price between is a fall.
        assert_eq!(mixed_bases(&bar(1_000_000, 1_000_000, 500_000, 750_000)), None);
        assert_eq!(mixed_bases(&bar(1_000_000, 1_000_000, 0, 0)), None);
    }
}
