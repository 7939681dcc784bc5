//! Surfaces over strike and time as an HTML page with a renderer of its own.

use super::escape;
use std::fmt::Write;

/// A quantity on a grid: `values[row][column]`, NaN for holes.
#[derive(Debug, Clone)]
pub struct Grid {
    /// Name in the menu, with the unit.
    pub name: String,
    /// Rows by time, columns by strike.
    pub values: Vec<Vec<f64>>,
}

/// A page with one or more quantities over the same axes.
#[derive(Debug, Clone)]
pub struct SurfacePage {
    /// Title.
    pub title: String,
    /// Where the data are from.
    pub source: String,
    /// Label of the column axis, with the unit.
    pub x_label: String,
    /// Label of the row axis, with the unit.
    pub y_label: String,
    /// Column positions, ascending.
    pub x: Vec<f64>,
    /// Row positions, ascending.
    pub y: Vec<f64>,
    /// The quantities.
    pub grids: Vec<Grid>,
}

const SCRIPT: &str = include_str!("surface.js");
const STYLE: &str = "body{margin:0;font:15px system-ui,sans-serif;color:#222;background:#fff}\
main{max-width:1100px;margin:auto;padding:8px 12px}h1{font-size:18px;margin:6px 0}\
canvas{width:100%;display:block;touch-action:none;cursor:grab}\
p{color:#666;font-size:12px;margin:4px 0}select{font:inherit}";

/// A number for the page; holes are `null`.
fn number(value: f64, out: &mut String) {
    if value.is_finite() {
        // Six significant digits are more than a screen has pixels.
        write!(out, "{}", format!("{value:.5e}").parse().unwrap_or(value)).ok();
    } else {
        out.push_str("null");
    }
}

fn numbers(values: &[f64], out: &mut String) {
    out.push('[');
    for (n, value) in values.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        number(*value, out);
    }
    out.push(']');
}

/// Text as a script's string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(out, "\\u{:04x}", c as u32).ok();
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl SurfacePage {
    /// The page; it needs no other file and no network.
    #[must_use]
    pub fn html(&self) -> String {
        let (title, source) = (escape(&self.title), escape(&self.source));
        let mut data = String::from("const DATA={x:");
        numbers(&self.x, &mut data);
        data.push_str(",y:");
        numbers(&self.y, &mut data);
        write!(data, ",xLabel:{},yLabel:{},grids:[", quoted(&self.x_label), quoted(&self.y_label)).ok();
        for grid in &self.grids {
            write!(data, "{{name:{},rows:[", quoted(&grid.name)).ok();
            for (n, row) in grid.values.iter().enumerate() {
                if n > 0 {
                    data.push(',');
                }
                numbers(row, &mut data);
            }
            data.push_str("]},");
        }
        data.push_str("]};");
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <title>{title}</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n\
             <label>Quantity <select id=\"q\"></select></label>\n<canvas id=\"c\"></canvas>\n\
             <p>Drag to turn, pinch or wheel to zoom, arrow keys to turn. {source}</p></main>\n\
             <script>{data}\n{SCRIPT}</script></body></html>\n"
        )
    }
}
