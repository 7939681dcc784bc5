//! A profile applied to the columns of one file: every column by its place in the row.

use super::cell::{Cell, Cells};
use super::spec::{Columns, Field, Profile};
use crate::names::nearest;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault(pub(super) String);

impl From<String> for Fault {
    fn from(what: String) -> Fault {
        Fault(what)
    }
}

/// Places of the cells of a row. Only columns that the profile names have one.
#[derive(Debug)]
pub(super) struct Plan {
    /// Column name by place.
    names: Vec<String>,
    /// Place by column of the file.
    pub(super) places: Vec<Option<usize>>,
    pub(super) time: TimePlaces,
    pub(super) symbol: SymbolPlaces,
    /// Fields of each instrument of a row; behind them those of each level of a book.
    pub(super) legs: Vec<[Option<usize>; Field::COUNT]>,
    /// How many of the legs are instruments.
    pub(super) instruments: usize,
    /// Rows that end an event of the venue.
    pub(super) book_last: Option<usize>,
    pub(super) trade_rows: Option<usize>,
    pub(super) side: Option<usize>,
    pub(super) conditions: Option<usize>,
    pub(super) non_firm: Option<usize>,
    pub(super) snapshot: Option<usize>,
    pub(super) venue: Option<usize>,
    pub(super) ask_venue: Option<usize>,
    /// Columns that select rows, with the values that keep one.
    pub(super) keep: Vec<(usize, Vec<Vec<u8>>)>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TimePlaces {
    pub(super) known: Option<usize>,
    pub(super) event: Option<usize>,
    pub(super) date: Option<usize>,
    pub(super) clock: Option<usize>,
    pub(super) interval: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SymbolPlaces {
    pub(super) column: Option<usize>,
    pub(super) put_column: Option<usize>,
    pub(super) root: Option<usize>,
    pub(super) expiry: Option<usize>,
    pub(super) strike: Option<usize>,
    pub(super) right: Option<usize>,
    pub(super) underlying: Option<usize>,
    pub(super) am_pm: Option<usize>,
}

/// Hands out places while the profile is walked.
struct Finder<'a> {
    header: &'a [String],
    names: Vec<String>,
    places: Vec<Option<usize>>,
}

impl Finder<'_> {
    /// Place of a column; `None` of a column named with a final `?` that the file lacks.
    fn find(&mut self, column: &str) -> Result<Option<usize>, String> {
        let (name, is_optional) = match column.strip_suffix('?') {
            Some(name) => (name, true),
            None => (column, false),
        };
        let mut found = self.header.iter().enumerate().filter(|(_, known)| *known == name);
        let Some((index, _)) = found.next() else {
            return if is_optional { Ok(None) } else { Err(self.missing(name)) };
        };
        if found.next().is_some() {
            return Err(format!("two columns are called '{name}'"));
        }
        let place = *self.places[index].get_or_insert_with(|| {
            self.names.push(name.to_string());
            self.names.len() - 1
        });
        Ok(Some(place))
    }

    fn all(&mut self, column: Option<&String>) -> Result<Option<usize>, String> {
        column.map_or(Ok(None), |column| self.find(column))
    }

    fn missing(&self, name: &str) -> String {
        let shown: Vec<&str> = self.header.iter().take(40).map(String::as_str).collect();
        let near = nearest(name, self.header.iter().map(String::as_str));
        let near = near.map_or(String::new(), |near| format!(" did you mean '{near}'?"));
        format!("no column '{name}';{near} the file has: {}", shown.join(", "))
    }

    fn fields(&mut self, columns: &Columns) -> Result<[Option<usize>; Field::COUNT], String> {
        let mut fields = [None; Field::COUNT];
        for (field, column) in columns {
            fields[*field as usize] = self.find(column)?;
        }
        Ok(fields)
    }
}

impl Plan {
    /// Finds the profile's columns among those of a file.
    pub(super) fn new(profile: &Profile, header: &[String]) -> Result<Plan, String> {
        let mut finder = Finder { header, names: Vec::new(), places: vec![None; header.len()] };
        let (time, symbol) = (&profile.time, &profile.symbol);
        let time = TimePlaces {
            known: finder.all(time.known.as_ref())?,
            event: finder.all(time.event.as_ref())?,
            date: finder.all(time.date.as_ref())?,
            clock: finder.all(time.clock.as_ref())?,
            interval: finder.all(time.interval_column.as_ref())?,
        };
        let symbol = SymbolPlaces {
            column: finder.all(symbol.column.as_ref())?,
            put_column: finder.all(symbol.put_column.as_ref())?,
            root: finder.all(symbol.root.as_ref())?,
            expiry: finder.all(symbol.expiry.as_ref())?,
            strike: finder.all(symbol.strike.as_ref())?,
            right: finder.all(symbol.right.as_ref())?,
            underlying: finder.all(symbol.underlying.as_ref())?,
            am_pm: finder.all(symbol.am_pm.as_ref())?,
        };
        let mut legs = Vec::new();
        for leg in profile.legs() {
            legs.push(finder.fields(&leg)?);
        }
        let instruments = legs.len();
        for (level, columns) in profile.levels().iter().enumerate() {
            let fields = finder.fields(columns)?;
            // The best level is needed, though the deeper ones may be missing.
            for field in [Field::Bid, Field::Ask].into_iter().filter(|_| level == 0) {
                if fields[field as usize].is_none() {
                    let name = columns.get(&field).map_or("", |column| column.trim_end_matches('?'));
                    return Err(finder.missing(name));
                }
            }
            legs.push(fields);
        }
        let mut keep = Vec::new();
        for (column, values) in &profile.keep {
            if let Some(place) = finder.find(column)? {
                keep.push((place, values.iter().map(|value| value.clone().into_bytes()).collect()));
            }
        }
        Ok(Plan {
            time,
            symbol,
            legs,
            instruments,
            book_last: finder.all(profile.book.last.as_ref().map(|spec| &spec.column))?,
            trade_rows: finder.all(profile.trade_rows.as_ref().map(|spec| &spec.column))?,
            side: finder.all(profile.side.as_ref().map(|spec| &spec.column))?,
            conditions: finder.all(profile.conditions.as_ref().map(|spec| &spec.column))?,
            non_firm: finder.all(profile.non_firm.as_ref().map(|spec| &spec.column))?,
            snapshot: finder.all(profile.snapshot.as_ref().map(|spec| &spec.column))?,
            venue: finder.all(profile.venue.as_ref().map(|spec| &spec.column))?,
            ask_venue: finder.all(profile.venue.as_ref().and_then(|spec| spec.ask_column.as_ref()))?,
            keep,
            names: finder.names,
            places: finder.places,
        })
    }

    /// Number of cells a row has.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// "column 'bid': 'x' is not a price".
    pub(super) fn fault(&self, place: usize, cell: Cell<'_>, expected: &str) -> Fault {
        let found = match cell {
            Cell::Null => "nothing".to_string(),
            cell => {
                let text = cell.text();
                format!("'{}'", String::from_utf8_lossy(&text[..text.len().min(80)]))
            }
        };
        Fault(format!("column '{}': {found} is not {expected}", self.names[place]))
    }

    /// Whether the row is one of those the profile keeps.
    pub(super) fn keeps<C: Cells>(&self, cells: &C) -> bool {
        self.keep.iter().all(|(place, values)| {
            let text = cells.get(*place).text();
            values.iter().any(|value| **value == *text)
        })
    }
}
