//! Rows in each vendor's layout and the records they become.

use crate::common::{definitions, lines, read};
use onetape_engine::instrument::{ExerciseStyle, InstrumentKind, Settlement, TickRule};
use onetape_tape::import::profile::{BUILTIN, Profile};

/// 2025-02-20 14:30:00 UTC, half past nine in New York.
const OPEN: &str = "1740061800";

fn check(profile: &str, csv: &str, expected: &[&str]) {
    let csv = csv.replace("{open}", OPEN);
    let sink = read(profile, csv.as_bytes()).unwrap_or_else(|error| panic!("{profile}: {error}"));
    assert_eq!(lines(&sink), expected, "{profile}");
}

#[test]
fn every_builtin_profile_is_valid() {
    for (name, text) in BUILTIN {
        let profile = Profile::parse(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(profile.name(), *name);
        assert!(!profile.about().is_empty() && text.contains("layout = "), "{name} names its source");
    }
    let error = Profile::builtin("cboe-option-eood").unwrap_err().to_string();
    assert!(error.contains("did you mean 'cboe-option-eod'?"), "{error}");
}

#[test]
fn generic_layouts() {
    check(
        "generic-quotes",
        "ts,symbol,bid,bid_size,ask,ask_size,firm\n\
         2025-02-20T14:30:00Z,SPY,600.01,300,600.02,500,1\n\
         {open}000000001,SPY250221C00600000,,,1.3,20,0\n\
         {open}500000000,SPY,0,0,600.02,500,1\n",
        &[
            "14:30:00 SPY quote 600.01x300 600.02x500 v0/0 #0 BA",
            "14:30:00.000000001 SPY250221C00600000 quote 0x0 1.3x20 v0/0 #0 An",
            "14:30:00.500000000 SPY quote 0x0 600.02x500 v0/0 #0 BA",
        ],
    );
    check(
        "generic-trades",
        "ts,event,symbol,price,size,side,class,trade_id,sequence,venue\n\
         2025-02-20 14:30:01,2025-02-20 14:30:00.9,SPY,600.015,7,buy,odd_lot,77,5,D\n\
         2025-02-20 14:30:02,,SPY,600.02,100,,,,,\n",
        &[
            "14:30:01<14:30:00.900000000 SPY trade 600.015x7 OddLot B c0 v4 id77 #5",
            "14:30:02 SPY trade 600.02x100 Regular N c0 v0 id0 #0",
        ],
    );
    check(
        "generic-bars",
        "ts,symbol,open,high,low,close,volume\n2025-02-20T14:31:00Z,SPY,600,601,599.5,600.5,1000\n",
        &["14:31:00 SPY bar 600 601 599.5 600.5 v1000"],
    );
    check(
        "generic-quote-bars",
        "ts,symbol,bid_open,bid_high,bid_low,bid_close,bid_size,ask_open,ask_high,ask_low,ask_close,ask_size\n\
         2025-02-20T14:31:00Z,SPY,1,2,1,2,10,,,,,\n\
         2025-02-20T14:32:00Z,SPY,1,2,1,2,10,3,3,3,3,5\n",
        &[
            "14:31:00 SPY bid 1 2 1 2 x10 B",
            "14:32:00 SPY bid 1 2 1 2 x10 B",
            "14:32:00 SPY ask 3 3 3 3 x5 A",
        ],
    );
    check(
        "generic-chain",
        "ts,symbol,bid,bid_size,ask,ask_size,open_interest,underlying_price\n\
         2025-02-20T14:31:00Z,SPY250221P00600000,1.1,5,1.2,6,100,600.3\n\
         2025-02-20T14:31:00Z,SPY250221C00600000,1.3,5,1.4,6,50,600.3\n\
         2025-02-20T14:32:00Z,SPY250221C00600000,1.3,5,1.4,6,50,600.4\n",
        &[
            "14:31:00 SPY bar 600.3 600.3 600.3 600.3 v0",
            "14:31:00 SPY250221C00600000 quote 1.3x5 1.4x6 v0/0 #0 BAs",
            "14:31:00 SPY250221C00600000 oi 50",
            "14:31:00 SPY250221P00600000 quote 1.1x5 1.2x6 v0/0 #0 BAs",
            "14:31:00 SPY250221P00600000 oi 100",
            "14:32:00 SPY bar 600.4 600.4 600.4 600.4 v0",
            "14:32:00 SPY250221C00600000 quote 1.3x5 1.4x6 v0/0 #0 BAs",
        ],
    );
}

#[test]
fn databento_raw_and_pretty_rows_are_the_same_records() {
    let header = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,\
                  ts_in_delta,sequence,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,bid_ct_00,ask_ct_00,symbol\n";
    let raw = "{open}000000500,{open}000000000,1,2,38,T,B,0,410000000,3,130,17,99,405000000,9223372036854775807,12,0,2,0,SPY   250221C00600000\n";
    let pretty = "2025-02-20T14:30:00.000000500Z,2025-02-20T14:30:00.000000000Z,1,2,38,T,B,0,0.410000000,3,130,17,99,0.405000000,,12,0,2,0,SPY   250221C00600000\n";
    for row in [raw, pretty] {
        check(
            "databento-mbp-1",
            &format!("{header}{row}"),
            &[
                "14:30:00.000000500<14:30:00 SPY250221C00600000 quote 0.405x12 0x0 v2/2 #99 BA",
                "14:30:00.000000500<14:30:00 SPY250221C00600000 trade 0.41x3 Regular B c0 v2 id0 #99",
            ],
        );
    }
    check(
        "databento-ohlcv",
        "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n\
         {open}000000000,33,2,38,134360000000,135200000000,132710000000,134360000000,11015261,AMZN\n",
        &["14:31:00 AMZN bar 134.36 135.2 132.71 134.36 v11015261"],
    );
    check(
        "databento-trades",
        "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,ts_in_delta,sequence,symbol\n\
         {open}000000500,{open}000000000,0,2,38,T,A,0,134.360000000,5,0,1,7,AMZN\n\
         {open}000000600,{open}000000000,0,2,38,T,N,0,,5,0,1,8,AMZN\n",
        &["14:30:00.000000500<14:30:00 AMZN trade 134.36x5 Regular A c0 v2 id0 #7"],
    );
    let cbbo = "ts_recv,ts_event,rtype,publisher_id,instrument_id,side,price,size,flags,bid_px_00,ask_px_00,\
                bid_sz_00,ask_sz_00,bid_pb_00,ask_pb_00,symbol\n\
                1740061860000000000,18446744073709551615,193,30,38,N,,0,0,0.40,0.45,12,9,22,23,SPY   250221C00600000\n";
    check("databento-cbbo", cbbo, &["14:31:00 SPY250221C00600000 quote 0.4x12 0.45x9 v22/23 #0 BAs"]);
    let sink = read("databento-cbbo", cbbo.as_bytes()).unwrap();
    assert_eq!(definitions(&sink)[1].quote_hold_ns, Some(120_000_000_000), "two intervals");
}

#[test]
fn polygon_flat_files() {
    check(
        "polygon-option-quotes",
        "ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,sequence_number,sip_timestamp\n\
         O:SPY250221C00600000,302,1.30,20,300,1.25,10,1,{open}000000001\n\
         O:SPY250221C00600000,302,1.31,20,300,1.25,10,2,{open}000000003\n\
         O:SPY250221P00600000,0,0,0,300,0.01,5,1,{open}000000002\n",
        &[
            "14:30:00.000000001 SPY250221C00600000 quote 1.25x10 1.3x20 v300/302 #1 BA",
            "14:30:00.000000002 SPY250221P00600000 quote 0.01x5 0x0 v300/0 #1 BA",
            "14:30:00.000000003 SPY250221C00600000 quote 1.25x10 1.31x20 v300/302 #2 BA",
        ],
    );
    check(
        "polygon-option-trades",
        "ticker,conditions,correction,exchange,price,sip_timestamp,size\n\
         O:SPY250221C00600000,209,0,312,1.27,{open}000000000,4\n\
         O:SPY250221C00600000,232,0,312,1.20,{open}000000001,1\n\
         O:SPY250221C00600000,201,0,312,1.20,{open}000000002,1\n\
         O:SPY250221C00600000,999,0,312,1.20,{open}000000003,1\n",
        &[
            "14:30:00 SPY250221C00600000 trade 1.27x4 Auto N c209 v312 id0 #0",
            "14:30:00.000000001 SPY250221C00600000 trade 1.2x1 MultiLeg N c232 v312 id0 #0",
            "14:30:00.000000002 SPY250221C00600000 trade 1.2x1 Cancel N c201 v312 id0 #0",
            "14:30:00.000000003 SPY250221C00600000 trade 1.2x1 Other N c999 v312 id0 #0",
        ],
    );
    // Round lots until 2025-11-02, shares from 2025-11-03 (1762180200 is half past nine that day).
    check(
        "polygon-stock-quotes",
        "ticker,ask_exchange,ask_price,ask_size,bid_exchange,bid_price,bid_size,conditions,indicators,\
         participant_timestamp,sequence_number,sip_timestamp,tape,trf_timestamp\n\
         A,8,180.0,3,11,164.28,2,\"1,81\",,{open}000000000,79497,{open}000043199,1,0\n\
         A,8,180.0,300,11,164.28,200,\"1,81\",,1762180200000000000,79498,1762180200000000009,1,0\n",
        &[
            "14:30:00.000043199<14:30:00 A quote 164.28x200 180x300 v11/8 #79497 BA",
            "14:30:00.000000009<14:30:00 A quote 164.28x200 180x300 v11/8 #79498 BA",
        ],
    );
    check(
        "polygon-stock-trades",
        "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size,tape,trf_id,trf_timestamp\n\
         A,\"14,41\",0,11,52983525035312,{open}000000000,142.99,3807,{open}000000005,500,1,0,0\n\
         A,\"14,37\",0,11,52983525035313,{open}000000000,143,3808,{open}000000006,8,1,0,0\n\
         A,,0,11,52983525035314,{open}000000000,143,3809,{open}000000007,187,1,0,0\n\
         A,14,10,11,52983525035314,{open}000000000,143,3810,{open}000000008,187,1,0,0\n",
        &[
            "14:30:00.000000005<14:30:00 A trade 142.99x500 Iso N c14 v11 id52983525035312 #3807",
            "14:30:00.000000006<14:30:00 A trade 143x8 OddLot N c14 v11 id52983525035313 #3808",
            "14:30:00.000000007<14:30:00 A trade 143x187 Regular N c0 v11 id52983525035314 #3809",
        ],
    );
    check(
        "polygon-minute-bars",
        "ticker,volume,open,close,high,low,window_start,transactions\n\
         AAPL,4930,200.29,200.5,200.63,200.29,{open}000000000,129\n\
         AAPL,10,200.29,200.5,200.63,200.29,1740043800000000000,1\n",
        &[
            "09:31:00 AAPL bar 200.29 200.63 200.29 200.5 v10 x",
            "14:31:00 AAPL bar 200.29 200.63 200.29 200.5 v4930",
        ],
    );
    // A daily window starts at New York midnight; the half day of 2024-11-29 ends at 13:00.
    check(
        "polygon-day-bars",
        "ticker,volume,open,close,high,low,window_start,transactions\n\
         SPY,4930,200.29,200.5,200.63,200.29,1732856400000000000,129\n\
         O:SPXW241129C06000000,5,1,2,2,1,1732856400000000000,2\n",
        &["18:00:00 SPY bar 200.29 200.63 200.29 200.5 v4930", "18:15:00 SPXW241129C06000000 bar 1 2 1 2 v5"],
    );
}

#[test]
fn orats_rows_hold_call_and_put() {
    check(
        "orats-one-minute",
        "ticker,tradeDate,expirDate,dte,strike,stockPrice,callVolume,callOpenInterest,callBidSize,callAskSize,putVolume,\
         putOpenInterest,putBidSize,putAskSize,callBidPrice,callValue,callAskPrice,putBidPrice,putValue,putAskPrice,\
         spotPrice,quoteDate,updatedAt,snapShotEstTime,snapShotDate,expiryTod\n\
         SPX,2025-02-20,2025-02-21,2,6000,6005.5,7,20,1,2,8,30,3,4,12.5,12.7,12.9,6.1,6.3,6.5,6005.25,\
         2025-02-20T15:00:53Z,2025-02-20T15:00:54Z,1001,2025-02-20T15:01:01Z,pm\n",
        &[
            "15:01:01<15:00:53 SPX bar 6005.25 6005.25 6005.25 6005.25 v0",
            "15:01:01<15:00:53 SPXW250221C06000000 quote 12.5x1 12.9x2 v0/0 #0 BAs",
            "15:01:01<15:00:53 SPXW250221C06000000 volume 7",
            "15:01:01<15:00:53 SPXW250221C06000000 oi 20",
            "15:01:01<15:00:53 SPXW250221P06000000 quote 6.1x3 6.5x4 v0/0 #0 BAs",
            "15:01:01<15:00:53 SPXW250221P06000000 volume 8",
            "15:01:01<15:00:53 SPXW250221P06000000 oi 30",
        ],
    );
    check(
        "orats-eod",
        "ticker,cOpra,pOpra,stkPx,expirDate,yte,strike,cVolu,cOi,pVolu,pOi,cBidPx,cValue,cAskPx,pBidPx,pValue,pAskPx,spot_px,trade_date\n\
         AAPL,AAPL250221C00245000,AAPL250221P00245000,245.8,2/21/2025,0.003,245,7,20,8,30,1.5,1.55,1.6,0.7,0.75,0.8,245.81,2/20/2025\n",
        &[
            "20:46:00 AAPL bar 245.81 245.81 245.81 245.81 v0",
            "20:46:00 AAPL250221C00245000 quote 1.5x1 1.6x1 v0/0 #0 BAs",
            "20:46:00 AAPL250221C00245000 volume 7",
            "20:46:00 AAPL250221C00245000 oi 20",
            "20:46:00 AAPL250221P00245000 quote 0.7x1 0.8x1 v0/0 #0 BAs",
            "20:46:00 AAPL250221P00245000 volume 8",
            "20:46:00 AAPL250221P00245000 oi 30",
        ],
    );
}

#[test]
fn cboe_datashop() {
    let csv = "underlying_symbol,quote_datetime,root,expiration,strike,option_type,open,high,low,close,trade_volume,\
               bid_size,bid,ask_size,ask,underlying_bid,underlying_ask\n\
               ^SPX,2025-02-20 09:31:00,SPXW,2025-02-21,6000.000,C,12.10,12.50,12.00,12.40,31,11,12.30,9,12.60,6001.10,6001.90\n\
               ^SPX,2025-02-20 09:31:00,SPXW,2025-02-21,6000.000,P,0,0,0,0,0,5,10.00,6,10.20,6001.10,6001.90\n";
    check(
        "cboe-option-intervals",
        csv,
        &[
            "14:31:00 SPX quote 6001.1x1 6001.9x1 v0/0 #0 BAs",
            "14:31:00 SPXW250221C06000000 quote 12.3x11 12.6x9 v0/0 #0 BAs",
            "14:31:00 SPXW250221C06000000 bar 12.1 12.5 12 12.4 v31",
            "14:31:00 SPXW250221P06000000 quote 10x5 10.2x6 v0/0 #0 BAs",
        ],
    );
    let defs = definitions(&read("cboe-option-intervals", csv.as_bytes()).unwrap());
    assert_eq!(defs[0].kind, InstrumentKind::Index);
    let terms = defs[1].option.as_ref().unwrap();
    assert_eq!((terms.style, terms.settlement), (ExerciseStyle::European, Settlement::Cash));
    // 16:00 New York on the expiry date.
    assert_eq!((defs[1].multiplier, terms.last_trade.0), (100, 1_740_171_600_000_000_000));
    check(
        "cboe-option-eod",
        "underlying_symbol,quote_date,root,expiration,strike,option_type,open,high,low,close,trade_volume,bid_size_1545,bid_1545,\
         ask_size_1545,ask_1545,underlying_bid_1545,underlying_ask_1545,bid_size_eod,bid_eod,ask_size_eod,ask_eod,\
         underlying_bid_eod,underlying_ask_eod,vwap,open_interest,delivery_code\n\
         AAPL,2025-02-20,AAPL,2025-02-21,245.000,C,1.00,1.70,0.90,1.50,2500,1,1,1,1,1,1,12,1.45,14,1.55,245.80,245.84,1.3,812,\n",
        &[
            "21:00:00 AAPL quote 245.8x1 245.84x1 v0/0 #0 BAs",
            "21:00:00 AAPL250221C00245000 quote 1.45x12 1.55x14 v0/0 #0 BAs",
            "21:00:00 AAPL250221C00245000 bar 1 1.7 0.9 1.5 v2500",
            "21:00:00 AAPL250221C00245000 oi 812",
        ],
    );
}

#[test]
fn optionmetrics_daily_prices() {
    let csv = "secid,date,symbol,symbol_flag,exdate,last_date,cp_flag,strike_price,best_bid,best_offer,volume,open_interest,\
               impl_volatility,delta,gamma,vega,theta,optionid,cfadj,am_settlement,contract_size,ss_flag,forward_price\n\
               101594,2012-03-05,AAPL 120317C545000,1,2012-03-17,2012-03-05,C,545000,9.4,9.5,120,4031,0.36,0.4,0.01,30,-120,1,1,0,100,0,\n\
               101594,2009-03-05,APV CQ,0,2009-03-21,2009-03-05,C,85000,9.4,9.5,120,4031,0.36,0.4,0.01,30,-120,1,1,0,100,0,\n";
    check(
        "optionmetrics-eod",
        csv,
        &[
            "21:00:00 AAPL120317C00545000 quote 9.4x1 9.5x1 v0/0 #0 BAs",
            "21:00:00 AAPL120317C00545000 volume 120",
            "21:00:00 AAPL120317C00545000 oi 4031",
        ],
    );
    let defs = definitions(&read("optionmetrics-eod", csv.as_bytes()).unwrap());
    let terms = defs[1].option.as_ref().unwrap();
    // The Saturday in the symbol: trading ended on Friday 2012-03-16 at 16:00 New York.
    assert_eq!((terms.expiry_date, terms.last_trade.0), (20120317, 1_331_928_000_000_000_000));
}

#[test]
fn tardis_files() {
    check(
        "tardis-quotes",
        "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n\
         deribit,BTC-27JUN25-100000-C,{open}000000,{open}004000,1.5,0.0235,0.0205,15\n\
         deribit,BTC-27JUN25-100000-C,{open}001000,{open}004500,,,0.0205,15\n",
        &[
            "14:30:00.004000000<14:30:00 BTC-27JUN25-100000-C quote 0.0205x15 0.0235x1.5 v0/0 #0 BA",
            "14:30:00.004500000<14:30:00.001000000 BTC-27JUN25-100000-C quote 0.0205x15 0x0 v0/0 #0 BA",
        ],
    );
    check(
        "tardis-trades",
        "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n\
         deribit,BTC-PERPETUAL,{open}000000,{open}004000,30062,sell,98000.5,10\n",
        &["14:30:00.004000000<14:30:00 BTC-PERPETUAL trade 98000.5x10 Regular A c0 v0 id30062 #0"],
    );
    let chain = "exchange,symbol,timestamp,local_timestamp,type,strike_price,expiration,open_interest,last_price,bid_price,\
                 bid_amount,bid_iv,ask_price,ask_amount,ask_iv,mark_price,mark_iv,underlying_index,underlying_price,delta,gamma,vega,theta,rho\n\
                 deribit,BTC-9JUN20-9875-P,1591574399413000,1591574400196008,put,9875,1591689600000000,0.1,0.0295,0.0205,15.0,55.91,\
                 0.0235,15.0,68.94,0.0221,62.89,SYN.BTC-9JUN20,9756.36,-0.61752,0.00103,2.24964,-53.05655,-0.2\n";
    check(
        "tardis-options-chain",
        chain,
        &[
            "00:00:00.196008000<23:59:59.413000000 SYN.BTC-9JUN20 bar 9756.36 9756.36 9756.36 9756.36 v0",
            "00:00:00.196008000<23:59:59.413000000 BTC-9JUN20-9875-P quote 0.0205x15 0.0235x15 v0/0 #0 BAs",
            "00:00:00.196008000<23:59:59.413000000 BTC-9JUN20-9875-P oi 0.1",
        ],
    );
    let defs = definitions(&read("tardis-options-chain", chain.as_bytes()).unwrap());
    let terms = defs[1].option.as_ref().unwrap();
    assert_eq!(terms.expiry.0, 1_591_689_600_000_000_000, "the file's own expiration");
    assert_eq!((defs[1].multiplier, defs[1].tick), (1, TickRule::Free));
}
