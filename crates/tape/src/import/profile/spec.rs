//! What a profile says, as TOML; `docs/market-data.md` documents every key.

use crate::import::ImportError;
use crate::names::toml_problem;
use onetape_calendar::Zone;
use onetape_engine::record::TradeClass;
use serde::{Deserialize, Deserializer, de};
use std::collections::BTreeMap;
use std::path::Path;

/// How the files of one source are laid out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(skip)]
    pub(super) name: String,
    /// One sentence for people.
    pub(super) about: String,
    /// Where the layout was read.
    #[serde(default)]
    pub(super) layout: String,
    pub(super) record: RecordKind,
    #[serde(default)]
    pub(super) file: FileSpec,
    pub(super) time: TimeSpec,
    pub(super) symbol: SymbolSpec,
    #[serde(default)]
    pub(super) price: PriceSpec,
    #[serde(default)]
    pub(super) size: SizeSpec,
    pub(super) columns: Columns,
    /// Columns of the call where one row holds call and put.
    pub(super) call: Option<Columns>,
    /// Columns of the put.
    pub(super) put: Option<Columns>,
    pub(super) open_interest: Option<OpenInterestSpec>,
    pub(super) trade_rows: Option<TradeRows>,
    pub(super) side: Option<SideSpec>,
    pub(super) conditions: Option<ConditionSpec>,
    pub(super) non_firm: Option<CodeSpec>,
    pub(super) snapshot: Option<SnapshotSpec>,
    pub(super) venue: Option<VenueSpec>,
    /// Rows are kept when each of these columns holds one of its values.
    #[serde(default)]
    pub(super) keep: BTreeMap<String, Vec<String>>,
}

/// Column names by what they hold.
pub(super) type Columns = BTreeMap<Field, String>;

/// What a row becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecordKind {
    Quote,
    Trade,
    TradeBar,
    QuoteBar,
    /// A snapshot of one contract: quote, and where stated open interest, bar and underlying.
    Chain,
}

impl RecordKind {
    /// Name under which rows are counted.
    pub(super) fn name(self) -> &'static str {
        match self {
            RecordKind::Quote => "quote",
            RecordKind::Trade => "trade",
            RecordKind::TradeBar => "trade_bar",
            RecordKind::QuoteBar => "quote_bar",
            RecordKind::Chain => "chain",
        }
    }

    /// Fields that a profile of this kind must map, and those it may.
    pub(super) fn fields(self) -> (&'static [Field], &'static [Field]) {
        use Field::*;
        match self {
            RecordKind::Quote => (&[Bid, Ask], &[BidSize, AskSize, Sequence, Price, Size]),
            RecordKind::Trade => (&[Price, Size], &[TradeId, Sequence]),
            RecordKind::TradeBar => (&[Open, High, Low, Close], &[Volume]),
            RecordKind::QuoteBar => (
                &[BidOpen, BidHigh, BidLow, BidClose, AskOpen, AskHigh, AskLow, AskClose],
                &[BidSize, AskSize],
            ),
            RecordKind::Chain => (
                &[Bid, Ask],
                &[
                    BidSize,
                    AskSize,
                    OpenInterest,
                    Volume,
                    Open,
                    High,
                    Low,
                    Close,
                    UnderlyingBid,
                    UnderlyingAsk,
                    UnderlyingPrice,
                ],
            ),
        }
    }
}

/// A value that a column can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Field {
    Bid,
    Ask,
    BidSize,
    AskSize,
    Price,
    Size,
    TradeId,
    Sequence,
    Open,
    High,
    Low,
    Close,
    Volume,
    BidOpen,
    BidHigh,
    BidLow,
    BidClose,
    AskOpen,
    AskHigh,
    AskLow,
    AskClose,
    OpenInterest,
    UnderlyingBid,
    UnderlyingAsk,
    UnderlyingPrice,
}

impl Field {
    pub(super) const COUNT: usize = Field::UnderlyingPrice as usize + 1;
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileSpec {
    /// One character, or `tab`.
    pub(super) delimiter: String,
    /// The first line names the columns.
    pub(super) header: bool,
    /// Names of the columns of files without header.
    pub(super) columns: Vec<String>,
    /// Texts that mean "no value".
    pub(super) null: Vec<String>,
    pub(super) order: Order,
    pub(super) on_null: OnNull,
    /// What a quote side without a price says.
    pub(super) null_side: NullSide,
}

impl Default for FileSpec {
    fn default() -> FileSpec {
        FileSpec {
            delimiter: ",".to_string(),
            header: true,
            columns: Vec::new(),
            null: vec![String::new()],
            order: Order::default(),
            on_null: OnNull::default(),
            null_side: NullSide::default(),
        }
    }
}

/// Order of a file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// By the time they were knowable; a row that goes back is an error.
    Time,
    /// Sorted here.
    #[default]
    Any,
}

/// What a row without a needed value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnNull {
    #[default]
    Error,
    Skip,
}

/// What a quote side without a price says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NullSide {
    /// There is no bid (or offer).
    #[default]
    Empty,
    /// Nothing about that side.
    Unstated,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TimeSpec {
    /// Column with the time of receipt.
    pub(super) known: Option<String>,
    /// Column with the source's own time.
    pub(super) event: Option<String>,
    /// Column with the civil date, instead of `event`.
    pub(super) date: Option<String>,
    /// Column with the time of day that belongs to `date`.
    pub(super) clock: Option<String>,
    /// Time of day of rows that state a date only.
    pub(super) at: Option<At>,
    pub(super) unit: Option<Unit>,
    pub(super) zone: ZoneName,
    pub(super) stamp: Stamp,
    pub(super) interval: Option<Interval>,
    /// Column that says which of `intervals` a row has.
    pub(super) interval_column: Option<String>,
    pub(super) intervals: BTreeMap<String, Interval>,
    /// Rows repeat every interval: a quote holds for two.
    pub(super) sampled: bool,
    /// From the time of receipt, or without one the source's, to the time a row was knowable here.
    pub(super) delay: Span,
}

/// Unit of numeric times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    S,
    Ms,
    Us,
    Ns,
}

impl Unit {
    /// Decimal digits between the unit and a nanosecond.
    pub(super) fn digits(self) -> i32 {
        match self {
            Unit::S => 9,
            Unit::Ms => 6,
            Unit::Us => 3,
            Unit::Ns => 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ZoneName {
    #[default]
    Utc,
    NewYork,
    Chicago,
}

impl ZoneName {
    pub(super) fn zone(self) -> Zone {
        match self {
            ZoneName::Utc => Zone::Utc,
            ZoneName::NewYork => Zone::NewYork,
            ZoneName::Chicago => Zone::Chicago,
        }
    }
}

/// What the source's time marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stamp {
    #[default]
    Instant,
    /// Start of the interval: the row is known at its end.
    Start,
    /// End of the interval.
    End,
}

/// A duration such as `15m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span(pub(super) u64);

impl Span {
    fn parse(text: &str) -> Option<Span> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit: u64 = match unit {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let ns = number.parse::<u64>().ok()?.checked_mul(unit)?;
        // A year: longer delays and intervals are slips.
        (ns <= 366 * 86_400_000_000_000).then_some(Span(ns))
    }
}

/// Width of a row's interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interval {
    Fixed(Span),
    /// A trading day: it ends at the close of the instrument's session.
    Day,
}

/// Time of day of a dated row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// So long before the close of the instrument's session.
    Close(Span),
    /// Wall time of the profile's zone.
    Wall(Span),
}

impl At {
    fn parse(text: &str) -> Option<At> {
        if let Some(before) = text.strip_prefix("close") {
            let span = if before.is_empty() { Some(Span(0)) } else { Span::parse(before.strip_prefix('-')?) };
            return span.map(At::Close);
        }
        let ns = super::time::clock_ns(text.as_bytes())?;
        Some(At::Wall(Span(ns)))
    }
}

/// Reads a text value through a parser that says no more than "not valid".
fn parsed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl Fn(&str) -> Option<T>,
    expected: &str,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| de::Error::custom(format!("'{text}' is not {expected}")))
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        parsed(deserializer, Span::parse, "a duration such as 250ms or 15m (units ns, us, ms, s, m, h)")
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Interval, D::Error> {
        let parse = |text: &str| match text {
            "day" => Some(Interval::Day),
            text => Span::parse(text).filter(|span| span.0 > 0).map(Interval::Fixed),
        };
        parsed(deserializer, parse, "an interval such as 1m or day (units s, m, h)")
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        parsed(deserializer, At::parse, "a time of day such as close, close-14m or 15:45")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SymbolSpec {
    /// Forms of the symbols, tried in this order.
    pub(super) forms: Vec<Form>,
    pub(super) column: Option<String>,
    /// Column with the put's symbol where one row holds call and put.
    pub(super) put_column: Option<String>,
    /// The one instrument of files without a symbol column.
    pub(super) name: Option<String>,
    /// Columns of an option's parts, instead of `column`.
    pub(super) root: Option<String>,
    pub(super) expiry: Option<String>,
    pub(super) strike: Option<String>,
    pub(super) right: Option<String>,
    pub(super) strike_unit: DecimalUnit,
    /// Column with the underlying's symbol.
    pub(super) underlying: Option<String>,
    /// Column that says `am` or `pm`: tells the classes of an index root apart.
    pub(super) am_pm: Option<String>,
    /// What plain symbols are.
    pub(super) plain: PlainKind,
}

/// A way to write symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// Root, yymmdd, C or P, strike × 1000: OSI's 21 characters, shortened, or with `O:` before it.
    Occ,
    /// `BTC-27JUN25-100000-C`, `BTC-27JUN25`, `BTC-PERPETUAL`.
    Deribit,
    /// A futures contract such as `ESH6`.
    Future,
    /// Anything else.
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlainKind {
    /// A share or fund; the known index symbols, `^SPX` and `I:SPX` are indices.
    #[default]
    Equity,
    Index,
    /// A crypto pair: no tick rule, fractions trade.
    Crypto,
}

/// A power of ten from `1` to `1e-9`, as its number of decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DecimalUnit(pub(super) i32);

impl<'de> Deserialize<'de> for DecimalUnit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DecimalUnit, D::Error> {
        let parse = |text: &str| match text {
            "1" => Some(DecimalUnit(0)),
            _ => text.strip_prefix("1e-")?.parse().ok().filter(|n| (1..=9).contains(n)).map(DecimalUnit),
        };
        parsed(deserializer, parse, "a unit from \"1\" to \"1e-9\"")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PriceSpec {
    /// What one is worth in the file's prices.
    pub(super) unit: DecimalUnit,
    /// The unit is of numbers without a decimal point only; others are plain.
    pub(super) whole_only: bool,
    /// Prices below zero are prices (spreads, some futures).
    pub(super) negative: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SizeSpec {
    /// Shares or contracts per unit of the file's sizes (100 for round lots).
    pub(super) lot: u32,
    /// First date (yyyy-mm-dd, New York) on which sizes are in single shares.
    pub(super) lot_until: Option<String>,
    /// Displayed size of quotes whose source states none.
    pub(super) assumed: Option<u32>,
}

impl Default for SizeSpec {
    fn default() -> SizeSpec {
        SizeSpec { lot: 1, lot_until: None, assumed: None }
    }
}

/// As of when a row's open interest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OpenInterestSpec {
    /// Known that morning: enters with the row.
    StartOfDay,
    /// Of the row's own close: enters on the next trading day at 06:30 New York.
    EndOfDay,
}

/// Quote rows that also state a trade.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TradeRows {
    pub(super) column: String,
    pub(super) values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SideSpec {
    pub(super) column: String,
    pub(super) buy: Vec<String>,
    pub(super) sell: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConditionSpec {
    pub(super) column: String,
    /// Between the codes of one cell.
    #[serde(default)]
    pub(super) separator: Option<char>,
    /// Class of trades without a code.
    #[serde(default)]
    pub(super) none: ClassName,
    /// Class of codes outside `map`.
    #[serde(default = "other")]
    pub(super) unknown: ClassName,
    pub(super) map: BTreeMap<String, ClassName>,
}

fn other() -> ClassName {
    ClassName::Other
}

/// [`TradeClass`] by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClassName {
    #[default]
    Regular,
    Auto,
    Iso,
    Auction,
    Cross,
    Floor,
    MultiLeg,
    StockTied,
    Late,
    OutOfSequence,
    Cancel,
    Open,
    Reopen,
    OddLot,
    Other,
}

impl ClassName {
    pub(super) fn class(self) -> TradeClass {
        TradeClass::from_wire(self as u8)
    }
}

/// Codes of a column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeSpec {
    pub(super) column: String,
    #[serde(default)]
    pub(super) separator: Option<char>,
    pub(super) values: Vec<String>,
}

/// Flag bits that mark quotes of a snapshot rather than an update.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SnapshotSpec {
    pub(super) column: String,
    pub(super) mask: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VenueSpec {
    /// Venue of a trade or of the bid.
    pub(super) column: String,
    /// Venue of the ask, where the source states one.
    pub(super) ask_column: Option<String>,
    /// Numbers of venues written as text; numbers stand for themselves, letters for 1 to 26.
    #[serde(default)]
    pub(super) map: BTreeMap<String, u16>,
}

impl Profile {
    /// Reads a profile from its text; `name` stands in errors and in the session's manifest.
    ///
    /// # Errors
    /// [`ImportError::Profile`] with the line of what is not valid.
    pub fn parse(name: &str, text: &str) -> Result<Profile, ImportError> {
        let fail = |(line, what)| ImportError::Profile { path: name.to_string(), line, what };
        let mut profile: Profile = toml::from_str(text).map_err(|error| fail(toml_problem(text, &error)))?;
        let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        profile.name = stem.unwrap_or_else(|| name.to_string());
        profile.check().map_err(|(key, what)| fail((super::check::line_of(text, key), what)))?;
        Ok(profile)
    }

    /// Reads a profile file.
    ///
    /// # Errors
    /// It cannot be read, or as [`Profile::parse`].
    pub fn read(path: &Path) -> Result<Profile, ImportError> {
        let text = std::fs::read_to_string(path).map_err(ImportError::io("read", path))?;
        Profile::parse(&path.display().to_string(), &text)
    }

    /// Rows come in batches of one instant: bars and snapshots.
    pub(super) fn is_batch(&self) -> bool {
        self.time.sampled || !matches!(self.record, RecordKind::Quote | RecordKind::Trade)
    }

    /// The profile's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One sentence for people.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Kind of record that rows become: `quote`, `trade`, `trade_bar`, `quote_bar` or `chain`.
    pub fn record(&self) -> &'static str {
        self.record.name()
    }

    /// Sets the delay from the file's times to the time a row was knowable here, in nanoseconds.
    #[must_use]
    pub fn with_delay(mut self, delay_ns: u64) -> Profile {
        self.time.delay = Span(delay_ns);
        self
    }
}
