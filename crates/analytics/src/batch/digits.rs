//! Numbers with 17 significant digits.

use std::fmt::Write;

/// Appends `value` with 17 significant digits, as C's `%.17g`: fixed notation for exponents from −4
/// to 16, no trailing zeros; `nan`, `inf`, `-inf`.
pub fn digits(value: f64, out: &mut String) {
    if value.is_nan() {
        return out.push_str("nan");
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { "inf" } else { "-inf" });
    }
    let mut text = String::with_capacity(24);
    // Writing to a String cannot fail.
    write!(text, "{value:.16e}").ok();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let significant: String = mantissa.chars().filter(|c| *c != '.').collect();
    let significant = significant.trim_end_matches('0');
    let significant = if significant.is_empty() { "0" } else { significant };
    out.push_str(sign);
    if !(-4..17).contains(&exponent) {
        let (first, rest) = significant.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        write!(out, "e{exponent}").ok();
    } else if exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', exponent.unsigned_abs() as usize - 1));
        out.push_str(significant);
    } else {
        let whole = exponent.unsigned_abs() as usize + 1;
        if significant.len() <= whole {
            out.push_str(significant);
            out.extend(std::iter::repeat_n('0', whole - significant.len()));
        } else {
            out.push_str(&significant[..whole]);
            out.push('.');
            out.push_str(&significant[whole..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(value: f64) -> String {
        let mut out = String::new();
        digits(value, &mut out);
        out
    }

    #[test]
    fn as_c_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1, "0.10000000000000001"),
            (100.0, "100"),
            (123_456.75, "123456.75"),
            (1e16, "10000000000000000"),
            (1e17, "1e17"),
            (1e-5, "1.0000000000000001e-5"),
            (0.001, "0.001"),
            (0.0001, "0.0001"),
            (2.0_f64.powi(-20), "9.5367431640625e-7"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(shown(value), text);
        }
    }

    proptest! {
        #[test]
        fn they_read_back_as_the_same_float(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let back: f64 = shown(value).parse().expect("a number");
            prop_assert!(back.to_bits() == value.to_bits() || (back.is_nan() && value.is_nan()));
        }
    }
}
