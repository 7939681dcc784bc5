//! What a profile says, as TOML; `docs/market-data.md` documents every key.

use crate::import::ImportError;
use crate::names::toml_problem;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) use super::values::{At, ClassName, DecimalUnit, Interval, Span, Stamp, Unit, ZoneName};

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
    pub(super) snapshot: Option<CodeSpec>,
    #[serde(default)]
    pub(super) book: BookSpec,
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
    /// A change of one price level of a book.
    BookLevel,
    /// The best levels of a book.
    BookSnapshot,
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
            RecordKind::BookLevel => "book_level",
            RecordKind::BookSnapshot => "book_snapshot",
        }
    }

    /// Rows build a book of several levels, whose order is never changed.
    pub(super) fn is_depth(self) -> bool {
        matches!(self, RecordKind::BookLevel | RecordKind::BookSnapshot)
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
            RecordKind::BookLevel => (&[Price, Size], &[Orders, Sequence]),
            RecordKind::BookSnapshot => {
                (&[Bid, Ask, BidSize, AskSize], &[BidOrders, AskOrders, Sequence, Price, Size])
            }
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
    Orders,
    BidOrders,
    AskOrders,
}

impl Field {
    pub(super) const COUNT: usize = Field::AskOrders as usize + 1;
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

/// What marks a row: one of some codes in a column, or any bit of a mask in its number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeSpec {
    pub(super) column: String,
    #[serde(default)]
    pub(super) separator: Option<char>,
    #[serde(default)]
    pub(super) values: Vec<String>,
    pub(super) mask: Option<u64>,
}

/// How rows of a book are put together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BookSpec {
    /// Levels a side of snapshot rows.
    pub(super) levels: u8,
    /// Number of the best level in the names of columns.
    pub(super) first: u8,
    /// Rows that end an event of the venue; without it rows of one instrument and time are one.
    pub(super) last: Option<CodeSpec>,
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
        let are_events =
            matches!(self.record, RecordKind::Quote | RecordKind::Trade) || self.record.is_depth();
        self.time.sampled || !are_events
    }

    /// Rows are daily bars.
    pub(super) fn is_of_days(&self) -> bool {
        let is_dated = self.time.date.is_some() && self.time.clock.is_none();
        self.record == RecordKind::TradeBar && (is_dated || self.time.interval == Some(Interval::Day))
    }

    /// The profile's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One sentence for people.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Kind of record that rows become: `quote`, `trade`, `trade_bar`, `quote_bar`, `chain`, `book_level` or
    /// `book_snapshot`.
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
