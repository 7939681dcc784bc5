//! Line charts as SVG.

use super::{escape, label, ticks};
use std::fmt::Write;

/// Okabe & Ito (2008), without the yellow that is too light on white.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 470.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 88.0;

/// A line.
#[derive(Debug, Clone)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Points; a gap where a coordinate is not finite.
    pub points: Vec<(f64, f64)>,
    /// Drawn with dashes.
    pub is_dashed: bool,
}

/// A vertical bar from low to high at x, such as a bid–ask band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// Place.
    pub x: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Which line's colour.
    pub line: usize,
}

/// A chart.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// Title.
    pub title: String,
    /// Where the data are from.
    pub source: String,
    /// Label of the horizontal axis, with the unit.
    pub x_label: String,
    /// Label of the vertical axis, with the unit.
    pub y_label: String,
    /// Lines.
    pub lines: Vec<Line>,
    /// Bars.
    pub bands: Vec<Band>,
    /// Places on the horizontal axis with a name, such as break-evens.
    pub marks: Vec<(f64, String)>,
    /// Whether the vertical axis must show zero, and the area to it is shaded under the first line.
    pub has_zero: bool,
}

struct Scale {
    x: (f64, f64),
    y: (f64, f64),
}

impl Scale {
    fn x(&self, value: f64) -> f64 {
        LEFT + (value - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (value - self.y.0) / (self.y.1 - self.y.0) * (HEIGHT - TOP - BOTTOM)
    }
}

fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        (0.0, 1.0)
    } else if low == high {
        (low - 0.5, high + 0.5)
    } else {
        (low, high)
    }
}

impl Chart {
    /// The chart as a self-contained SVG document.
    #[must_use]
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = span(points().map(|p| p.0).chain(self.bands.iter().map(|band| band.x)));
        let zero = self.has_zero.then_some(0.0);
        let bands = self.bands.iter().flat_map(|band| [band.low, band.high]);
        let (low, high) = span(points().map(|p| p.1).chain(bands).chain(zero));
        let margin = 0.05 * (high - low);
        let scale = Scale { x, y: (low - margin, high + margin) };
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             font-family=\"system-ui,sans-serif\" font-size=\"15\" fill=\"#222\">\n\
             <title>{title}</title>\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
             <text x=\"{LEFT}\" y=\"24\" font-size=\"18\" font-weight=\"600\">{title}</text>\n",
            title = escape(&self.title)
        );
        self.axes(&scale, &mut out);
        self.shade(&scale, &mut out);
        self.bars(&scale, &mut out);
        self.draw_lines(&scale, &mut out);
        self.draw_marks(&scale, &mut out);
        self.legend(&mut out);
        let source = escape(&self.source);
        // Writing to a String cannot fail.
        writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{:.0}\" font-size=\"12\" fill=\"#666\">{source}</text>\n</svg>",
            HEIGHT - 10.0
        )
        .ok();
        out
    }

    fn axes(&self, scale: &Scale, out: &mut String) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        let across = ticks(scale.x.0, scale.x.1, 6);
        let step = across.get(1).map_or(1.0, |second| second - across[0]);
        for tick in &across {
            let (x, text) = (scale.x(*tick), label(*tick, step));
            writeln!(
                out,
                "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"#e6e6e6\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                bottom + 19.0
            )
            .ok();
        }
        let up = ticks(scale.y.0, scale.y.1, 6);
        let step = up.get(1).map_or(1.0, |second| second - up[0]);
        for tick in &up {
            let (y, text) = (scale.y(*tick), label(*tick, step));
            let stroke = if *tick == 0.0 && self.has_zero { "#777" } else { "#e6e6e6" };
            writeln!(
                out,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"{stroke}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                LEFT - 7.0,
                y + 5.0
            )
            .ok();
        }
        let middle = 0.5 * (LEFT + right);
        let (x_label, y_label) = (escape(&self.x_label), escape(&self.y_label));
        writeln!(out, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{x_label}</text>", bottom + 42.0)
            .ok();
        let middle = 0.5 * (TOP + bottom);
        writeln!(
            out,
            "<text transform=\"translate(17 {middle}) rotate(-90)\" text-anchor=\"middle\">{y_label}</text>"
        )
        .ok();
    }

    /// Gains and losses under the first line.
    fn shade(&self, scale: &Scale, out: &mut String) {
        let Some(first) = self.lines.first().filter(|_| self.has_zero) else { return };
        for (is_gain, colour) in [(true, COLOURS[0]), (false, COLOURS[1])] {
            let clipped = |y: f64| if is_gain { y.max(0.0) } else { y.min(0.0) };
            let mut path = String::new();
            for (x, y) in first.points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()) {
                let command = if path.is_empty() { 'M' } else { 'L' };
                write!(path, "{command}{:.1} {:.1}", scale.x(*x), scale.y(clipped(*y))).ok();
            }
            let (left, right) = (scale.x(scale.x.0), scale.x(scale.x.1));
            let zero = scale.y(0.0);
            writeln!(out, "<path d=\"{path}L{right:.1} {zero:.1}L{left:.1} {zero:.1}Z\" fill=\"{colour}\" opacity=\"0.14\"/>").ok();
        }
    }

    fn bars(&self, scale: &Scale, out: &mut String) {
        for band in &self.bands {
            let (x, low, high) = (scale.x(band.x), scale.y(band.low), scale.y(band.high));
            let colour = COLOURS[band.line % COLOURS.len()];
            writeln!(
                out,
                "<path d=\"M{x:.1} {low:.1}V{high:.1}M{:.1} {low:.1}h5M{:.1} {high:.1}h5\" stroke=\"{colour}\" opacity=\"0.55\" stroke-width=\"1.4\"/>",
                x - 2.5,
                x - 2.5
            )
            .ok();
        }
    }

    fn draw_lines(&self, scale: &Scale, out: &mut String) {
        for (n, line) in self.lines.iter().enumerate() {
            let (mut path, mut is_drawing) = (String::new(), false);
            for (x, y) in &line.points {
                if x.is_finite() && y.is_finite() {
                    let command = if is_drawing { 'L' } else { 'M' };
                    write!(path, "{command}{:.1} {:.1}", scale.x(*x), scale.y(*y)).ok();
                    is_drawing = true;
                } else {
                    is_drawing = false;
                }
            }
            let dash = if line.is_dashed { " stroke-dasharray=\"7 5\"" } else { "" };
            let colour = COLOURS[n % COLOURS.len()];
            writeln!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.2\" stroke-linejoin=\"round\"{dash}/>").ok();
        }
    }

    fn draw_marks(&self, scale: &Scale, out: &mut String) {
        let bottom = HEIGHT - BOTTOM;
        let shown = || {
            let placed = self.marks.iter().enumerate().map(|(n, (at, name))| (n, *at, scale.x(*at), name));
            placed.filter(|(_, _, x, _)| (LEFT..=WIDTH - RIGHT).contains(x))
        };
        // Every line before any name: a halo keeps the names readable over the lines.
        for (_, _, x, _) in shown() {
            writeln!(out, "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"#555\" stroke-dasharray=\"2 3\"/>")
                .ok();
        }
        for (n, at, x, name) in shown() {
            // Names stand away from the first mark (the spot), so that neighbours do not cover each other.
            let is_left = self.marks.first().is_some_and(|first| at < first.0) && x > LEFT + 60.0;
            let anchor = if is_left || x > 0.85 * WIDTH { "end" } else { "start" };
            let (offset, y) =
                (if anchor == "end" { -4.0 } else { 4.0 }, bottom - 7.0 - 16.0 * (n % 3) as f64);
            let name = escape(name);
            writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"12.5\" text-anchor=\"{anchor}\" paint-order=\"stroke\" stroke=\"#fff\" stroke-width=\"3\">{name}</text>",
                x + offset
            )
            .ok();
        }
    }

    fn legend(&self, out: &mut String) {
        // About 6.6 units a character at this size, the sample of the line and a gap.
        let width = |line: &Line| 29.0 + 6.6 * line.name.chars().count() as f64 + 14.0;
        let total: f64 = self.lines.iter().map(width).sum();
        let is_wide = total > WIDTH - LEFT - RIGHT;
        let half = if is_wide { self.lines.len().div_ceil(2) } else { self.lines.len() };
        let (mut x, mut y) = (LEFT, if is_wide { 38.0 } else { 44.0 });
        for (n, line) in self.lines.iter().enumerate() {
            if n == half {
                (x, y) = (LEFT, 55.0);
            }
            let colour = COLOURS[n % COLOURS.len()];
            let dash = if line.is_dashed { " stroke-dasharray=\"7 5\"" } else { "" };
            let name = escape(&line.name);
            writeln!(
                out,
                "<path d=\"M{x:.0} {y}h24\" stroke=\"{colour}\" stroke-width=\"2.6\"{dash}/><text x=\"{:.0}\" y=\"{}\" font-size=\"13\">{name}</text>",
                x + 29.0,
                y + 5.0
            )
            .ok();
            x += width(line);
        }
    }
}
