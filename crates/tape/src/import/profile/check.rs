//! What a profile must hold beyond the form of its keys.

use super::spec::{BookSpec, Columns, Field, Form, NullSide, Profile, RecordKind, Stamp};
use onetape_calendar::Date;

/// A key of the profile and what is wrong with it.
type Problem = (&'static str, String);

/// Line (from 1) of the first line that begins with a key or table header; 1 when none does.
pub(super) fn line_of(text: &str, key: &str) -> usize {
    let is_key = |line: &str| {
        let line = line.trim_start().trim_start_matches('[').trim_start();
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.']))
    };
    text.lines().position(is_key).map_or(1, |index| index + 1)
}

impl Profile {
    pub(super) fn check(&self) -> Result<(), Problem> {
        self.check_book()?;
        self.check_columns()?;
        self.check_time()?;
        self.check_symbol()?;
        let delimiter = self.delimiter();
        if delimiter.is_none() {
            let what = format!("'{}' is not one character (or \"tab\")", self.file.delimiter);
            return Err(("delimiter", what));
        }
        if self.file.header != self.file.columns.is_empty() {
            let what = "a file without header (header = false) needs file.columns, one with a header none";
            return Err(("file", what.to_string()));
        }
        if self.size.lot == 0 || self.size.assumed == Some(0) {
            return Err(("size", "lot and assumed are 1 or more".to_string()));
        }
        if let Some(date) = &self.size.lot_until
            && date.parse::<Date>().is_err()
        {
            return Err(("lot_until", format!("'{date}' is not a date such as 2025-11-03")));
        }
        if self.trade_rows.is_some() && !matches!(self.record, RecordKind::Quote | RecordKind::BookSnapshot) {
            return Err((
                "trade_rows",
                "only rows of quotes and book snapshots can also state a trade".to_string(),
            ));
        }
        let has_quotes =
            matches!(self.record, RecordKind::Quote | RecordKind::Chain) || self.record.is_depth();
        if self.non_firm.is_some() && !has_quotes {
            return Err(("non_firm", "only quotes and books can be non-firm".to_string()));
        }
        if self.snapshot.is_some() && !has_quotes {
            return Err(("snapshot", "only quotes and books are marked as of a snapshot".to_string()));
        }
        self.check_marks()?;
        if self.file.null_side == NullSide::Unstated && self.record == RecordKind::Trade {
            return Err(("null_side", "trades have no sides".to_string()));
        }
        Ok(())
    }

    /// The byte between columns.
    pub(super) fn delimiter(&self) -> Option<u8> {
        match self.file.delimiter.as_bytes() {
            b"tab" => Some(b'\t'),
            [one] if !matches!(one, b'"' | b'\n' | b'\r') => Some(*one),
            _ => None,
        }
    }

    /// The columns of each level of a book, best first; `{}` in a name stands for the number of the level,
    /// `{00}` for two digits of it.
    pub(super) fn levels(&self) -> Vec<Columns> {
        if self.record != RecordKind::BookSnapshot {
            return Vec::new();
        }
        let of_level = |level: usize| {
            let number = usize::from(self.book.first) + level;
            let named = self.columns.iter().filter(|(_, column)| column.contains('{'));
            named
                .map(|(field, column)| {
                    let name = column.replace("{00}", &format!("{number:02}"));
                    (*field, name.replace("{}", &number.to_string()))
                })
                .collect()
        };
        (0..usize::from(self.book.levels)).map(of_level).collect()
    }

    /// The column tables that together describe each instrument of a row.
    pub(super) fn legs(&self) -> Vec<Columns> {
        let joined = |leg: &Columns| {
            let mut all = self.columns.clone();
            all.extend(leg.iter().map(|(field, column)| (*field, column.clone())));
            all
        };
        match (&self.call, &self.put) {
            (Some(call), Some(put)) => vec![joined(call), joined(put)],
            _ => vec![
                self.columns
                    .iter()
                    .filter(|(_, column)| !column.contains('{'))
                    .map(|(f, c)| (*f, c.clone()))
                    .collect(),
            ],
        }
    }

    fn check_marks(&self) -> Result<(), Problem> {
        for (key, spec) in
            [("non_firm", &self.non_firm), ("snapshot", &self.snapshot), ("book", &self.book.last)]
        {
            if spec.as_ref().is_some_and(|spec| spec.values.is_empty() == spec.mask.is_none()) {
                return Err((key, "state either values or mask of the column".to_string()));
            }
        }
        Ok(())
    }

    fn check_book(&self) -> Result<(), Problem> {
        let fail = |key, what: &str| Err((key, what.to_string()));
        let is_snapshot = self.record == RecordKind::BookSnapshot;
        if is_snapshot != (self.book.levels > 0) || self.book.levels > 100 {
            return fail("book", "book.levels (1 to 100) belongs to record = \"book_snapshot\"");
        }
        if !self.record.is_depth() && self.book != BookSpec::default() {
            return fail("book", "only book_level and book_snapshot rows have a book");
        }
        if self.record == RecordKind::BookLevel && self.side.is_none() {
            return fail("side", "a book_level row needs [side]: which texts are bids (buy) and asks (sell)");
        }
        let needs_number = [Field::Bid, Field::Ask, Field::BidSize, Field::AskSize];
        let is_plain = |field: &Field| self.columns.get(field).is_some_and(|column| !column.contains('{'));
        if is_snapshot && needs_number.iter().any(is_plain) {
            return fail("columns", "names of levels hold {} for their number, for example bids[{}].price");
        }
        if self.record.is_depth() && (self.time.sampled || self.call.is_some()) {
            return fail("record", "books are rows of their own: no sampled, call or put");
        }
        Ok(())
    }

    fn check_columns(&self) -> Result<(), Problem> {
        if self.call.is_some() != self.put.is_some() {
            return Err(("call", "[call] and [put] come together".to_string()));
        }
        if self.call.is_some() && self.record != RecordKind::Chain {
            return Err(("call", "only chain rows hold a call and a put".to_string()));
        }
        let (required, optional) = self.record.fields();
        let kind = self.record.name();
        for leg in self.legs() {
            let is_mapped = |field| leg.contains_key(field) || self.columns.contains_key(field);
            if let Some(missing) = required.iter().find(|field| !is_mapped(field)) {
                return Err(("columns", format!("a {kind} profile needs the column of '{}'", key(*missing))));
            }
            if let Some(extra) = leg.keys().find(|f| !required.contains(f) && !optional.contains(f)) {
                return Err(("columns", format!("a {kind} row has no '{}'", key(*extra))));
            }
            use super::spec::Field::{AskSize, BidSize, Close, High, Low, Open, Price, Size};
            let has = |field| leg.contains_key(&field);
            if self.record == RecordKind::Chain {
                let bar = [Open, High, Low, Close].into_iter().filter(|field| has(*field)).count();
                if bar != 0 && bar != 4 {
                    let what = "open, high, low and close come together".to_string();
                    return Err(("columns", what));
                }
            }
            let is_quote =
                matches!(self.record, RecordKind::Quote | RecordKind::Chain | RecordKind::QuoteBar);
            if is_quote && self.size.assumed.is_none() && !(has(BidSize) && has(AskSize)) {
                let what = "map bid_size and ask_size, or state size.assumed for a source without sizes";
                return Err(("columns", what.to_string()));
            }
            if self.trade_rows.is_some() && !(has(Price) && has(Size)) {
                return Err(("trade_rows", "trade_rows needs the columns of price and size".to_string()));
            }
        }
        Ok(())
    }

    fn check_time(&self) -> Result<(), Problem> {
        let time = &self.time;
        let fail = |what: &str| Err(("time", what.to_string()));
        if time.event.is_some() && time.date.is_some() {
            return fail("event and date exclude each other");
        }
        if time.event.is_none() && time.date.is_none() && time.known.is_none() {
            return fail("name a column: known, event, or date with clock or at");
        }
        if time.date.is_some() && time.clock.is_none() == time.at.is_none() {
            return fail("a date needs either clock (a column) or at (close, close-14m, 15:45)");
        }
        if time.date.is_none() && (time.clock.is_some() || time.at.is_some()) {
            return fail("clock and at belong to date");
        }
        let has_interval = time.interval.is_some() || time.interval_column.is_some();
        if time.interval.is_some() && time.interval_column.is_some() {
            return fail("interval and interval_column exclude each other");
        }
        if time.interval_column.is_some() && time.intervals.is_empty() {
            return fail("interval_column needs the table time.intervals");
        }
        if (time.stamp == Stamp::Start || time.sampled) && !has_interval {
            return fail("stamp = \"start\" and sampled need interval or interval_column");
        }
        Ok(())
    }

    fn check_symbol(&self) -> Result<(), Problem> {
        let symbol = &self.symbol;
        let parts = [&symbol.root, &symbol.expiry, &symbol.strike, &symbol.right];
        let count = parts.iter().filter(|part| part.is_some()).count();
        let has_legs = self.call.is_some();
        let fail = |what: &str| Err(("symbol", what.to_string()));
        let ways = usize::from(symbol.column.is_some()) + usize::from(symbol.name.is_some());
        let is_named = match (ways, count) {
            (1, 0) => has_legs == symbol.put_column.is_some() && !(has_legs && symbol.name.is_some()),
            (0, 4) => !has_legs && symbol.put_column.is_none(),
            (0, 3) => has_legs && symbol.right.is_none() && symbol.put_column.is_none(),
            _ => false,
        };
        if !is_named {
            return fail(
                "name the instrument by column, by name, or by root, expiry, strike and right; where \
                 [call] and [put] are stated, by column and put_column, or by parts without right",
            );
        }
        if ways == 1 && symbol.forms.is_empty() {
            return fail("state the forms of the symbols: occ, deribit, future, plain");
        }
        if self.record == RecordKind::Chain && symbol.forms.contains(&Form::Plain) {
            return fail("chain rows are about options: plain is no form of theirs");
        }
        Ok(())
    }
}

/// The key of a field as it stands in a profile.
fn key(field: super::spec::Field) -> String {
    let name = format!("{field:?}");
    let mut text = String::new();
    for (index, c) in name.char_indices() {
        if c.is_ascii_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}
