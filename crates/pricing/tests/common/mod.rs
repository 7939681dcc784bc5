//! Reads the golden files, which live beside the workspace and may be absent.
#![allow(dead_code)]
use std::path::PathBuf;

pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

pub(crate) struct Row<'a> {
    table: &'a Table,
    cells: &'a [String],
}

/// The golden file `name`, or `None` with a line that says so.
pub(crate) fn table(name: &str) -> Option<Table> {
    let shared = std::env::var_os("ONETAPE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = shared.join("golden/pricing").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there (set ONETAPE_SHARED)", path.display());
        return None;
    };
    let mut lines = text.lines().map(split);
    let header = lines.next().expect("a header");
    Some(Table { header, rows: lines.collect() })
}

/// A CSV line; a quoted cell may hold commas.
fn split(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().expect("one cell at least").push(c),
        }
    }
    cells
}

impl Table {
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { table: self, cells })
    }
}

impl Row<'_> {
    pub(crate) fn text(&self, column: &str) -> &str {
        let at = self.table.header.iter().position(|name| name == column);
        &self.cells[at.unwrap_or_else(|| panic!("no column {column}"))]
    }

    /// NaN for a blank cell.
    pub(crate) fn number(&self, column: &str) -> f64 {
        let text = self.text(column);
        if text.is_empty() {
            return f64::NAN;
        }
        // "100.0-1e-7": a difference written out.
        if let Some(at) = text
            .rfind('-')
            .filter(|&at| at > 0 && text[at..].parse::<f64>().is_ok() && !text[..at].ends_with('e'))
        {
            return text[..at].parse::<f64>().expect("a number")
                + text[at..].parse::<f64>().expect("a number");
        }
        if let Some((a, b)) = text.split_once(".0-") {
            return a.parse::<f64>().expect("a number") - b.parse::<f64>().expect("a number");
        }
        text.parse().unwrap_or_else(|_| panic!("{column}: {text}"))
    }
}
