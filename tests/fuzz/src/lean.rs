//! A LEAN folder's layouts, each with sound rows.

/// An archive with its one entry.
pub struct Layout {
    /// Path below `Data`; its folders are kind, market and resolution.
    pub archive: &'static str,
    /// Name of the entry.
    pub entry: &'static str,
    /// Symbol to ask for.
    pub symbol: &'static str,
    /// Rows that can be read.
    pub rows: &'static str,
}

const fn layout(
    archive: &'static str,
    entry: &'static str,
    symbol: &'static str,
    rows: &'static str,
) -> Layout {
    Layout { archive, entry, symbol, rows }
}

/// One archive of each kind of rows.
pub const LAYOUTS: [Layout; 12] = [
    layout(
        "option/usa/minute/xyz/20240703_quote_american.zip",
        "20240703_xyz_minute_quote_american_put_1000000_20240719.csv",
        "xyz",
        "34200000,10000,10000,10000,10000,5,10500,10500,10500,10500,6\n46740000,,,,,0,10200,10200,10200,10200,7\n",
    ),
    layout(
        "option/usa/minute/xyz/20240703_openinterest_american.zip",
        "20240703_xyz_minute_openinterest_american_put_1000000_20240719.csv",
        "xyz",
        "23400000,77\n",
    ),
    layout(
        "equity/usa/minute/xyz/20240703_trade.zip",
        "20240703_xyz_minute_trade.csv",
        "xyz",
        "34140000,1000000,1000000,1000000,1000000,10\n34200000,1000100,1000200,1000000,1000100,20\n",
    ),
    layout(
        "equity/usa/tick/xyz/20240703_quote.zip",
        "20240703_xyz_tick_quote.csv",
        "xyz",
        "34200000,1000000,100,1000100,200,P,0,0\n",
    ),
    layout(
        "equity/usa/tick/xyz/20240703_trade.zip",
        "20240703_xyz_tick_trade.csv",
        "xyz",
        "34200000,1000000,100,P,0,0\n",
    ),
    layout(
        "equity/usa/daily/xyz.zip",
        "xyz.csv",
        "xyz",
        "20240703 00:00,1000000,1000000,1000000,1000000,10\n",
    ),
    layout(
        "equity/usa/hour/xyz.zip",
        "xyz.csv",
        "xyz",
        "20240703 10:00,1000000,1000000,1000000,1000000,10\n",
    ),
    layout(
        "index/usa/minute/spx/20240703_trade.zip",
        "20240703_spx_minute_trade.csv",
        "spx",
        "30600000,5507.25,5508.1,5507.25,5507.99,0\n",
    ),
    layout(
        "indexoption/usa/minute/spxw/20240703_quote_european.zip.zip",
        "20240703_spxw_minute_quote_european_call_55000000_20240719.csv",
        "spxw",
        "34200000,100000,100500,99500,100000,5,101000,101000,100500,100500,6\n",
    ),
    layout(
        "future/cme/minute/es/20200106_quote.zip",
        "20200106_es_minute_quote_202003_20200320.csv",
        "es",
        "34200000,3216.25,3216.5,3216,3216.25,30,3216.5,3216.75,3216.25,3216.5,28\n",
    ),
    layout(
        "future/cme/tick/es/20200106_trade.zip",
        "20200106_es_tick_trade_202003_20200320.csv",
        "es",
        "34200000,3216.25,3,,0,0\n",
    ),
    layout(
        "futureoption/cme/minute/es/20200320/20200106_quote_american.zip",
        "20200106_es_minute_quote_american_put_32000000_20200320.csv",
        "es",
        "34200000,70.25,70.5,70.25,70.5,11,71.25,71.25,71,71,9\n",
    ),
];

/// Files beside the archives, with the layout whose import reads them.
pub const BESIDE: [(&str, usize); 6] = [
    ("equity/usa/factor_files/xyz.csv", 2),
    ("equity/usa/map_files/xyz.csv", 2),
    ("option/usa/universes/xyz/20240703.csv", 0),
    ("alternative/interest-rate/usa/interest-rate.csv", 0),
    ("market-hours/market-hours-database.json", 7),
    ("symbol-properties/symbol-properties-database.csv", 9),
];

/// Sound texts of [`BESIDE`].
pub const BESIDE_TEXTS: [&str; 6] = [
    "20240702,0.98,0.5,100\n20501231,1,1,0\n",
    "20100104,abc,Q\n20240702,abc,Q\n20501231,xyz,Q\n",
    "#expiry,strike,right,open,high,low,close,volume,open_interest,implied_volatility,delta,gamma,vega,theta,rho\n\
     ,,,100,101,99,100,60,,,,,,,\n20240719,100,P,1,1,1,1,6,11755,0.44,-0.5,0.02,0.3,-0.05,0.8\n",
    "DATE,PCREDIT8\n2003-01-09,2.25\n2023-07-27,5.5\n",
    "{\"entries\":{\"Index-usa-SPX\":{\"dataTimeZone\":\"America/Chicago\",\"exchangeTimeZone\":\"America/Chicago\"}}}",
    "market,symbol,type,description,quote_currency,contract_multiplier,minimum_price_variation,lot_size\n\
     cme,ES,future,E-mini S&P 500 Futures,USD,50.0,0.25,1.0\n",
];
