//! Printing: data on stdout, notes on stderr.
#![allow(clippy::print_stdout)]

use crate::failure::{Failure, IO};
use std::io::{IsTerminal, Write};

/// Prints a line of data; a closed pipe ends the output quietly.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Prints a value as JSON.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure { code: IO, message: format!("cannot write JSON: {error}") })?;
    line(&text);
    Ok(())
}

/// Prints a note on stderr.
pub(crate) fn note(quiet: bool, text: &str) {
    if !quiet {
        let mut err = std::io::stderr().lock();
        writeln!(err, "{text}").ok();
    }
}

/// Prints an error on stderr.
pub(crate) fn error(text: &str) {
    let is_plain = std::env::var_os("NO_COLOR").is_some() || !std::io::stderr().is_terminal();
    let label = if is_plain { "error:" } else { "\x1b[1;31merror:\x1b[0m" };
    let mut err = std::io::stderr().lock();
    writeln!(err, "{label} {text}").ok();
}

/// A progress line that rewrites itself on a terminal; silent elsewhere.
pub(crate) struct ProgressLine {
    started: std::time::Instant,
    shown: std::time::Instant,
    is_shown: bool,
}

impl ProgressLine {
    pub(crate) fn new(quiet: bool) -> ProgressLine {
        let now = std::time::Instant::now();
        ProgressLine { started: now, shown: now, is_shown: !quiet && std::io::stderr().is_terminal() }
    }

    /// Shows how far `done` of `total` is, at most ten times a second.
    pub(crate) fn update(&mut self, what: &str, done: u64, total: u64) {
        let now = std::time::Instant::now();
        if !self.is_shown || now.duration_since(self.shown).as_millis() < 100 {
            return;
        }
        self.shown = now;
        let elapsed = now.duration_since(self.started).as_secs_f64();
        let rate = done as f64 / elapsed.max(1e-9);
        let eta = total.saturating_sub(done) as f64 / rate.max(1.0);
        let percent = if total == 0 { 100.0 } else { 100.0 * done as f64 / total as f64 };
        let mut err = std::io::stderr().lock();
        write!(err, "\r{what} {percent:5.1} %  {:.1} M/s  {eta:.0} s left  ", rate / 1e6).ok();
    }

    /// Clears the line.
    pub(crate) fn done(&self) {
        if self.is_shown {
            let mut err = std::io::stderr().lock();
            write!(err, "\r{:60}\r", "").ok();
        }
    }
}

/// Thousands separators for counts.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Money to the cent for tables.
pub(crate) fn cents(amount: onetape_engine::num::Money) -> String {
    amount.round_to_cent().to_string()
}

/// Columns that a table or remark may take.
const COLUMNS: usize = 100;

/// A text as lines that fit: the first begins with `first`, the others with `next`.
pub(crate) fn wrapped(first: &str, next: &str, text: &str) -> Vec<String> {
    let mut lines = vec![first.to_string()];
    for word in text.split_whitespace() {
        let width = lines.last().map_or(0, |line| line.chars().count());
        if width + 1 + word.chars().count() > COLUMNS {
            lines.push(next.to_string());
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    #[test]
    fn remarks_wrap_at_a_hundred_columns_and_lose_no_word() {
        let text = "09:45:00 word ".repeat(20);
        let lines = super::wrapped(" ", "           ", &text);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.chars().count() <= super::COLUMNS));
        let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
        assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn counts_have_separators() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1234567, "1,234,567")] {
            assert_eq!(super::count(n), text);
        }
    }
}
