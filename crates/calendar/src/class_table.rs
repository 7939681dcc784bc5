//! The dated rows of the class table, each with its source.
//!
//! All rows start at or after 2001-04-09, when the last option prices became decimal
//! (from memory). A date or fact marked "approximate", "unverified" or "from memory"
//! was not found in a public source.

use jiff::civil::{Date, date};

use crate::Market;
use crate::class::{ClassRow, Delivery, SettleAt, Style, TickClass, ValueSource};

const DECIMAL: Date = date(2001, 4, 9);
/// SPY and twenty-one other classes join the penny pilot.
const PENNY_SECOND: Date = date(2007, 9, 28);
/// IWM and SPY quote in cents at every price.
const ALL_PENNY: Date = date(2010, 2, 1);
/// First day of the PM-settled Mini-SPX.
const XSP_PM: Date = date(2013, 11, 5);
/// VIX options move to penny ticks.
const VIX_PENNY: Date = date(2022, 11, 29);

const SPEC_SPX: &str = "Cboe SPX product specification (cboe.com/products/indexopts/spx_spec.aspx)";
const SPEC_VIX: &str = "Cboe VIX product specification; VIX listed 2006-02-24, VIXW 2015-10-08 (vixfaq.com)";
const TICK_VIX: &str = "Cboe VIX specification; tick change announced 2022-11-29 (date approximate)";
const SPEC_NDX: &str = "Nasdaq PHLX broad-based index options page (NDX); NDS is published as XQO by Nasdaq";
const SPEC_FUND: &str =
    "nickel ticks before the penny pilot; late close from Cboe list of 15:15 Chicago classes";
const PILOT: &str = "ISE and CBOE penny pilot notices 2007 (0.01 below 3, 0.05 from 3; QQQ all 0.01)";
const ALL_CENT: &str = "CBOE penny pilot notice: SPY, IWM 0.01 at every price from 2010-02-01";

/// A European cash-settled index class with opening settlement.
const fn index_am(
    root: &'static str,
    from: Date,
    value_source: ValueSource,
    source: &'static str,
) -> ClassRow {
    ClassRow {
        root,
        from,
        to: None,
        market: Market::IndexOption,
        style: Style::European,
        delivery: Delivery::Cash,
        settle_at: SettleAt::Open,
        expiring_stops_at_stock_close: false,
        multiplier: 100,
        tick: TickClass::NickelDime,
        value_source,
        source,
    }
}

/// A European cash-settled index class with closing settlement.
const fn index_pm(root: &'static str, from: Date, source: &'static str) -> ClassRow {
    ClassRow {
        settle_at: SettleAt::Close,
        expiring_stops_at_stock_close: true,
        ..index_am(root, from, ValueSource::IndexClose, source)
    }
}

/// An American physically settled class on shares.
const fn share(
    root: &'static str,
    from: Date,
    market: Market,
    tick: TickClass,
    source: &'static str,
) -> ClassRow {
    ClassRow {
        root,
        from,
        to: None,
        market,
        style: Style::American,
        delivery: Delivery::Physical,
        settle_at: SettleAt::Close,
        expiring_stops_at_stock_close: false,
        multiplier: 100,
        tick,
        value_source: ValueSource::ShareClose,
        source,
    }
}

const fn fund(root: &'static str, from: Date, tick: TickClass, source: &'static str) -> ClassRow {
    share(root, from, Market::FundOption, tick, source)
}

const fn until(row: ClassRow, to: Date) -> ClassRow {
    ClassRow { to: Some(to), ..row }
}

const fn with_tick(row: ClassRow, tick: TickClass) -> ClassRow {
    ClassRow { tick, ..row }
}

/// Named roots, grouped by root, oldest row first.
pub(crate) static CLASSES: [ClassRow; 24] = [
    index_am("SPX", DECIMAL, ValueSource::Set, SPEC_SPX),
    // Expiring series traded to 16:15 in the first months (SR-CBOE-2011-038 moved
    // the close to 16:00; its operative day, in spring 2011, was not verified).
    index_pm(
        "SPXW",
        date(2010, 12, 2),
        "CBOE RG10-112 (p.m. weeklys from 2010-12-02); Cboe SPX specification",
    ),
    // C2 listed SPXPM on 2011-10-04 (approximate); CBOE RG13-012 and RG17-002.
    until(
        index_pm("SPXPM", date(2011, 10, 4), "CBOE RG13-012, RG17-002 (renamed SPXW 2017-05-01)"),
        date(2017, 5, 1),
    ),
    until(
        index_am(
            "XSP",
            date(2005, 10, 25),
            ValueSource::Xsr,
            "MarketsWiki, Mini-SPX Index Options (launch, ticks)",
        ),
        XSP_PM,
    ),
    with_tick(
        index_pm("XSP", XSP_PM, "Cboe press release 2013-10-29; Cboe XSP specification (0.01 ticks)"),
        TickClass::Penny,
    ),
    // The a.m. series of the Mini-SPX, phased out after the change.
    until(
        index_am("XSPAM", XSP_PM, ValueSource::Xsr, "Cboe press release 2013-10-29 (end approximate)"),
        date(2015, 12, 19),
    ),
    index_am("NDX", DECIMAL, ValueSource::Nds, SPEC_NDX),
    // Weekly NDX series moved to the root NDXP with p.m. settlement in January 2018.
    index_pm(
        "NDXP",
        date(2018, 1, 2),
        "Nasdaq-100 index options sheet (NDXP p.m.-settled); start approximate",
    ),
    index_am("RUT", DECIMAL, ValueSource::Rls, "Cboe RUT product page"),
    index_pm(
        "RUTW",
        date(2016, 1, 5),
        "CBOE blog 2015-12-21 (RUTW from 2016-01-05, p.m., expiring close 16:00)",
    ),
    until(index_am("VIX", date(2006, 2, 24), ValueSource::Vro, SPEC_VIX), VIX_PENNY),
    with_tick(index_am("VIX", VIX_PENNY, ValueSource::Vro, TICK_VIX), TickClass::PennyNickel),
    until(index_am("VIXW", date(2015, 10, 8), ValueSource::Vro, SPEC_VIX), VIX_PENNY),
    with_tick(index_am("VIXW", VIX_PENNY, ValueSource::Vro, TICK_VIX), TickClass::PennyNickel),
    // SPY options were listed on 2005-01-10 (approximate).
    until(fund("SPY", date(2005, 1, 10), TickClass::NickelDime, SPEC_FUND), PENNY_SECOND),
    until(
        fund(
            "SPY",
            PENNY_SECOND,
            TickClass::PennyNickel,
            "72 FR 56396 (pilot expansion); that SPY joined then is from memory",
        ),
        ALL_PENNY,
    ),
    fund("SPY", ALL_PENNY, TickClass::Penny, ALL_CENT),
    until(fund("QQQ", DECIMAL, TickClass::NickelDime, SPEC_FUND), date(2007, 2, 9)),
    fund("QQQ", date(2007, 2, 9), TickClass::Penny, PILOT),
    until(fund("IWM", DECIMAL, TickClass::NickelDime, SPEC_FUND), date(2007, 2, 9)),
    until(fund("IWM", date(2007, 2, 9), TickClass::PennyNickel, PILOT), ALL_PENNY),
    fund("IWM", ALL_PENNY, TickClass::Penny, ALL_CENT),
    until(
        share("AAPL", DECIMAL, Market::EquityOption, TickClass::NickelDime, "Cboe Rule 5.4 (formerly 6.42)"),
        PENNY_SECOND,
    ),
    share(
        "AAPL",
        PENNY_SECOND,
        Market::EquityOption,
        TickClass::PennyNickel,
        "penny pilot, second group (unverified)",
    ),
];

/// Single-stock defaults by tick rule.
pub(crate) static EQUITY: [ClassRow; 2] = [
    share(
        "*",
        DECIMAL,
        Market::EquityOption,
        TickClass::NickelDime,
        "Cboe Rule 5.4 (formerly 6.42): 0.05 / 0.10",
    ),
    share("*", date(2007, 1, 26), Market::EquityOption, TickClass::PennyNickel, PILOT),
];
