//! Pictures as self-contained files: line charts as SVG, surfaces as HTML with their own renderer.
//!
//! Colours are from Okabe & Ito's palette and cividis, which people with any colour vision can tell
//! apart; every picture has its title, its source, and axes with units.

mod chart;
mod surface;

pub use chart::{Band, Chart, Line};
pub use surface::{Grid, SurfacePage};

/// Text as it may stand in SVG and HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// About `count` round numbers that cover an interval.
fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let raw = (high - low) / count.max(1) as f64;
    if !raw.is_finite() || raw <= 0.0 {
        return vec![low];
    }
    let power = 10.0_f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= raw).unwrap_or(raw);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).take(50).map(|n| n as f64 * step).collect()
}

/// A tick's label: enough digits for its step.
fn label(value: f64, step: f64) -> String {
    let digits = if step > 0.0 { (-step.log10().floor()).clamp(0.0, 6.0) as usize } else { 2 };
    // 2.5 needs a digit more than its power of ten.
    let needs_more = (step * 10.0_f64.powi(digits as i32)).fract().abs() > 1e-6;
    let text = format!("{value:.*}", digits + usize::from(needs_more));
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        text.replace('-', "")
    } else {
        text
    }
}

/// One page around a picture.
#[must_use]
pub fn page(title: &str, svg: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{title}</title>\n\
         <style>body{{margin:0;padding:8px;background:#fff}}svg{{display:block;width:100%;height:auto;\
         max-width:1100px;margin:auto}}</style></head>\n<body>\n{svg}\n</body></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(93.0, 107.0, 4), [95.0, 100.0, 105.0]);
        assert_eq!(ticks(1.0, 1.0, 4), [1.0]);
        assert_eq!(ticks(f64::NAN, 1.0, 4).len(), 1);
    }

    #[test]
    fn labels_show_the_step() {
        for (value, step, text) in [
            (100.0, 5.0, "100"),
            (0.25, 0.05, "0.25"),
            (-0.0, 1.0, "0"),
            (2.5, 2.5, "2.5"),
            (0.025, 0.025, "0.025"),
        ] {
            assert_eq!(label(value, step), text);
        }
    }
}
