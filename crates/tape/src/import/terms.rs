//! Terms of listed US options from the calendar's dated classes, for every importer.

use super::ImportError;
use onetape_calendar::{
    ClassRow, Date, Delivery, Market, Session, SettleAt, Style, TickClass, class, expiry_times,
};
use onetape_engine::ids::{InstrumentIx, VenueIx};
use onetape_engine::instrument::{
    ExerciseStyle, InstrumentDef, InstrumentKind, OptionTerms, Right, Settlement, SettlementTime, TickRule,
    osi_symbol,
};
use onetape_engine::num::{Nanos, Price, Qty, SCALE};
use onetape_engine::record::{Body, Head, Phase, Record, SessionPhase, flags};

/// Underlying of an option root: itself unless the root is a weekly or other series of an index.
pub(crate) fn underlying_of(root: &str) -> &str {
    match root {
        "SPXW" | "SPXPM" | "SPXQ" => "SPX",
        "XSPAM" => "XSP",
        "NDXP" => "NDX",
        "RUTW" => "RUT",
        "VIXW" => "VIX",
        _ => root,
    }
}

/// Whether an underlying is an index rather than a share.
pub(crate) fn is_index(symbol: &str) -> bool {
    matches!(symbol, "SPX" | "XSP" | "NDX" | "RUT" | "VIX" | "DJX" | "OEX" | "XEO" | "MRUT")
}

/// `YYYYMMDD` of a date.
pub(crate) fn number_of(date: Date) -> u32 {
    u32::from(date.year().unsigned_abs()) * 10_000
        + u32::from(date.month().unsigned_abs()) * 100
        + u32::from(date.day().unsigned_abs())
}

/// The date of `YYYYMMDD`.
pub(crate) fn date_of(number: u64) -> Option<Date> {
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    Date::new(i16::try_from(year).ok()?, month as i8, day as i8).ok()
}

/// An option as a symbol of the Options Clearing Corporation's form states it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OccParts {
    pub(crate) root: String,
    pub(crate) expiry: Date,
    pub(crate) right: Right,
    pub(crate) strike: Price,
}

/// Reads root, yymmdd, C or P and strike × 1000: the 21 characters of OSI, or with less padding,
/// or with `O:` in front; `None` of any other text.
pub(crate) fn occ_parts(symbol: &str) -> Option<OccParts> {
    let text = symbol.strip_prefix("O:").unwrap_or(symbol);
    let digits = text.len() - text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (head, strike) = text.split_at(text.len() - digits);
    if !(1..=8).contains(&digits) || head.len() < 8 || !head.is_ascii() {
        return None;
    }
    let (head, right) = head.split_at(head.len() - 1);
    let right = match right {
        "C" => Right::Call,
        "P" => Right::Put,
        _ => return None,
    };
    let (root, expiry) = head.split_at(head.len() - 6);
    let root = root.trim_end();
    if !expiry.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let expiry = date_of(20_000_000 + expiry.parse::<u64>().ok()?)?;
    let strike = Price(strike.parse::<i64>().ok()?.checked_mul(SCALE / 1_000)?);
    let is_root =
        (1..=6).contains(&root.len()) && root.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    is_root.then(|| OccParts { root: root.to_string(), expiry, right, strike })
}

/// Whether a price shows that its class trades in pennies: below 3.00 and off the 0.05 grid.
pub(crate) fn shows_pennies(price: i64) -> bool {
    const NICKEL: i64 = 50_000_000;
    const THREE: i64 = 3_000_000_000;
    price > 0 && price < THREE && price % NICKEL != 0
}

/// The class of a root on a date.
pub(crate) fn class_of(root: &str, on: Date) -> Result<&'static ClassRow, ImportError> {
    class(root, on)
        .map_err(|source| ImportError::Calendar { what: format!("option class {root} on {on}"), source })
}

/// A listed option as its source states it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) root: String,
    pub(crate) expiry: Date,
    pub(crate) strike: Price,
    pub(crate) right: Right,
    /// Exercise style where the source states it.
    pub(crate) style: Option<ExerciseStyle>,
    /// Prices below 3.00 off the 0.05 grid were seen.
    pub(crate) is_penny: bool,
    pub(crate) source: String,
}

/// The definition of a listed option of class `row`.
pub(crate) fn define_listed(
    listed: &Listed,
    row: &ClassRow,
    underlying: InstrumentIx,
) -> Result<InstrumentDef, ImportError> {
    let Listed { root, expiry, strike, right, .. } = listed;
    let times = expiry_times(row, *expiry).map_err(|source| ImportError::Calendar {
        what: format!("expiry {expiry} of class {root}"),
        source,
    })?;
    let expiry_date = number_of(*expiry);
    let terms = OptionTerms {
        underlying,
        root: root.clone(),
        expiry_date,
        strike: *strike,
        right: *right,
        style: listed.style.unwrap_or(match row.style {
            Style::American => ExerciseStyle::American,
            Style::European => ExerciseStyle::European,
        }),
        settlement: match row.delivery {
            Delivery::Physical => Settlement::Physical,
            Delivery::Cash => Settlement::Cash,
        },
        settlement_time: match row.settle_at {
            SettleAt::Open => SettlementTime::Am,
            SettleAt::Close => SettlementTime::Pm,
        },
        last_trade: Nanos(times.last_trade_ns),
        expiry: Nanos(times.expiry_ns),
        exercise_cutoff: Nanos(times.exercise_cutoff_ns),
        notice: Nanos(times.notice_ns),
    };
    Ok(InstrumentDef {
        symbol: osi_symbol(root, expiry_date, *right, *strike),
        kind: InstrumentKind::Option,
        multiplier: i64::from(row.multiplier),
        tick: tick_rule(row, listed.is_penny),
        lot: Qty::ONE,
        option: Some(terms),
        expiry: None,
        quote_hold_ns: None,
        source: listed.source.clone(),
    })
}

/// The class's rule; single stocks are not tabulated and follow what their prices show.
fn tick_rule(row: &ClassRow, is_penny: bool) -> TickRule {
    match row.tick {
        TickClass::Penny => TickRule::Fixed(10_000_000),
        TickClass::PennyNickel => TickRule::Penny,
        TickClass::NickelDime if is_penny && row.root == "*" => TickRule::Penny,
        TickClass::NickelDime => TickRule::Nickel,
    }
}

/// An index: priced, never traded, no tick rule.
pub(crate) fn index(symbol: &str) -> InstrumentDef {
    InstrumentDef { kind: InstrumentKind::Index, tick: TickRule::Free, ..InstrumentDef::equity(symbol) }
}

/// Opening and closing record of a session.
pub(crate) fn phases(session: &Session) -> [Record; 2] {
    [(Phase::Open, session.open_ns), (Phase::Close, session.close_ns)].map(|(phase, at)| {
        let body = SessionPhase {
            open: session.open_ns,
            close: session.close_ns,
            trade_date: number_of(session.trade_date),
            utc_offset_s: session.utc_offset_s,
            phase: phase as u8,
            reserved: [0; 15],
        };
        let (instrument, venue) = (InstrumentIx::NONE, VenueIx(0));
        let head = Head { ts: Nanos(at), ts_src: Nanos(at), instrument, venue, flags: flags::LAST };
        Record::new(head, Body::SessionPhase(body))
    })
}

/// Opening and closing instant of a market on a date; `None` on holidays.
pub(crate) fn hours_ns(market: Market, date: Date) -> Option<(u64, u64)> {
    onetape_calendar::session(market, date).map(|session| (session.open_ns, session.close_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_calendar::date;

    #[test]
    fn symbols_of_the_clearing_corporation_in_their_spellings() {
        for text in
            ["GOOG  160115C00747500", "GOOG160115C00747500", "O:GOOG160115C00747500", "GOOG 160115C747500"]
        {
            let parts = occ_parts(text).unwrap();
            assert_eq!((parts.root.as_str(), parts.expiry), ("GOOG", date(2016, 1, 15)), "{text}");
            assert_eq!((parts.right, parts.strike), (Right::Call, "747.5".parse().unwrap()), "{text}");
        }
        assert_eq!(occ_parts("AAPL1251219P00650000").unwrap().root, "AAPL1");
        for text in
            ["GOOG", "", "160115C00747500", "GOOG161315C00747500", "GOOG160115X00747500", "GOOG160115C"]
        {
            assert_eq!(occ_parts(text), None, "{text}");
        }
    }

    #[test]
    fn listed_options_get_the_terms_of_their_class() {
        let listed = |root: &str, expiry| Listed {
            root: root.to_string(),
            expiry,
            strike: "3200".parse().unwrap(),
            right: Right::Put,
            style: None,
            is_penny: false,
            source: "test".to_string(),
        };
        let on = date(2021, 1, 4);
        let row = class_of("SPX", on).unwrap();
        let def = define_listed(&listed("SPX", date(2021, 1, 15)), row, InstrumentIx(0)).unwrap();
        let terms = def.option.unwrap();
        assert_eq!(def.symbol, "SPX   210115P03200000");
        assert_eq!((terms.style, terms.settlement_time), (ExerciseStyle::European, SettlementTime::Am));
        assert!(terms.last_trade < terms.expiry, "a.m. settled: trading ends the day before");

        let row = class_of("GOOG", on).unwrap();
        for (is_penny, tick) in [(false, TickRule::Nickel), (true, TickRule::Penny)] {
            let listed = Listed { is_penny, ..listed("GOOG", date(2021, 1, 15)) };
            assert_eq!(define_listed(&listed, row, InstrumentIx(0)).unwrap().tick, tick);
        }
        assert_eq!(underlying_of("SPXW"), "SPX");
        assert_eq!(date_of(20211301), None);
        assert_eq!(number_of(date(2015, 12, 24)), 20151224);
    }
}
