//! Percentile curves as one self-contained picture.

use super::stages::Curve;
use std::fmt::Write;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 880.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 420.0;
/// Percentiles run from 0 to five nines.
const NINES: f64 = 5.0;
const COLOURS: [&str; 5] = ["#1f6feb", "#d1242f", "#8250df", "#57606a", "#1a7f37"];

/// Where a share of events and a latency lie in the picture, both axes logarithmic.
struct Axes {
    /// Decades of the latency axis, powers of ten of a nanosecond.
    low: f64,
    high: f64,
}

impl Axes {
    fn x(share: f64) -> f64 {
        let nines = -(1.0 - share).max(10f64.powf(-NINES)).log10();
        LEFT + (RIGHT - LEFT) * nines / NINES
    }

    fn y(&self, ns: f64) -> f64 {
        let log = ns.max(1.0).log10().clamp(self.low, self.high);
        BOTTOM - (BOTTOM - TOP) * (log - self.low) / (self.high - self.low)
    }
}

/// A latency for a person.
pub(super) fn duration_text(ns: f64) -> String {
    match ns {
        _ if ns >= 1e9 => format!("{:.4} s", ns / 1e9),
        _ if ns >= 1e6 => format!("{:.1} ms", ns / 1e6),
        _ if ns >= 1e3 => format!("{:.1} µs", ns / 1e3),
        _ => format!("{ns:.0} ns"),
    }
}

/// The curves as SVG: share of events on x, latency on y, both logarithmic.
pub fn svg(title: &str, curves: &[Curve]) -> String {
    let all = || curves.iter().flat_map(|curve| curve.points.iter().map(|(_, ns)| (*ns as f64).max(1.0)));
    let low = all().fold(f64::MAX, f64::min).log10().floor().min(6.0);
    let high = all().fold(1.0, f64::max).log10().ceil().max(low + 1.0);
    let axes = Axes { low, high };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    text(&mut out, LEFT, 24.0, "start", &escape(title));
    grid(&mut out, &axes);
    for (n, curve) in curves.iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let points: Vec<String> = curve
            .points
            .iter()
            .map(|(share, ns)| format!("{:.1},{:.1}", Axes::x(*share), axes.y(*ns as f64)))
            .collect();
        let path = points.join(" ");
        writeln!(out, "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{path}\"/>")
            .ok();
        let (x, y) = (LEFT + 12.0, TOP + 18.0 * (n as f64 + 1.0));
        writeln!(out, "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"3\" fill=\"{colour}\"/>", y - 5.0).ok();
        text(&mut out, x + 18.0, y, "start", &escape(&curve.name));
    }
    out.push_str("</svg>\n");
    out
}

fn grid(out: &mut String, axes: &Axes) {
    let mut line = |x1: f64, y1: f64, x2: f64, y2: f64| {
        writeln!(
            out,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#d0d7de\"/>"
        )
        .ok();
    };
    let decades: Vec<f64> = (axes.low as i32..=axes.high as i32).map(|log| 10f64.powi(log)).collect();
    let shares = [(0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %")];
    let shares = shares.into_iter().chain([(0.9999, "99.99 %"), (0.99999, "99.999 %")]);
    decades.iter().for_each(|ns| line(LEFT, axes.y(*ns), RIGHT, axes.y(*ns)));
    shares.clone().for_each(|(share, _)| line(Axes::x(share), TOP, Axes::x(share), BOTTOM));
    for ns in decades {
        text(out, LEFT - 8.0, axes.y(ns) + 4.0, "end", &duration_text(ns));
    }
    for (share, name) in shares {
        text(out, Axes::x(share), BOTTOM + 18.0, "middle", name);
    }
    text(out, (LEFT + RIGHT) / 2.0, BOTTOM + 40.0, "middle", "share of events at or below");
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, what: &str) {
    writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#24292f\">{what}</text>")
        .ok();
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_names_its_curves_and_stays_within_its_frame() {
        let points = vec![(0.0, 900), (0.5, 1_000), (0.99, 30_000), (1.0, 2_000_000)];
        let curve = Curve { name: "tick < order".to_string(), points };
        let picture = svg("latency & hiccups", &[curve]);
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
        assert!(picture.contains("tick &lt; order") && picture.contains("latency &amp; hiccups"));
        let line = picture.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        for point in line.split(' ') {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((LEFT..=RIGHT).contains(&x) && (TOP..=BOTTOM).contains(&y), "{point}");
        }
        assert!(!picture.contains("http://") || picture.matches("http").count() == 1, "nothing is fetched");
    }

    #[test]
    fn latencies_have_units() {
        for (ns, text) in [(12.0, "12 ns"), (1_500.0, "1.5 µs"), (2e6, "2.0 ms"), (1e9, "1.0000 s")] {
            assert_eq!(duration_text(ns), text);
        }
    }
}
