//! When a row happened and when it was knowable.

use super::cell::{Cell, Cells, NoNumber};
use super::plan::{Fault, Plan, TimePlaces};
use super::spec::{At, Interval, Stamp, TimeSpec, Unit};
use onetape_calendar::{Date, DayClock, Market, Zone};
use onetape_engine::num::{DAY, SECOND};

/// 1990-01-01 and 2100-01-01 UTC: times outside are unit slips or damage.
const FIRST_NS: i128 = 631_152_000 * SECOND as i128;
const LAST_NS: i128 = 4_102_444_800 * SECOND as i128;

/// Reads the times of rows; remembers the day last seen.
#[derive(Debug)]
pub(super) struct Clock {
    spec: TimeSpec,
    zone: Zone,
    day: Option<DayClock>,
    /// Date text last parsed.
    date: Option<(Vec<u8>, Date)>,
    close: Option<(Market, Date, u64)>,
}

/// A row's own time before the instrument's market is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// UTC nanoseconds.
    At(u64),
    /// The close of the instrument's session on a date, less a span.
    Close(Date, u64),
}

impl Clock {
    pub(super) fn new(spec: &TimeSpec) -> Clock {
        Clock { spec: spec.clone(), zone: spec.zone.zone(), day: None, date: None, close: None }
    }

    /// The source's own time; `None` where the row states none.
    pub(super) fn moment<C: Cells>(&mut self, plan: &Plan, cells: &C) -> Result<Option<Moment>, Fault> {
        let TimePlaces { event, date, clock, .. } = plan.time;
        if let Some(place) = event {
            return Ok(self.instant(plan, cells, place)?.map(Moment::At));
        }
        let Some(place) = date else { return Ok(None) };
        let day = match cells.get(place) {
            Cell::Null => return Ok(None),
            cell => self.date(cell).ok_or_else(|| plan.fault(place, cell, DATE))?,
        };
        let wall = match (clock, self.spec.at) {
            (Some(place), _) => match cells.get(place) {
                Cell::Null => return Ok(None),
                cell => wall_ns(cell, self.spec.unit).ok_or_else(|| plan.fault(place, cell, WALL))?,
            },
            (None, Some(At::Wall(span))) => span.0,
            (None, Some(At::Close(before))) => return Ok(Some(Moment::Close(day, before.0))),
            (None, None) => 0,
        };
        let at = self.utc(day, wall).ok_or_else(|| plan.fault(place, cells.get(place), DATE))?;
        Ok(Some(Moment::At(at)))
    }

    /// Time of receipt, where the row states one.
    pub(super) fn received<C: Cells>(&mut self, plan: &Plan, cells: &C) -> Result<Option<u64>, Fault> {
        plan.time.known.map_or(Ok(None), |place| self.instant(plan, cells, place))
    }

    /// Knowable time and source time of a row of an instrument of `market`.
    pub(super) fn times(
        &mut self,
        moment: Option<Moment>,
        received: Option<u64>,
        interval: Option<Interval>,
        market: Market,
    ) -> Result<(u64, u64), String> {
        let source = match moment {
            None => None,
            Some(Moment::Close(date, before)) => Some(self.close(market, date)?.saturating_sub(before)),
            Some(Moment::At(at)) => Some(match (self.spec.stamp, interval) {
                (Stamp::Start, Some(Interval::Fixed(span))) => at.saturating_add(span.0),
                (Stamp::Start, Some(Interval::Day)) => {
                    let zone = if market == Market::Crypto { Zone::Utc } else { Zone::NewYork };
                    self.close(market, zone.date_at(at))?
                }
                _ => at,
            }),
        };
        let Some(known) = received.or(source) else { return Err("the row has no time".to_string()) };
        Ok((known.saturating_add(self.spec.delay.0), source.unwrap_or(known)))
    }

    /// Close of a market on a date.
    fn close(&mut self, market: Market, date: Date) -> Result<u64, String> {
        if let Some((_, _, close)) = self.close.filter(|(m, d, _)| (*m, *d) == (market, date)) {
            return Ok(close);
        }
        let (_, close) = crate::import::terms::hours_ns(market, date)
            .ok_or_else(|| format!("{date} is no trading day, so the row has no close to stand at"))?;
        self.close = Some((market, date, close));
        Ok(close)
    }

    fn instant<C: Cells>(&mut self, plan: &Plan, cells: &C, place: usize) -> Result<Option<u64>, Fault> {
        let cell = cells.get(place);
        let ns = match cell {
            Cell::Null => return Ok(None),
            Cell::Instant(ns) => Some(i128::from(ns)),
            Cell::Wall(ns) => self.wall_instant(i128::from(ns)),
            Cell::Text(text) if is_calendar(text) => self.iso(text),
            Cell::Day(_) => self.date(cell).and_then(|day| self.utc(day, 0)).map(i128::from),
            cell => match self.spec.unit {
                None => None,
                Some(unit) => match cell.scaled(unit.digits(), 0, false) {
                    Ok(ns) => Some(i128::from(ns)),
                    Err(NoNumber::TooLarge) => Some(i128::MAX),
                    Err(_) => None,
                },
            },
        };
        let expected = match self.spec.unit {
            None => "a time such as 2025-02-20T14:30:00.5Z (of numeric times state time.unit)",
            Some(_) => "a number in time.unit or a time such as 2025-02-20T14:30:00.5Z",
        };
        let ns = ns.ok_or_else(|| plan.fault(place, cell, expected))?;
        if !(FIRST_NS..LAST_NS).contains(&ns) {
            return Err(plan.fault(place, cell, "a time from 1990 to 2099 (is time.unit right?)"));
        }
        Ok(Some(ns as u64))
    }

    fn wall_instant(&mut self, ns: i128) -> Option<i128> {
        let day = i32::try_from(ns.div_euclid(i128::from(DAY))).ok()?;
        let wall = u64::try_from(ns.rem_euclid(i128::from(DAY))).ok()?;
        self.utc(date_of_day(day)?, wall).map(i128::from)
    }

    /// `2025-02-20T14:30:00.5Z`, with an offset, or without: then in the profile's zone.
    fn iso(&mut self, text: &[u8]) -> Option<i128> {
        let split = text.iter().position(|b| matches!(b, b'T' | b' '));
        let (date, rest) = match split {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &b"00:00"[..]),
        };
        let day = self.date(Cell::Text(date))?;
        let sign = rest.iter().position(|b| matches!(b, b'+' | b'-' | b'Z'));
        let Some(at) = sign else { return self.utc(day, clock_ns(rest)?).map(i128::from) };
        let wall = i128::from(clock_ns(&rest[..at])?);
        let days = i128::from(day.duration_since(Date::constant(1970, 1, 1)).as_secs()) * i128::from(SECOND);
        let offset = match &rest[at..] {
            b"Z" => 0,
            [sign, offset @ ..] => {
                let ns = i128::from(clock_ns(offset)?);
                if *sign == b'-' { -ns } else { ns }
            }
            [] => return None,
        };
        Some(days + wall - offset)
    }

    fn date(&mut self, cell: Cell<'_>) -> Option<Date> {
        let text = cell.text();
        if let Some((_, date)) = self.date.as_ref().filter(|(known, _)| **known == *text) {
            return Some(*date);
        }
        let date = date_of_cell(cell)?;
        self.date = Some((text.into_owned(), date));
        Some(date)
    }

    fn utc(&mut self, date: Date, wall: u64) -> Option<u64> {
        let day = match self.day.filter(|day| day.date() == date) {
            Some(day) => day,
            None => {
                let day = DayClock::new(self.zone, date).ok()?;
                self.day = Some(day);
                day
            }
        };
        let at = day.utc_ns(wall);
        (FIRST_NS..LAST_NS).contains(&i128::from(at)).then_some(at)
    }
}

const DATE: &str = "a date from 1990 to 2099 such as 2025-02-20, 20250220 or 02/20/2025";
const WALL: &str = "a time of day such as 09:31:00 or 0931 (of numeric ones state time.unit)";

fn is_calendar(text: &[u8]) -> bool {
    text.iter().skip(1).any(|b| matches!(b, b'-' | b'/' | b':' | b'T')) && !text.contains(&b'e')
}

/// The date in a cell: `YYYY-MM-DD`, `YYYYMMDD`, `MM/DD/YYYY`, `DDMONYYYY`, `DDMONYY`.
pub(super) fn date_of_cell(cell: Cell<'_>) -> Option<Date> {
    match cell {
        Cell::Day(day) => date_of_day(day),
        Cell::Wall(ns) => date_of_day(i32::try_from(ns.div_euclid(DAY as i64)).ok()?),
        Cell::Instant(ns) => Some(Zone::Utc.date_at(u64::try_from(ns).ok()?)),
        Cell::Whole(number) => crate::import::terms::date_of(u64::try_from(number).ok()?),
        Cell::Text(text) => date_of_text(text),
        _ => None,
    }
}

fn date_of_day(day: i32) -> Option<Date> {
    Date::constant(1970, 1, 1).checked_add(jiff::Span::new().try_days(day).ok()?).ok()
}

fn date_of_text(text: &[u8]) -> Option<Date> {
    let number = |digits: &[u8]| -> Option<i16> {
        (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
            .then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
    };
    let make = |year: i16, month: i16, day: i16| Date::new(year, month as i8, day as i8).ok();
    match text {
        [y @ .., b'-' | b'/', m1, m2, b'-' | b'/', d1, d2] if y.len() == 4 => {
            make(number(y)?, number(&[*m1, *m2])?, number(&[*d1, *d2])?)
        }
        _ if text.len() == 8 && text.iter().all(u8::is_ascii_digit) => {
            make(number(&text[..4])?, number(&text[4..6])?, number(&text[6..])?)
        }
        _ if text.contains(&b'/') => {
            let mut fields = text.split(|b| *b == b'/');
            let (month, day, year) = (fields.next()?, fields.next()?, fields.next()?);
            let is_whole = fields.next().is_none() && year.len() == 4 && month.len() <= 2 && day.len() <= 2;
            is_whole.then(|| make(number(year)?, number(month)?, number(day)?))?
        }
        _ => {
            const MONTHS: &[u8] = b"JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
            let at = text.iter().position(u8::is_ascii_alphabetic).filter(|at| *at == 1 || *at == 2)?;
            let name = text.get(at..at + 3)?.to_ascii_uppercase();
            let month = MONTHS.chunks(3).position(|known| known == name)? as i16 + 1;
            let year = &text[at + 3..];
            let year = match year.len() {
                2 => 2_000 + number(year)?,
                4 => number(year)?,
                _ => return None,
            };
            make(year, month, number(&text[..at])?)
        }
    }
}

/// Nanoseconds since midnight of `HH:MM`, `HH:MM:SS` with up to nine decimals, `HHMM` or `HHMMSS`.
pub(super) fn clock_ns(text: &[u8]) -> Option<u64> {
    let two = |pair: &[u8]| -> Option<u64> {
        let [a, b] = pair else { return None };
        (a.is_ascii_digit() && b.is_ascii_digit()).then(|| u64::from(a - b'0') * 10 + u64::from(b - b'0'))
    };
    let (hour, minute, rest) = match text {
        [h1, h2, b':', m1, m2, rest @ ..] => {
            let seconds = match rest {
                [] => rest,
                [b':', rest @ ..] if rest.len() >= 2 => rest,
                _ => return None,
            };
            (two(&[*h1, *h2])?, two(&[*m1, *m2])?, seconds)
        }
        [h1, h2, m1, m2, rest @ ..] if matches!(rest.len(), 0 | 2) => {
            (two(&[*h1, *h2])?, two(&[*m1, *m2])?, rest)
        }
        _ => return None,
    };
    let (second, fraction) = match rest {
        [] => (0, &rest[..0]),
        [s1, s2] => (two(&[*s1, *s2])?, &rest[..0]),
        [s1, s2, b'.', fraction @ ..] if (1..=9).contains(&fraction.len()) => (two(&[*s1, *s2])?, fraction),
        _ => return None,
    };
    let mut nanos = 0;
    for place in 0..9 {
        let digit = fraction.get(place).copied().unwrap_or(b'0');
        nanos = nanos * 10 + u64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    let is_time = hour <= 23 && minute <= 59 && second <= 59;
    is_time.then(|| ((hour * 60 + minute) * 60 + second) * SECOND + nanos)
}

/// Time of day in a cell: a clock text, or a number in the unit.
fn wall_ns(cell: Cell<'_>, unit: Option<Unit>) -> Option<u64> {
    match (cell, unit) {
        (Cell::Text(text), _) if text.contains(&b':') => clock_ns(text),
        (cell, Some(unit)) => {
            let ns = u64::try_from(cell.scaled(unit.digits(), 0, false).ok()?).ok()?;
            (ns <= DAY).then_some(ns)
        }
        (Cell::Text(text), None) => clock_ns(text),
        // Spreadsheets drop leading zeros: 931 is 09:31.
        (Cell::Whole(number), None) => {
            let width = if (0..10_000).contains(&number) { 4 } else { 6 };
            clock_ns(format!("{number:0width$}").as_bytes())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_calendar::date;

    #[test]
    fn dates_and_clocks_in_the_forms_vendors_write() {
        for text in
            ["2025-06-27", "2025/06/27", "20250627", "06/27/2025", "6/27/2025", "27JUN2025", "27Jun25"]
        {
            assert_eq!(date_of_cell(Cell::Text(text.as_bytes())), Some(date(2025, 6, 27)), "{text}");
        }
        for text in
            ["", "2025-13-01", "2025-6-27", "27/06/2025", "20250632", "27XYZ25", "2025-06-271", "/", "5"]
        {
            assert_eq!(date_of_cell(Cell::Text(text.as_bytes())), None, "{text}");
        }
        for (text, ns) in [
            ("09:31", Some(34_260)),
            ("09:31:05", Some(34_265)),
            ("0931", Some(34_260)),
            ("093105", Some(34_265)),
            ("24:00", None),
            ("9:31", None),
            ("09:31:", None),
            ("09:31:05.", None),
            ("09:31:05.1234567890", None),
        ] {
            assert_eq!(clock_ns(text.as_bytes()), ns.map(|s: u64| s * SECOND), "{text}");
        }
        assert_eq!(clock_ns(b"00:00:00.000000001"), Some(1));
        assert_eq!(wall_ns(Cell::Text(b"34260000"), Some(Unit::Ms)), Some(34_260 * SECOND));
        assert_eq!(wall_ns(Cell::Whole(931), None), Some(34_260 * SECOND));
    }

    #[test]
    fn iso_times_carry_their_offset_or_the_zone() {
        let spec = TimeSpec { zone: super::super::spec::ZoneName::NewYork, ..TimeSpec::default() };
        let mut clock = Clock::new(&spec);
        let expected = 1_740_061_800 * i128::from(SECOND);
        for text in [
            "2025-02-20T14:30:00Z",
            "2025-02-20 14:30:00.000000000+00:00",
            "2025-02-20T15:30+01:00",
            "2025-02-20 09:30:00",
            "2025-02-20T09:30:00-0500",
            "02/20/2025 09:30",
        ] {
            assert_eq!(clock.iso(text.as_bytes()), Some(expected), "{text}");
        }
        for text in ["2025-02-20T", "2025-02-20T25:00", "2025-02-20T09:30:00+", "T09:30"] {
            assert_eq!(clock.iso(text.as_bytes()), None, "{text}");
        }
    }
}
