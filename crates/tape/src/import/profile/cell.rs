//! One value of a row, and exact numbers from it.

use std::borrow::Cow;

/// A value as the file holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    /// No value.
    Null,
    /// Text of a CSV file or a text column.
    Text(&'a [u8]),
    /// Whole number.
    Whole(i64),
    /// Binary floating point: read as the shortest decimal that means the same number.
    Float(f64),
    /// `value / 10^digits`.
    Decimal(i128, u32),
    /// UTC nanoseconds.
    Instant(i64),
    /// Nanoseconds since 1970-01-01 on the wall clock of the profile's zone.
    Wall(i64),
    /// Days since 1970-01-01.
    Day(i32),
}

/// Cells of one row by their place in the plan.
pub(super) trait Cells {
    /// The cell at a place.
    fn get(&self, place: usize) -> Cell<'_>;
}

/// Why a value is not the number wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoNumber {
    /// Not a number at all.
    Text,
    /// NaN or infinite.
    NotFinite,
    /// More digits after the point than the target holds.
    TooFine,
    /// Beyond the target.
    TooLarge,
}

/// A decimal as digits: `mantissa × 10^-digits`, negative when the flag says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) is_negative: bool,
    pub(super) mantissa: u64,
    /// May be negative after an exponent.
    pub(super) digits: i32,
    pub(super) has_point: bool,
}

const POWERS: [i64; 19] = {
    let mut powers = [1i64; 19];
    let mut n = 1;
    while n < 19 {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// Reads `-12.50`, `+3`, `.5`, `1.2e-05`.
pub(super) fn parts(text: &[u8]) -> Result<Parts, NoNumber> {
    let (is_negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut found = Parts { is_negative, mantissa: 0, digits: 0, has_point: false };
    let mut count = 0;
    while let [byte, tail @ ..] = rest {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            let next = found.mantissa.checked_mul(10).and_then(|m| m.checked_add(u64::from(digit)));
            match next {
                Some(next) => {
                    found.mantissa = next;
                    found.digits += i32::from(found.has_point);
                }
                // Zeros behind the point beyond 19 digits change nothing.
                None if found.has_point && digit == 0 => {}
                None => return Err(if found.has_point { NoNumber::TooFine } else { NoNumber::TooLarge }),
            }
            count += 1;
        } else if *byte == b'.' && !found.has_point {
            found.has_point = true;
        } else if matches!(byte, b'e' | b'E') && count > 0 {
            found.digits -= exponent(tail)?;
            return Ok(found);
        } else {
            return Err(no_number(text));
        }
        rest = tail;
    }
    if count == 0 { Err(no_number(text)) } else { Ok(found) }
}

fn exponent(text: &[u8]) -> Result<i32, NoNumber> {
    let text = std::str::from_utf8(text).map_err(|_| NoNumber::Text)?;
    let value: i32 = text.parse().map_err(|_| NoNumber::Text)?;
    if value.abs() > 400 { Err(NoNumber::TooLarge) } else { Ok(value) }
}

fn no_number(text: &[u8]) -> NoNumber {
    let bare = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let names: [&[u8]; 4] = [b"nan", b"inf", b"infinity", b"null"];
    match names.iter().position(|name| bare.eq_ignore_ascii_case(name)) {
        Some(0..=2) => NoNumber::NotFinite,
        _ => NoNumber::Text,
    }
}

impl Parts {
    /// The value times `10^scale` as an integer; never rounded.
    pub(super) fn scaled(self, scale: i32) -> Result<i64, NoNumber> {
        if self.mantissa == 0 {
            return Ok(0);
        }
        let shift = scale - self.digits;
        let magnitude = if shift >= 0 {
            let power = POWERS.get(shift as usize).ok_or(NoNumber::TooLarge)?;
            let mantissa = i64::try_from(self.mantissa).map_err(|_| NoNumber::TooLarge)?;
            mantissa.checked_mul(*power).ok_or(NoNumber::TooLarge)?
        } else {
            let power = POWERS.get(shift.unsigned_abs() as usize).ok_or(NoNumber::TooFine)?;
            if !self.mantissa.is_multiple_of(*power as u64) {
                return Err(NoNumber::TooFine);
            }
            i64::try_from(self.mantissa / *power as u64).map_err(|_| NoNumber::TooLarge)?
        };
        Ok(if self.is_negative { -magnitude } else { magnitude })
    }
}

impl<'a> Cell<'a> {
    /// The value times `10^scale` as an integer, never rounded. `unit` shifts by so many decimals,
    /// with `whole_only` numbers without a point alone.
    pub(super) fn scaled(self, scale: i32, unit: i32, whole_only: bool) -> Result<i64, NoNumber> {
        let shift = |has_point: bool| scale - if whole_only && has_point { 0 } else { unit };
        match self {
            Cell::Text(text) => {
                let parts = parts(text)?;
                parts.scaled(shift(parts.has_point))
            }
            Cell::Whole(value) => {
                let (is_negative, mantissa) = (value < 0, value.unsigned_abs());
                Parts { is_negative, mantissa, digits: 0, has_point: false }.scaled(shift(false))
            }
            Cell::Float(value) if !value.is_finite() => Err(NoNumber::NotFinite),
            Cell::Float(value) => parts(value.to_string().as_bytes())?.scaled(shift(true)),
            Cell::Decimal(value, digits) => {
                let mantissa = u64::try_from(value.unsigned_abs()).map_err(|_| NoNumber::TooLarge)?;
                let digits = i32::try_from(digits).map_err(|_| NoNumber::TooFine)?;
                Parts { is_negative: value < 0, mantissa, digits, has_point: true }.scaled(shift(true))
            }
            Cell::Null | Cell::Instant(_) | Cell::Wall(_) | Cell::Day(_) => Err(NoNumber::Text),
        }
    }

    /// A whole number that is not negative; `None` of anything else.
    pub(super) fn count(self) -> Option<u64> {
        match self {
            Cell::Text(text) => {
                let parts = parts(text).ok()?;
                (!parts.is_negative && parts.digits == 0).then_some(parts.mantissa)
            }
            Cell::Whole(value) => u64::try_from(value).ok(),
            Cell::Float(value) if value.fract() == 0.0 && (0.0..9.0e15).contains(&value) => {
                Some(value as u64)
            }
            _ => None,
        }
    }

    /// The value as text, as codes and symbols are compared.
    pub(super) fn text(self) -> Cow<'a, [u8]> {
        match self {
            Cell::Text(text) => Cow::Borrowed(text),
            Cell::Whole(value) => Cow::Owned(value.to_string().into_bytes()),
            Cell::Float(value) => Cow::Owned(value.to_string().into_bytes()),
            Cell::Null => Cow::Borrowed(b""),
            Cell::Decimal(value, digits) => Cow::Owned(format!("{value}e-{digits}").into_bytes()),
            Cell::Instant(ns) | Cell::Wall(ns) => Cow::Owned(ns.to_string().into_bytes()),
            Cell::Day(day) => Cow::Owned(day.to_string().into_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_refused() {
        let e9 = |text: &str| Cell::Text(text.as_bytes()).scaled(9, 0, false);
        for (text, expected) in [
            ("3764.61", Ok(3_764_610_000_000)),
            ("-1.5", Ok(-1_500_000_000)),
            ("+.5", Ok(500_000_000)),
            ("5.", Ok(5_000_000_000)),
            ("1.2e-05", Ok(12_000)),
            ("2E3", Ok(2_000_000_000_000)),
            ("0.5000000000000000000000", Ok(500_000_000)),
            ("0e300", Ok(0)),
            ("9223372036.854775807", Ok(i64::MAX)),
            ("9223372036.854775808", Err(NoNumber::TooLarge)),
            ("1.0000000001", Err(NoNumber::TooFine)),
            ("0.30000000000000004", Err(NoNumber::TooFine)),
            ("1e-300", Err(NoNumber::TooFine)),
            ("1e300", Err(NoNumber::TooLarge)),
            ("99999999999999999999", Err(NoNumber::TooLarge)),
            ("", Err(NoNumber::Text)),
            (".", Err(NoNumber::Text)),
            ("1.2.3", Err(NoNumber::Text)),
            ("1e", Err(NoNumber::Text)),
            ("twelve", Err(NoNumber::Text)),
            ("NaN", Err(NoNumber::NotFinite)),
            ("-inf", Err(NoNumber::NotFinite)),
        ] {
            assert_eq!(e9(text), expected, "{text}");
        }
    }

    #[test]
    fn units_shift_and_binary_numbers_read_as_written() {
        assert_eq!(Cell::Text(b"185000").scaled(9, 3, false), Ok(185_000_000_000));
        assert_eq!(Cell::Text(b"4108500000000").scaled(9, 9, true), Ok(4_108_500_000_000));
        assert_eq!(Cell::Text(b"4108.500000000").scaled(9, 9, true), Ok(4_108_500_000_000));
        assert_eq!(Cell::Float(1.15).scaled(9, 0, false), Ok(1_150_000_000));
        assert_eq!(Cell::Float(1e-5).scaled(9, 0, false), Ok(10_000));
        assert_eq!(Cell::Float(f64::NAN).scaled(9, 0, false), Err(NoNumber::NotFinite));
        assert_eq!(Cell::Decimal(-11_500, 4).scaled(9, 0, false), Ok(-1_150_000_000));
        assert_eq!(Cell::Whole(-3).scaled(9, 0, false), Ok(-3_000_000_000));
        assert_eq!((Cell::Text(b"17").count(), Cell::Text(b"-1").count()), (Some(17), None));
    }
}
