//! Exact decimal quantities: [`Price`], [`Qty`], [`Money`] in units of 1e-9, and [`Nanos`].
//!
//! Money never touches `f64`: parsing and printing are exact, arithmetic is checked, and
//! [`Price::notional`] is the one place where a product is rounded (half to even).
//! Text formats (JSON, TOML, CSV) carry decimal strings, binary formats the raw integer.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Units per whole: one nano.
pub const SCALE: i64 = 1_000_000_000;

/// A text that is not a decimal number of the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a decimal number with at most 9 digits after the point (for example 12.05)")]
pub struct ParseDecimalError {
    /// The offending text.
    pub text: String,
}

fn parse_scaled(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty())
        || whole.len() > 28
        || !all_digits(whole)
        || !all_digits(fraction)
    {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 9 {
        return None;
    }
    let mut value: i128 = 0;
    for digit in whole.bytes() {
        value = value * 10 + i128::from(digit - b'0');
    }
    for place in 0..9 {
        let digit = fraction.as_bytes().get(place).map_or(0, |b| b - b'0');
        value = value * 10 + i128::from(digit);
    }
    Some(if negative { -value } else { value })
}

fn write_scaled(f: &mut fmt::Formatter<'_>, value: i128, places_min: usize) -> fmt::Result {
    let magnitude = value.unsigned_abs();
    let (whole, mut fraction) = (magnitude / SCALE as u128, magnitude % SCALE as u128);
    let mut places = 9;
    while places > places_min && fraction.is_multiple_of(10) {
        fraction /= 10;
        places -= 1;
    }
    let sign = if value < 0 { "-" } else { "" };
    let text =
        if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction:0places$}") };
    // `pad` would truncate by precision; width and alignment are what tables need.
    match f.width() {
        Some(width) if f.align() == Some(fmt::Alignment::Left) => write!(f, "{text:<width$}"),
        Some(width) => write!(f, "{text:>width$}"),
        None => f.write_str(&text),
    }
}

macro_rules! decimal {
    ($(#[$doc:meta])* $name:ident, $repr:ty, $places:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $repr);

        impl $name {
            /// Zero.
            pub const ZERO: $name = $name(0);

            /// Whole units; `None` on overflow.
            pub fn from_whole(whole: i64) -> Option<$name> {
                <$repr>::from(whole).checked_mul(SCALE as $repr).map($name)
            }

            /// Sum; `None` on overflow.
            pub fn checked_add(self, other: $name) -> Option<$name> {
                self.0.checked_add(other.0).map($name)
            }

            /// Difference; `None` on overflow.
            pub fn checked_sub(self, other: $name) -> Option<$name> {
                self.0.checked_sub(other.0).map($name)
            }

            /// Nearest `f64`, for analytics and display only.
            pub fn to_f64(self) -> f64 {
                self.0 as f64 / SCALE as f64
            }

            /// Absolute value (the minimum saturates).
            pub fn abs(self) -> $name {
                $name(self.0.saturating_abs())
            }
        }

        impl FromStr for $name {
            type Err = ParseDecimalError;
            fn from_str(text: &str) -> Result<$name, ParseDecimalError> {
                let error = || ParseDecimalError { text: text.to_string() };
                let scaled = parse_scaled(text).ok_or_else(error)?;
                <$repr>::try_from(scaled).map($name).map_err(|_| error())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_scaled(f, i128::from(self.0), $places)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                if deserializer.is_human_readable() {
                    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                    text.parse().map_err(de::Error::custom)
                } else {
                    <$repr>::deserialize(deserializer).map($name)
                }
            }
        }
    };
}

decimal!(
    /// A price per unit (share, or one share of an option's deliverable), in 1e-9 of the currency.
    Price, i64, 2
);
decimal!(
    /// A quantity of shares or contracts, in 1e-9. Signed: positive buys, negative sells.
    Qty, i64, 0
);
decimal!(
    /// An amount of the account's currency, in 1e-9.
    Money, i128, 2
);

/// Divides with rounding half to even: the one rounding rule of the engine.
pub fn div_half_even(numerator: i128, denominator: i128) -> i128 {
    debug_assert!(denominator > 0, "the callers divide by constants and positive counts");
    // Division without signs, and one of it: a wide division costs as much as all the rest.
    let (magnitude, divisor) = (numerator.unsigned_abs(), denominator.unsigned_abs());
    let quotient = magnitude / divisor;
    let remainder = magnitude - quotient * divisor;
    let half = divisor - remainder;
    let is_up = remainder > half || (remainder == half && quotient & 1 == 1);
    let rounded = (quotient + u128::from(is_up)) as i128;
    if numerator < 0 { rounded.wrapping_neg() } else { rounded }
}

impl Price {
    /// `price × quantity × multiplier` as money, rounded half to even once.
    ///
    /// Saturates outside ±1.7e29, far beyond any account; the risk limits refuse long before.
    pub fn notional(self, quantity: Qty, multiplier: i64) -> Money {
        // Whole units at a sane price, the usual case: exact, and no wide division.
        const SANE: u64 = 1 << 52;
        let whole = quantity.0 / SCALE;
        if whole * SCALE == quantity.0 && self.0.unsigned_abs() < SANE && multiplier.unsigned_abs() < 1 << 10
        {
            return Money(i128::from(self.0) * i128::from(whole * multiplier));
        }
        let product = i128::from(self.0) * i128::from(quantity.0);
        Money(div_half_even(product.saturating_mul(i128::from(multiplier)), i128::from(SCALE)))
    }

    /// Midpoint of two prices, rounded half to even in 1e-9.
    pub fn mid(bid: Price, ask: Price) -> Price {
        let mid = div_half_even(i128::from(bid.0) + i128::from(ask.0), 2);
        Price(i64::try_from(mid).expect("the mean of two i64 is an i64"))
    }

    /// Nearest price to an `f64` (analytics → order price); `None` when not representable.
    pub fn from_f64(value: f64) -> Option<Price> {
        let scaled = value * SCALE as f64;
        (scaled.is_finite() && scaled.abs() < 9.0e18).then(|| Price(libm::rint(scaled) as i64))
    }
}

impl Qty {
    /// One share or contract.
    pub const ONE: Qty = Qty(SCALE);

    /// Whole units, truncated toward zero.
    pub fn whole(self) -> i64 {
        self.0 / SCALE
    }

    /// The opposite quantity (the minimum saturates, which `-` would not).
    #[allow(clippy::should_implement_trait)]
    #[must_use]
    pub fn neg(self) -> Qty {
        Qty(self.0.saturating_neg())
    }
}

impl Money {
    /// The opposite amount (the minimum saturates, which `-` would not).
    #[allow(clippy::should_implement_trait)]
    #[must_use]
    pub fn neg(self) -> Money {
        Money(self.0.saturating_neg())
    }

    /// Rounds half to even to a whole cent, as fees and cash movements are.
    pub fn round_to_cent(self) -> Money {
        const CENT: i128 = 10_000_000;
        Money(div_half_even(self.0, CENT) * CENT)
    }

    /// The amount times `numerator / denominator`, rounded half to even.
    pub fn scaled(self, numerator: i64, denominator: i64) -> Money {
        Money(div_half_even(self.0.saturating_mul(i128::from(numerator)), i128::from(denominator)))
    }
}

impl std::ops::Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0 + other.0)
    }
}
impl std::ops::Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0 - other.0)
    }
}
impl std::ops::AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}
impl std::ops::SubAssign for Money {
    fn sub_assign(&mut self, other: Money) {
        *self = *self - other;
    }
}
impl std::ops::Add for Price {
    type Output = Price;
    fn add(self, other: Price) -> Price {
        Price(self.0 + other.0)
    }
}
impl std::ops::Sub for Price {
    type Output = Price;
    fn sub(self, other: Price) -> Price {
        Price(self.0 - other.0)
    }
}
impl std::ops::Add for Qty {
    type Output = Qty;
    fn add(self, other: Qty) -> Qty {
        Qty(self.0 + other.0)
    }
}
impl std::ops::Sub for Qty {
    type Output = Qty;
    fn sub(self, other: Qty) -> Qty {
        Qty(self.0 - other.0)
    }
}

/// An instant: nanoseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The end of time: never due.
    pub const MAX: Nanos = Nanos(u64::MAX);

    /// `self + duration_ns`, saturating at [`Nanos::MAX`].
    #[must_use]
    pub fn after(self, duration_ns: u64) -> Nanos {
        Nanos(self.0.saturating_add(duration_ns))
    }
}

/// Nanoseconds in one second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds in one minute.
pub const MINUTE: u64 = 60 * SECOND;
/// Nanoseconds in one day.
pub const DAY: u64 = 86_400 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::strategy::Strategy as _;

    #[test]
    fn decimals_parse_and_print_exactly() {
        for (text, raw, printed) in [
            ("54", 54_000_000_000i64, "54.00"),
            ("-0.05", -50_000_000, "-0.05"),
            ("0.000000001", 1, "0.000000001"),
            ("12.5000000000", 12_500_000_000, "12.50"),
            (".5", 500_000_000, "0.50"),
            ("+3.", 3_000_000_000, "3.00"),
        ] {
            assert_eq!(text.parse::<Price>().unwrap(), Price(raw), "{text}");
            assert_eq!(Price(raw).to_string(), printed, "{text}");
        }
        for text in ["", ".", "-", "1e5", "1.0000000001", "9223372037", "0x1", "1 "] {
            assert!(text.parse::<Price>().is_err(), "{text}");
        }
        assert_eq!(Qty(3 * SCALE).to_string(), "3");
        assert_eq!(format!("{:>8}|{:<8}|", Price(SCALE), Price(SCALE)), "    1.00|1.00    |");
    }

    proptest::proptest! {
        #[test]
        fn a_notional_is_the_exact_product_rounded_once(
            price in proptest::prop_oneof![proptest::num::i64::ANY, -1_000_000_000_000i64..1_000_000_000_000],
            quantity in proptest::prop_oneof![
                proptest::num::i64::ANY,
                -1_000_000_000_000i64..1_000_000_000_000,
                (-1_000_000i64..1_000_000).prop_map(|whole| whole * SCALE),
            ],
            multiplier in proptest::sample::select(vec![1i64, 50, 100, 1_000, 1_024, 100_000]),
        ) {
            // Floor division and its remainder decide the neighbour; the tie goes to the even one.
            let product = (i128::from(price) * i128::from(quantity)).saturating_mul(i128::from(multiplier));
            let scale = i128::from(SCALE);
            let (floor, rest) = (product.div_euclid(scale), product.rem_euclid(scale));
            let up = 2 * rest > scale || (2 * rest == scale && floor.rem_euclid(2) == 1);
            let found = Price(price).notional(Qty(quantity), multiplier);
            proptest::prop_assert_eq!(found, Money(floor + i128::from(up)));
        }
    }

    #[test]
    fn the_one_rounding_is_half_to_even() {
        for (n, d, expected) in
            [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (6, 4, 2), (10, 4, 2), (1, 3, 0)]
        {
            assert_eq!(div_half_even(n, d), expected, "{n}/{d}");
        }
        let price: Price = "54.005".parse().unwrap();
        assert_eq!(price.notional(Qty(-5 * SCALE), 100), "-27002.5".parse().unwrap());
        assert_eq!("0.125".parse::<Money>().unwrap().round_to_cent(), "0.12".parse().unwrap());
        assert_eq!("0.135".parse::<Money>().unwrap().round_to_cent(), "0.14".parse().unwrap());
    }
}
