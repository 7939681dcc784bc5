//! A minimal reader for the reference tables.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// One row: column name to text.
pub(crate) struct Row {
    columns: BTreeMap<String, String>,
}

impl Row {
    /// The column's text, empty when the table has no such column.
    pub(crate) fn text(&self, column: &str) -> &str {
        self.columns.get(column).map_or("", String::as_str)
    }

    /// The column as a number; `nan` and blanks give NaN.
    pub(crate) fn number(&self, column: &str) -> f64 {
        self.text(column).parse().unwrap_or(f64::NAN)
    }
}

/// All rows of `golden/pricing/<name>`, or `None` (with one line of explanation)
/// when the reference folder is absent.
pub(crate) fn rows(name: &str) -> Option<Vec<Row>> {
    let root = std::env::var_os("ONETAPE_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let path = root.join("golden/pricing").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is absent", path.display());
        return None;
    };
    let mut lines = text.lines();
    let header = split(lines.next().unwrap_or_default());
    Some(
        lines
            .filter(|line| !line.is_empty())
            .map(|line| Row { columns: header.iter().cloned().zip(split(line)).collect() })
            .collect(),
    )
}

/// Splits one CSV line; double quotes protect commas.
fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().expect("starts with one field").push(c),
        }
    }
    fields
}

/// Largest error of a file, with the row that has it.
#[derive(Default)]
pub(crate) struct Worst {
    error: f64,
    id: String,
}

impl Worst {
    /// Records `error` of row `id`; NaN counts as infinite.
    pub(crate) fn see(&mut self, error: f64, id: &str) {
        let error = if error.is_nan() { f64::INFINITY } else { error };
        if error >= self.error {
            *self = Self { error, id: id.to_owned() };
        }
    }

    /// Prints the worst error and asserts it within `tolerance`.
    pub(crate) fn check(&self, what: &str, tolerance: f64) {
        println!("{what}: worst error {:.3e} (row {}), tolerance {tolerance:.0e}", self.error, self.id);
        assert!(self.error <= tolerance, "{what}: {:e} in row {}", self.error, self.id);
    }
}

/// `|found - expected| / |expected|`.
pub(crate) fn relative(found: f64, expected: f64) -> f64 {
    ((found - expected) / expected).abs()
}
