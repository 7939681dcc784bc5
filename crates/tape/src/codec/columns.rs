//! The input lane: records as columns.
//!
//! Order of the lane: kind, flags, venue, receipt time (difference to the previous record),
//! source time (difference to the receipt time), the block's distinct instruments in order
//! of appearance, each record's position in that list; then for each kind present, in wire
//! order, the fields of [`super::schema`], each as one column, and two where a field is
//! compared with the same instrument's previous value: the instruments' first values, then
//! the differences.
//!
//! Why columns: neighbours in a column resemble each other, so a plain quote takes about a
//! sixth of its 64 bytes, and each pass is a tight loop over one small array.
//!
//! A lane decodes without any other block: seeking and repair need no history.

use super::CodecError;
use super::pack::{Cursor, put_column, put_varint, take_column, unzigzag, zigzag};
use super::schema::{FIELDS_MAX, Field, Predict, fields};
use onetape_engine::record::{Kind, Record};
use std::collections::BTreeMap;

/// Instruments below this find their list position by index, the others in a map.
const DENSE_MAX: usize = 1 << 20;
/// Marks "no earlier record".
const NONE: u32 = u32::MAX;

/// Head columns, in lane order.
const KIND: usize = 0;
const FLAGS: usize = 1;
const VENUE: usize = 2;
const STEP: usize = 3;
const LAG: usize = 4;
const LOCAL: usize = 5;

/// Buffers of both directions. Records are read and written in one pass for the heads and
/// one for each kind's bodies; everything between works on these dense arrays, because each
/// further pass over 64-byte records costs more than the arithmetic.
#[derive(Debug, Default)]
pub(super) struct Columns {
    heads: [Vec<i64>; 6],
    words: [Vec<u64>; 5],
    raw: [Vec<i64>; FIELDS_MAX],
    values: Vec<i64>,
    firsts: Vec<i64>,
    scratch: Vec<i64>,
    /// Distinct instruments of the block.
    list: Vec<u32>,
    /// Records of the kind at hand.
    rows: Vec<u32>,
    /// For each row, the earlier row of its instrument.
    earlier: Vec<u32>,
    last: Vec<u32>,
    /// By instrument: (block in which it was seen, position in `list`).
    dense: Vec<(u64, u32)>,
    sparse: BTreeMap<u32, u32>,
    block: u64,
}

impl Columns {
    /// Appends the lane of `records` to `out`. Kinds are known and times ascend (the caller
    /// checked).
    pub(super) fn encode(&mut self, records: &[Record], out: &mut Vec<u8>) {
        if records.is_empty() {
            return;
        }
        self.gather_heads(records);
        for column in &self.heads[..LOCAL] {
            put_column(column, &mut self.scratch, out);
        }
        self.put_list(out);
        put_column(&self.heads[LOCAL], &mut self.scratch, out);
        for kind in self.kinds_present() {
            self.select(kind);
            self.find_earlier();
            self.gather_words(records);
            for (index, field) in fields(kind).iter().enumerate() {
                self.put_field(index, field, out);
            }
        }
    }

    fn gather_heads(&mut self, records: &[Record]) {
        self.block += 1;
        self.list.clear();
        self.sparse.clear();
        self.heads.iter_mut().for_each(Vec::clear);
        let mut previous = records[0].ts;
        for record in records {
            let local = self.position(record.instrument);
            self.heads[KIND].push(i64::from(record.kind));
            self.heads[FLAGS].push(i64::from(record.flags));
            self.heads[VENUE].push(i64::from(record.venue));
            self.heads[STEP].push(record.ts.wrapping_sub(previous) as i64);
            self.heads[LAG].push(record.ts.wrapping_sub(record.ts_src) as i64);
            self.heads[LOCAL].push(i64::from(local));
            previous = record.ts;
        }
    }

    fn put_list(&mut self, out: &mut Vec<u8>) {
        put_varint(self.list.len() as u64, out);
        let mut previous = 0;
        self.values.clear();
        self.values.extend(self.list.iter().map(|&instrument| {
            let step = i64::from(instrument) - previous;
            previous = i64::from(instrument);
            step
        }));
        put_column(&self.values, &mut self.scratch, out);
    }

    /// Kinds in the kind column, in wire order.
    fn kinds_present(&self) -> impl Iterator<Item = Kind> + use<> {
        let present = self.heads[KIND].iter().fold(0u64, |seen, kind| seen | 1 << (kind & 63));
        Kind::ALL.into_iter().filter(move |kind| present >> (*kind as u8) & 1 == 1)
    }

    /// Position of an instrument in the block's list, entering it when it is not there.
    fn position(&mut self, instrument: u32) -> u32 {
        let next = self.list.len() as u32;
        let index = instrument as usize;
        if index >= DENSE_MAX {
            let position = *self.sparse.entry(instrument).or_insert(next);
            if position == next {
                self.list.push(instrument);
            }
            return position;
        }
        if index >= self.dense.len() {
            self.dense.resize((index + 1).next_power_of_two(), (0, 0));
        }
        let slot = &mut self.dense[index];
        if slot.0 != self.block {
            *slot = (self.block, next);
            self.list.push(instrument);
        }
        slot.1
    }

    /// Fills `rows` with the positions of the kind's records.
    fn select(&mut self, kind: Kind) {
        let wire = i64::from(kind as u8);
        self.rows.clear();
        let rows = (0u32..).zip(&self.heads[KIND]).filter(|(_, kind)| **kind == wire);
        self.rows.extend(rows.map(|(row, _)| row));
    }

    /// Fills `earlier` from `rows` and the records' instruments.
    fn find_earlier(&mut self) {
        self.last.clear();
        self.last.resize(self.list.len(), NONE);
        self.earlier.clear();
        for (index, &row) in (0u32..).zip(&self.rows) {
            let last = &mut self.last[self.heads[LOCAL][row as usize] as usize];
            self.earlier.push(*last);
            *last = index;
        }
    }

    fn gather_words(&mut self, records: &[Record]) {
        self.words.iter_mut().for_each(Vec::clear);
        for &row in &self.rows {
            let body = &records[row as usize].body;
            for (column, &word) in self.words.iter_mut().zip(body) {
                column.push(word);
            }
        }
    }

    fn put_field(&mut self, index: usize, field: &Field, out: &mut Vec<u8>) {
        let (bases, rest) = self.raw.split_at_mut(index);
        let (raw, mask) = (&mut rest[0], u64::MAX >> (64 - field.bits));
        let plain = self.words[field.word].iter().map(|&word| (word >> field.shift & mask) as i64);
        raw.clear();
        match field.relative_to {
            None => raw.extend(plain),
            Some(base) => raw.extend(plain.zip(&bases[base]).map(|(value, base)| value.wrapping_sub(*base))),
        }
        self.values.clear();
        match field.predict {
            Predict::Zero => put_column(raw, &mut self.scratch, out),
            Predict::Previous => {
                let mut previous = raw[0];
                put_varint(zigzag(previous), out);
                self.values.extend(raw.iter().map(|&value| {
                    let step = value.wrapping_sub(previous);
                    previous = value;
                    step
                }));
                put_column(&self.values, &mut self.scratch, out);
            }
            Predict::SameInstrument => {
                self.firsts.clear();
                let mut first = 0;
                for (&value, &earlier) in raw.iter().zip(&self.earlier) {
                    if earlier == NONE {
                        self.firsts.push(value.wrapping_sub(first));
                        first = value;
                    } else {
                        self.values.push(value.wrapping_sub(raw[earlier as usize]));
                    }
                }
                put_column(&self.firsts, &mut self.scratch, out);
                put_column(&self.values, &mut self.scratch, out);
            }
        }
    }

    /// Reads a lane of `count` records that begins at time `first_ts`.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        count: usize,
        first_ts: u64,
        records: &mut Vec<Record>,
    ) -> Result<(), CodecError> {
        let mut cursor = Cursor::new(bytes);
        records.clear();
        if count == 0 {
            return cursor.finish();
        }
        for column in &mut self.heads[..LOCAL] {
            take_column(&mut cursor, count, column)?;
        }
        self.take_list(&mut cursor, count)?;
        take_column(&mut cursor, count, &mut self.heads[LOCAL])?;
        self.scatter_heads(&cursor, first_ts, records)?;
        for kind in self.kinds_present() {
            self.select(kind);
            self.find_earlier();
            self.words.iter_mut().for_each(|column| {
                column.clear();
                column.resize(self.rows.len(), 0);
            });
            for (index, field) in fields(kind).iter().enumerate() {
                self.take_field(&mut cursor, index, field)?;
            }
            self.scatter_words(records);
        }
        cursor.finish()
    }

    fn take_list(&mut self, cursor: &mut Cursor<'_>, count: usize) -> Result<(), CodecError> {
        let distinct = cursor.varint()?;
        if distinct == 0 || distinct > count as u64 {
            return Err(cursor.error(format!("{distinct} instruments in {count} records")));
        }
        take_column(cursor, distinct as usize, &mut self.values)?;
        self.list.clear();
        let mut instrument = 0i64;
        for &step in &self.values {
            instrument = instrument.wrapping_add(step);
            let legal = u32::try_from(instrument);
            self.list.push(legal.map_err(|_| cursor.error("an instrument beyond 32 bits"))?);
        }
        Ok(())
    }

    /// Checks the head columns and makes the records from them, bodies zero.
    fn scatter_heads(
        &self,
        cursor: &Cursor<'_>,
        first_ts: u64,
        records: &mut Vec<Record>,
    ) -> Result<(), CodecError> {
        let [kinds, flags, venues, steps, lags, locals] = &self.heads;
        let mut ts = first_ts;
        let heads = kinds.iter().zip(flags).zip(venues).zip(steps).zip(lags).zip(locals);
        for (((((&kind, &flags), &venue), &step), &lag), &local) in heads {
            let known = u8::try_from(kind).ok().filter(|kind| Kind::from_wire(*kind).is_some());
            let instrument = usize::try_from(local).ok().and_then(|local| self.list.get(local));
            let (Some(kind), Ok(flags), Ok(venue), Some(&instrument)) =
                (known, u8::try_from(flags), u16::try_from(venue), instrument)
            else {
                let what = format!("record {}: kind, flags, venue or instrument out of range", records.len());
                return Err(cursor.error(what));
            };
            ts = ts.wrapping_add(step as u64);
            let ts_src = ts.wrapping_sub(lag as u64);
            records.push(Record { ts, ts_src, instrument, venue, kind, flags, body: [0; 5] });
        }
        Ok(())
    }

    fn scatter_words(&self, records: &mut [Record]) {
        let [a, b, c, d, e] = &self.words;
        let words = a.iter().zip(b).zip(c).zip(d).zip(e);
        for (&row, ((((&a, &b), &c), &d), &e)) in self.rows.iter().zip(words) {
            records[row as usize].body = [a, b, c, d, e];
        }
    }

    fn take_field(&mut self, cursor: &mut Cursor<'_>, index: usize, field: &Field) -> Result<(), CodecError> {
        let (bases, rest) = self.raw.split_at_mut(index);
        let (raw, count) = (&mut rest[0], self.rows.len());
        match field.predict {
            Predict::Zero => take_column(cursor, count, raw)?,
            Predict::Previous => {
                let mut value = unzigzag(cursor.varint()?);
                take_column(cursor, count, raw)?;
                for step in raw.iter_mut() {
                    value = value.wrapping_add(*step);
                    *step = value;
                }
            }
            Predict::SameInstrument => {
                let first_count = self.earlier.iter().filter(|earlier| **earlier == NONE).count();
                take_column(cursor, first_count, &mut self.firsts)?;
                take_column(cursor, count - first_count, &mut self.values)?;
                let (mut firsts, mut steps, mut first) = (self.firsts.iter(), self.values.iter(), 0i64);
                raw.clear();
                for &earlier in &self.earlier {
                    let value = if earlier == NONE {
                        first = first.wrapping_add(firsts.next().copied().unwrap_or(0));
                        first
                    } else {
                        raw[earlier as usize].wrapping_add(steps.next().copied().unwrap_or(0))
                    };
                    raw.push(value);
                }
            }
        }
        assert_eq!(raw.len(), count, "a column has as many values as its kind has records");
        let words = self.words[field.word].iter_mut().zip(raw.iter());
        match field.relative_to {
            Some(base) => {
                words
                    .zip(&bases[base])
                    .for_each(|((word, value), base)| *word = value.wrapping_add(*base) as u64);
            }
            None => {
                let mut any = 0;
                words.for_each(|(word, &value)| {
                    any |= value as u64;
                    *word |= (value as u64) << field.shift;
                });
                if field.bits < 64 && any >> field.bits != 0 {
                    let what = format!("a value beyond {} bits in the column before", field.bits);
                    return Err(cursor.error(what));
                }
            }
        }
        Ok(())
    }
}
