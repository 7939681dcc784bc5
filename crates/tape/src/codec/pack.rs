//! One column of integers as bits: common decimal factor, offset or zigzag, frames of 64.
//!
//! A column is `tag`, an optional reference, then frames. The tag's low five bits are the
//! exponent `p` of the power of ten that divides every value (prices and sizes are in 1e-9,
//! so ticks and lots leave long runs of decimal zeros); its next two bits are the mode:
//!
//! - constant: one value for the whole column, no frames;
//! - offset: values minus the column's smallest, when none is negative;
//! - zigzag: small magnitudes of either sign become small numbers.
//!
//! A frame is a width byte and 64 numbers of that width, so it is exactly `width` 64-bit
//! words; the last frame stops at the byte that holds its last bit. A frame pays for its own
//! outliers only.
//!
//! Any `i64` column round-trips: arithmetic is modulo 2^64 both ways.

use super::CodecError;

/// Values per frame: as many as bits in a word, so that full frames end on a word.
pub(super) const FRAME: usize = 64;

const MODE_CONSTANT: u8 = 0;
const MODE_OFFSET: u8 = 1;
const MODE_ZIGZAG: u8 = 2;
const EXPONENT_MAX: u32 = 18;

const LANE: &str = "input";

/// 5^p.
const FIVES: [i64; 19] = {
    let mut table = [1i64; 19];
    let mut p = 1;
    while p < 19 {
        table[p] = table[p - 1] * 5;
        p += 1;
    }
    table
};

/// The inverse of 5^p modulo 2^64: multiplying by it divides exactly.
const INVERSES: [i64; 19] = {
    let mut table = [1i64; 19];
    let mut p = 0;
    while p < 19 {
        let (odd, mut inverse) = (FIVES[p], 1i64);
        let mut round = 0;
        // Newton: each round doubles the number of correct low bits, 1 → 64 in six.
        while round < 6 {
            inverse = inverse.wrapping_mul(2i64.wrapping_sub(odd.wrapping_mul(inverse)));
            round += 1;
        }
        assert!(odd.wrapping_mul(inverse) == 1);
        table[p] = inverse;
        p += 1;
    }
    table
};

pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A position in the input lane.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    pub(super) fn error(&self, what: impl Into<String>) -> CodecError {
        CodecError::Lane { lane: LANE, at: self.at, what: what.into() }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..count) else {
            return Err(self.error(format!("{count} bytes expected, {} left", rest.len())));
        };
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        self.take(1).map(|byte| byte[0])
    }

    pub(super) fn varint(&mut self) -> Result<u64, CodecError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error("a number of more than 64 bits"))
    }

    pub(super) fn finish(&self) -> Result<(), CodecError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(self.error(format!("{left} bytes left over"))),
        }
    }
}

/// Smallest and largest value, and the bits that any value has set.
fn survey(values: &[i64]) -> (i64, i64, u64) {
    let (mut min, mut max, mut any) = (i64::MAX, i64::MIN, 0u64);
    for &value in values {
        min = min.min(value);
        max = max.max(value);
        any |= value as u64;
    }
    (min, max, any)
}

/// Divides every value by 10^p into `out`; false as soon as one is not a multiple.
fn divide(values: &[i64], p: u32, out: &mut Vec<i64>) -> bool {
    let (inverse, bound) = (INVERSES[p as usize], i64::MAX / FIVES[p as usize]);
    out.clear();
    for chunk in values.chunks(FRAME) {
        let mut is_exact = true;
        out.extend(chunk.iter().map(|&value| {
            // Exact iff the modular quotient is small enough that multiplying back cannot wrap.
            let quotient = (value >> p).wrapping_mul(inverse);
            is_exact &= quotient >= -bound && quotient <= bound;
            quotient
        }));
        if !is_exact {
            return false;
        }
    }
    true
}

/// Appends a column to `out`; `scratch` is overwritten.
pub(super) fn put_column(values: &[i64], scratch: &mut Vec<i64>, out: &mut Vec<u8>) {
    let (min, max, any) = survey(values);
    if values.is_empty() {
        return;
    }
    if min == max {
        out.push(MODE_CONSTANT << 5);
        return put_varint(zigzag(min), out);
    }
    // 2^p divides every value only for p up to the lowest set bit of any of them.
    let exponent_max = any.trailing_zeros().min(EXPONENT_MAX);
    let exponent = (1..=exponent_max).rev().find(|&p| divide(values, p, scratch)).unwrap_or(0);
    let values = if exponent == 0 { values } else { scratch };
    if min >= 0 {
        let offset =
            if exponent == 0 { min } else { (min >> exponent).wrapping_mul(INVERSES[exponent as usize]) };
        out.push(MODE_OFFSET << 5 | exponent as u8);
        put_varint(zigzag(offset), out);
        put_frames(values, out, |value| value.wrapping_sub(offset) as u64);
    } else {
        out.push(MODE_ZIGZAG << 5 | exponent as u8);
        put_frames(values, out, zigzag);
    }
}

fn put_frames(values: &[i64], out: &mut Vec<u8>, map: impl Fn(i64) -> u64) {
    let mut frame = [0u64; FRAME];
    for chunk in values.chunks(FRAME) {
        let mut any = 0u64;
        for (slot, &value) in frame.iter_mut().zip(chunk) {
            *slot = map(value);
            any |= *slot;
        }
        frame[chunk.len()..].fill(0);
        let width = 64 - any.leading_zeros();
        out.push(width as u8);
        put_frame(&mut frame, chunk.len(), width, out);
    }
}

/// Bytes of `count` numbers of `width` bits.
fn frame_bytes(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

fn put_frame(frame: &mut [u64; FRAME], count: usize, width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let start = out.len();
    // Joining neighbours while two fit a word halves the serial part each time.
    let (mut joined, mut slots) = (width, FRAME);
    while joined <= 32 {
        slots /= 2;
        for slot in 0..slots {
            frame[slot] = frame[2 * slot] | frame[2 * slot + 1] << joined;
        }
        joined *= 2;
    }
    let (mut word, mut filled) = (0u64, 0u32);
    let mut words = [0u64; FRAME];
    let mut used = 0;
    for &value in &frame[..slots] {
        word |= value << filled;
        filled += joined;
        if filled >= 64 {
            words[used] = word;
            used += 1;
            filled -= 64;
            word = if filled == 0 { 0 } else { value >> (joined - filled) };
        }
    }
    debug_assert!(filled == 0 && used == width as usize, "64 numbers of w bits are w words");
    let mut bytes = [0u8; FRAME * 8];
    for (slot, word) in bytes.chunks_exact_mut(8).zip(&words[..used]) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&bytes[..frame_bytes(count, width)]);
    debug_assert_eq!(out.len() - start, frame_bytes(count, width));
}

/// Reads a column of `count` values into `out`.
pub(super) fn take_column(
    cursor: &mut Cursor<'_>,
    count: usize,
    out: &mut Vec<i64>,
) -> Result<(), CodecError> {
    out.clear();
    if count == 0 {
        return Ok(());
    }
    let tag = cursor.byte()?;
    let (mode, exponent) = (tag >> 5, u32::from(tag & 31));
    if exponent > EXPONENT_MAX {
        return Err(cursor.error(format!("decimal exponent {exponent}, at most {EXPONENT_MAX} expected")));
    }
    let factor = FIVES[exponent as usize] << exponent;
    match mode {
        MODE_CONSTANT => {
            let value = unzigzag(cursor.varint()?).wrapping_mul(factor);
            out.resize(count, value);
            Ok(())
        }
        MODE_OFFSET => {
            let offset = unzigzag(cursor.varint()?);
            take_frames(cursor, count, out, |bits| (bits as i64).wrapping_add(offset).wrapping_mul(factor))
        }
        MODE_ZIGZAG => take_frames(cursor, count, out, |bits| unzigzag(bits).wrapping_mul(factor)),
        _ => Err(cursor.error(format!("unknown column mode {mode}"))),
    }
}

fn take_frames(
    cursor: &mut Cursor<'_>,
    count: usize,
    out: &mut Vec<i64>,
    map: impl Fn(u64) -> i64,
) -> Result<(), CodecError> {
    // Eight bytes of slack let every number be read as one unaligned word.
    let mut bytes = [0u8; FRAME * 8 + 8];
    let mut left = count;
    while left > 0 {
        let in_frame = left.min(FRAME);
        let width = u32::from(cursor.byte()?);
        if width > 64 {
            return Err(cursor.error(format!("{width} bits per number, at most 64 expected")));
        }
        let taken = cursor.take(frame_bytes(in_frame, width))?;
        bytes[..taken.len()].copy_from_slice(taken);
        let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
        if width <= 56 {
            out.extend((0..in_frame).map(|index| {
                let bit = index * width as usize;
                map(word_at(&bytes, bit / 8) >> (bit % 8) & mask)
            }));
        } else {
            out.extend((0..in_frame).map(|index| {
                let bit = index * width as usize;
                let high = u64::from(bytes[bit / 8 + 8]);
                let low = word_at(&bytes, bit / 8) >> (bit % 8);
                // `high` holds the bits that a shift of up to seven pushed out of the word.
                map((low | high.checked_shl(64 - (bit % 8) as u32).unwrap_or(0)) & mask)
            }));
        }
        left -= in_frame;
    }
    debug_assert_eq!(out.len(), count);
    Ok(())
}

fn word_at(bytes: &[u8; FRAME * 8 + 8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(values: &[i64]) -> usize {
        let (mut scratch, mut bytes, mut back) = (Vec::new(), Vec::new(), Vec::new());
        put_column(values, &mut scratch, &mut bytes);
        let mut cursor = Cursor::new(&bytes);
        take_column(&mut cursor, values.len(), &mut back).unwrap();
        cursor.finish().unwrap();
        assert_eq!(back, values);
        bytes.len()
    }

    #[test]
    fn columns_cost_what_their_digits_need() {
        let cents: Vec<i64> = (0..128).map(|i| (i % 2) * 10_000_000).collect();
        for (values, bytes) in [
            (vec![], 0),
            (vec![7; 4_096], 2),
            (vec![i64::MIN; 3], 11),
            // Tag, offset 0, and per frame a width byte and one bit a value.
            (cents, 2 + 2 * (1 + 8)),
            (vec![0, -1, 1], 1 + 1 + 1),
            (vec![i64::MIN, i64::MAX], 1 + 1 + 16),
        ] {
            assert_eq!(round_trip(&values), bytes, "{:?}…", values.get(..3));
        }
    }

    #[test]
    fn every_width_and_exponent_survives() {
        for width in 0..64 {
            let values: Vec<i64> = (0..130i64).map(|i| (i % 3 - 1).wrapping_mul(1i64 << width)).collect();
            round_trip(&values);
            let values: Vec<i64> = (0..70i64).map(|i| (i & 1) << width | 1).collect();
            round_trip(&values);
        }
        for (p, five) in FIVES.iter().enumerate() {
            let factor = five << p;
            let values: Vec<i64> = (0..100i64).map(|i| (i - 50).wrapping_mul(factor)).collect();
            round_trip(&values);
        }
        round_trip(&[i64::MIN, 0, 1 << 62, -(1 << 62), 5 << 60]);
    }

    proptest! {
        #[test]
        fn any_column_survives(values in proptest::collection::vec(any::<i64>(), 0..200), p in 0u32..19) {
            round_trip(&values);
            let scaled: Vec<i64> = values.iter().map(|v| (v % 1000).wrapping_mul(FIVES[p as usize] << p)).collect();
            round_trip(&scaled);
        }
    }
}
