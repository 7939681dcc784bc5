//! CSV as a stream of rows: quoted fields, any line end, bounded memory.
//!
//! Rows are split without copying; a row with quotes is copied once without them. (A line is read
//! here rather than by a CSV library because this is the path whose speed an import of ticks feels.)

use super::cell::{Cell, Cells};
use super::spec::Profile;
use crate::import::ImportError;
use memchr::memchr;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest line, and with it the memory a file can claim.
const LINE_BYTES_MAX: usize = 1 << 20;
const BUFFER_BYTES: usize = 1 << 18;

/// Texts that mean "no value".
#[derive(Debug)]
pub(super) struct Nulls {
    is_empty_null: bool,
    others: Vec<Vec<u8>>,
}

impl Nulls {
    pub(super) fn new(profile: &Profile) -> Nulls {
        let texts = &profile.file.null;
        let others = texts.iter().filter(|text| !text.is_empty()).map(|text| text.clone().into_bytes());
        Nulls { is_empty_null: texts.iter().any(String::is_empty), others: others.collect() }
    }

    pub(super) fn is_null(&self, text: &[u8]) -> bool {
        if text.is_empty() { self.is_empty_null } else { self.others.iter().any(|null| **null == *text) }
    }
}

/// A row's cells inside its line.
pub(super) struct CsvRow<'a> {
    line: &'a [u8],
    ranges: &'a [(u32, u32)],
    nulls: &'a Nulls,
}

impl Cells for CsvRow<'_> {
    #[inline]
    fn get(&self, place: usize) -> Cell<'_> {
        let (from, to) = self.ranges[place];
        let text = self.line[from as usize..to as usize].trim_ascii();
        if self.nulls.is_null(text) { Cell::Null } else { Cell::Text(text) }
    }
}

/// Reads the rows of one file.
pub(super) struct CsvRows<'a> {
    path: PathBuf,
    source: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    is_at_end: bool,
    /// Line on which the row last read begins, and lines read.
    pub(super) line: u64,
    lines: u64,
    delimiter: u8,
    /// Row without quotes, when it had some.
    plain: Vec<u8>,
    is_plain: bool,
    row: (usize, usize),
    /// Columns of the file.
    columns: usize,
    ranges: Vec<(u32, u32)>,
}

impl<'a> CsvRows<'a> {
    pub(super) fn new(path: &Path, source: Box<dyn Read + 'a>, delimiter: u8) -> CsvRows<'a> {
        CsvRows {
            path: path.to_path_buf(),
            source,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            is_at_end: false,
            line: 0,
            lines: 0,
            delimiter,
            plain: Vec::new(),
            is_plain: false,
            row: (0, 0),
            columns: 0,
            ranges: Vec::new(),
        }
    }

    /// An error at the row last read.
    pub(super) fn error(&self, what: String) -> ImportError {
        ImportError::Place { path: self.path.clone(), unit: "line", number: self.line.max(1), what }
    }

    /// Column names: those of the first line, or those the profile states.
    pub(super) fn header(&mut self, profile: &Profile) -> Result<Vec<String>, ImportError> {
        self.skip_byte_order_mark()?;
        if !profile.file.header {
            self.columns = profile.file.columns.len();
            return Ok(profile.file.columns.clone());
        }
        if !self.next_line()? {
            return Err(self.error("the file is empty: a header line is expected".to_string()));
        }
        let mut ranges = Vec::new();
        self.fields(|from, to| ranges.push((from, to)));
        let line = self.current();
        let name =
            |(from, to): &(usize, usize)| String::from_utf8_lossy(line[*from..*to].trim_ascii()).into_owned();
        let names: Vec<String> = ranges.iter().map(name).collect();
        self.columns = names.len();
        Ok(names)
    }

    fn skip_byte_order_mark(&mut self) -> Result<(), ImportError> {
        while self.end < 3 && !self.is_at_end {
            self.fill()?;
        }
        match &self.buffer[..self.end] {
            [0xef, 0xbb, 0xbf, ..] => self.start = 3,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                return Err(self.error("the file is UTF-16; save it as UTF-8".to_string()));
            }
            _ => {}
        }
        Ok(())
    }

    /// Splits the next row into the cells that have places; false at the end of the file.
    pub(super) fn next_row(&mut self, places: &[Option<usize>], cells: usize) -> Result<bool, ImportError> {
        if !self.next_line()? {
            return Ok(false);
        }
        let mut ranges = std::mem::take(&mut self.ranges);
        ranges.clear();
        ranges.resize(cells, (0, 0));
        let mut found = 0;
        self.fields(|from, to| {
            if let Some(Some(place)) = places.get(found) {
                ranges[*place] = (from as u32, to as u32);
            }
            found += 1;
        });
        self.ranges = ranges;
        if found != self.columns {
            let columns = self.columns;
            let what = format!("the row has {found} columns, {columns} are expected; the row is ragged");
            return Err(self.error(what));
        }
        Ok(true)
    }

    /// The cells of the row last read.
    pub(super) fn row<'r>(&'r self, nulls: &'r Nulls) -> CsvRow<'r> {
        CsvRow { line: self.current(), ranges: &self.ranges, nulls }
    }

    /// Calls `field` with the bounds of each field of the line last read.
    #[inline]
    fn fields(&self, field: impl FnMut(usize, usize)) {
        if self.is_plain {
            split_marked(&self.plain, field);
        } else {
            split(self.current(), self.delimiter, field);
        }
    }

    fn current(&self) -> &[u8] {
        if self.is_plain { &self.plain } else { &self.buffer[self.row.0..self.row.1] }
    }

    /// Moves to the next line that is not blank, with the lines that a quoted field continues on.
    fn next_line(&mut self) -> Result<bool, ImportError> {
        loop {
            let Some((from, to)) = self.find_line(0)? else { return Ok(false) };
            self.line = self.lines;
            if memchr(b'"', &self.buffer[from..to]).is_some() {
                self.quoted_line(from, to)?;
                return Ok(true);
            }
            self.start = (to + 1).min(self.end);
            let to = if to > from && self.buffer[to - 1] == b'\r' { to - 1 } else { to };
            if from < to {
                (self.row, self.is_plain) = ((from, to), false);
                return Ok(true);
            }
        }
    }

    /// Copies a row with quoted fields, which may continue on further lines, into `plain`.
    fn quoted_line(&mut self, mut from: usize, mut to: usize) -> Result<(), ImportError> {
        let (mut is_open, mut counted) = (false, 0);
        loop {
            let quotes = self.buffer[from + counted..to].iter().filter(|byte| **byte == b'"').count();
            is_open ^= quotes % 2 == 1;
            if !is_open {
                break;
            }
            counted = to - from;
            let more = if to < self.end { self.find_line(counted + 1)? } else { None };
            let Some(next) = more else {
                return Err(self.error("a quote is opened and never closed".to_string()));
            };
            (from, to) = next;
        }
        self.start = (to + 1).min(self.end);
        let line = &self.buffer[from..to];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let unquoted = unquote(line, self.delimiter, &mut self.plain);
        self.is_plain = true;
        unquoted.map_err(|what| self.error(what.to_string()))
    }

    /// Bounds of the line that begins at the unread bytes and is longer than `least`; `None` at
    /// the end. Without a final line feed the rest of the file is a line.
    fn find_line(&mut self, least: usize) -> Result<Option<(usize, usize)>, ImportError> {
        let mut searched = least;
        loop {
            let from = self.start;
            if let Some(length) = memchr(b'\n', &self.buffer[from + searched..self.end]) {
                self.lines += 1;
                return Ok(Some((from, from + searched + length)));
            }
            searched = self.end - from;
            if self.is_at_end {
                if searched == 0 || searched <= least && least > 0 {
                    return Ok(None);
                }
                self.lines += 1;
                return Ok(Some((from, self.end)));
            }
            self.fill()?;
        }
    }

    /// Reads more behind the unread bytes.
    fn fill(&mut self) -> Result<(), ImportError> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == self.buffer.len() {
            if self.buffer.len() > LINE_BYTES_MAX {
                self.line = self.lines + 1;
                return Err(self.error(format!("the line is longer than {LINE_BYTES_MAX} bytes")));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.is_at_end = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.line = self.lines + 1;
                    let what = format!(
                        "the file cannot be unpacked further ({error}): it is truncated or damaged; copy it again"
                    );
                    return Err(self.error(what));
                }
            }
            return Ok(());
        }
    }
}

/// Calls `field` with the bounds of each field of a line without quotes.
#[inline]
fn split(line: &[u8], delimiter: u8, mut field: impl FnMut(usize, usize)) {
    let mut from = 0;
    for (at, byte) in line.iter().enumerate() {
        if *byte == delimiter {
            field(from, at);
            from = at + 1;
        }
    }
    field(from, line.len());
}

/// Ends a field in an unquoted copy; control bytes have no place in a row.
const MARK: u8 = 0;

fn split_marked(line: &[u8], mut field: impl FnMut(usize, usize)) {
    let mut from = 0;
    for (at, byte) in line.iter().enumerate() {
        if *byte == MARK {
            field(from, at);
            from = at + 1;
        }
    }
}

/// Copies the fields of a line without their quotes, each followed by [`MARK`].
fn unquote(line: &[u8], delimiter: u8, out: &mut Vec<u8>) -> Result<(), &'static str> {
    out.clear();
    if memchr(MARK, line).is_some() {
        return Err("the row holds a zero byte");
    }
    let mut rest = line;
    loop {
        let bare = rest.trim_ascii_start();
        if let [b'"', quoted @ ..] = bare {
            let mut inside = quoted;
            loop {
                let Some(at) = memchr(b'"', inside) else { return Err("a quote is opened and never closed") };
                out.extend_from_slice(&inside[..at]);
                match &inside[at + 1..] {
                    [b'"', more @ ..] => {
                        out.push(b'"');
                        inside = more;
                    }
                    more => {
                        rest = more.trim_ascii_start();
                        break;
                    }
                }
            }
            match rest {
                [] => {}
                [next, ..] if *next == delimiter => {}
                _ => return Err("a quoted field is followed by more text; quotes inside are doubled"),
            }
        } else {
            let to = memchr(delimiter, rest).unwrap_or(rest.len());
            out.extend_from_slice(&rest[..to]);
            rest = &rest[to..];
        }
        out.push(MARK);
        match rest {
            [_, more @ ..] => rest = more,
            [] => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<Vec<String>>, String> {
        let profile = Profile::parse(
            "t",
            "about = 'x'\nrecord = 'trade'\n[time]\nevent = 'a'\n[symbol]\nname = 'S'\nforms = ['plain']\n[columns]\nprice = 'a'\nsize = 'b'\n",
        )
        .unwrap();
        let mut rows = CsvRows::new(Path::new("t.csv"), Box::new(text), b',');
        let header = rows.header(&profile).map_err(|error| error.to_string())?;
        let places: Vec<Option<usize>> = (0..header.len()).map(Some).collect();
        let nulls = Nulls::new(&profile);
        let mut found = vec![header];
        while rows.next_row(&places, places.len()).map_err(|error| error.to_string())? {
            let row = rows.row(&nulls);
            let cell = |place| String::from_utf8_lossy(&row.get(place).text()).into_owned();
            found.push((0..places.len()).map(cell).collect());
        }
        Ok(found)
    }

    #[test]
    fn rows_of_any_line_end_with_quotes_and_blank_lines() {
        let expected = vec![vec!["a", "b"], vec!["1", "x,\"y\""], vec!["2", ""]];
        for text in [
            "a,b\n1,\"x,\"\"y\"\"\"\n2,\n",
            "\u{feff}a,b\r\n\r\n1 , \"x,\"\"y\"\"\" \r\n2,\r\n",
            "\"a\",\"b\"\n\"1\",\"x,\"\"y\"\"\"\n\"2\",\"\"",
        ] {
            assert_eq!(rows(text.as_bytes()).unwrap(), expected, "{text}");
        }
        let broken = rows(b"a,b\n1,\"two\nlines\"\n2,3\n").unwrap();
        assert_eq!(broken[1], ["1", "two\nlines"]);
        assert_eq!(broken[2], ["2", "3"]);
    }

    #[test]
    fn damage_names_its_line() {
        for (text, says) in [
            (&b""[..], "line 1: the file is empty"),
            (b"a,b\n1\n", "line 2: the row has 1 columns, 2 are expected"),
            (b"a,b\n1,2\n\n1,2,3\n", "line 4: the row has 3 columns"),
            (b"a,b\n1,\"2\n3,4\n", "line 2: a quote is opened"),
            (b"a,b\n1,\"2\"x\n", "line 2: a quoted field"),
            (b"\xff\xfea\0,\0b\0", "UTF-16"),
        ] {
            let problem = rows(text).unwrap_err();
            assert!(problem.contains(says), "{}: {problem}", String::from_utf8_lossy(text));
        }
        let long = [&b"a,b\n"[..], &vec![b'x'; 3 << 20]].concat();
        assert!(rows(&long).unwrap_err().contains("line 2: the line is longer"));
    }

    proptest::proptest! {
        #[test]
        fn fields_survive_quoting(fields in proptest::collection::vec("[a-z,\"\n ]{0,8}", 2..6)) {
            let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let line: Vec<String> = fields.iter().map(quoted).collect();
            let header: Vec<String> = (0..fields.len()).map(|n| format!("c{n}")).collect();
            let text = format!("{}\n{}\n", header.join(","), line.join(","));
            let trimmed: Vec<&str> = fields.iter().map(|field| field.trim_matches([' ', '\n'])).collect();
            proptest::prop_assert_eq!(&rows(text.as_bytes()).unwrap()[1], &trimmed);
        }
    }
}
