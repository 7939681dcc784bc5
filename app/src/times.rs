//! Times as people read and write them.

use crate::failure::Failure;
use jiff::Timestamp;
use onetape_engine::num::Nanos;

/// `2025-05-16 13:45:00.123` (UTC).
pub(crate) fn utc(ts: Nanos) -> String {
    match Timestamp::from_nanosecond(i128::from(ts.0)) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => format!("{} ns", ts.0),
    }
}

/// `1ms,250us` as nanoseconds.
pub(crate) fn parse_latency(text: &str) -> Result<(u64, u64), Failure> {
    let bad = || {
        Failure::usage(format!(
            "--latency: '{text}' is not ENTRY,RESPONSE such as 1ms,1ms (units ns, us, ms, s)"
        ))
    };
    let (entry, response) = text.split_once(',').ok_or_else(bad)?;
    Ok((parse_duration(entry).ok_or_else(bad)?, parse_duration(response).ok_or_else(bad)?))
}

/// `250us` as nanoseconds; a number without a unit is nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ns" | "" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_parse() {
        assert_eq!(parse_latency("1ms,250us").unwrap(), (1_000_000, 250_000));
        assert_eq!(parse_latency("0,7").unwrap(), (0, 7));
        for bad in ["1ms", "1ms,x", "1h,1h", ",", "99999999999999999999,1"] {
            assert!(parse_latency(bad).is_err(), "{bad}");
        }
    }
}
