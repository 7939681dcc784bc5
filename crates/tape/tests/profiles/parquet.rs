//! The same rows as Parquet, in the types that writers use.

use crate::common::{lines, read, read_with};
use onetape_tape::import::profile::Profile;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;

/// Columns of one row group.
enum Values {
    Int32(Vec<Option<i32>>),
    Int64(Vec<Option<i64>>),
    Double(Vec<Option<f64>>),
    Text(Vec<Option<&'static str>>),
}

/// A file of optional columns; each group of rows is a row group.
fn file(schema: &str, groups: &[Vec<Values>], compression: Compression) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    for columns in groups {
        let mut group = writer.next_row_group().unwrap();
        for values in columns {
            let mut column = group.next_column().unwrap().unwrap();
            macro_rules! write {
                ($kind:ty, $values:expr, $map:expr) => {{
                    let levels: Vec<i16> = $values.iter().map(|value| i16::from(value.is_some())).collect();
                    let present: Vec<_> = $values.iter().flatten().map($map).collect();
                    column.typed::<$kind>().write_batch(&present, Some(&levels), None).unwrap();
                }};
            }
            match values {
                Values::Int32(values) => write!(Int32Type, values, |value: &i32| *value),
                Values::Int64(values) => write!(Int64Type, values, |value: &i64| *value),
                Values::Double(values) => write!(DoubleType, values, |value: &f64| *value),
                Values::Text(values) => write!(ByteArrayType, values, |value: &&str| ByteArray::from(*value)),
            }
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    bytes
}

const OPEN: i64 = 1_740_061_800_000_000_000;

/// Quotes in the layout of `generic-quotes`: binary prices, nanosecond stamps, a null side.
pub(crate) fn quotes_file() -> Vec<u8> {
    let schema = "message quotes {
        optional int64 ts (TIMESTAMP(NANOS,true));
        optional binary symbol (UTF8);
        optional double bid;
        optional int64 bid_size;
        optional double ask;
        optional int64 ask_size;
    }";
    let group = |from: i64| {
        vec![
            Values::Int64(vec![Some(OPEN + from), Some(OPEN + from + 1)]),
            Values::Text(vec![Some("SPY"), Some("SPY250221C00600000")]),
            Values::Double(vec![Some(600.15), None]),
            Values::Int64(vec![Some(300), None]),
            Values::Double(vec![Some(600.17), Some(1.3)]),
            Values::Int64(vec![Some(500), Some(20)]),
        ]
    };
    file(schema, &[group(0), group(10)], Compression::SNAPPY)
}

#[test]
fn parquet_rows_are_the_records_of_the_same_csv_rows() {
    let csv = "ts,symbol,bid,bid_size,ask,ask_size\n\
               1740061800000000000,SPY,600.15,300,600.17,500\n\
               1740061800000000001,SPY250221C00600000,,,1.3,20\n\
               1740061800000000010,SPY,600.15,300,600.17,500\n\
               1740061800000000011,SPY250221C00600000,,,1.3,20\n";
    let expected = read("generic-quotes", csv.as_bytes()).unwrap();
    assert_eq!(lines(&expected).len(), 4);
    assert_eq!(read("generic-quotes", &quotes_file()).unwrap(), expected);
}

#[test]
fn dates_decimals_and_wall_clocks_are_read_by_their_types() {
    let schema = "message eod {
        optional int32 quote_date (DATE);
        optional binary root (UTF8);
        optional int64 expiration (TIMESTAMP(MICROS,false));
        optional int32 strike (DECIMAL(9,3));
        optional binary right (UTF8);
        optional int64 bid (DECIMAL(18,2));
        optional int64 ask (DECIMAL(18,2));
    }";
    // 2025-02-20 and 2025-02-21 as days and as microseconds of the wall clock.
    let columns = vec![
        Values::Int32(vec![Some(20_139)]),
        Values::Text(vec![Some("SPY")]),
        Values::Int64(vec![Some(20_140 * 86_400_000_000)]),
        Values::Int32(vec![Some(600_500)]),
        Values::Text(vec![Some("put")]),
        Values::Int64(vec![Some(125)]),
        Values::Int64(vec![Some(130)]),
    ];
    let profile = Profile::parse(
        "mine.toml",
        "about = 'mine'\nrecord = 'chain'\n\
         [time]\ndate = 'quote_date'\nat = 'close'\nzone = 'new_york'\n\
         [symbol]\nroot = 'root'\nexpiry = 'expiration'\nstrike = 'strike'\nright = 'right'\n\
         [size]\nassumed = 5\n[columns]\nbid = 'bid'\nask = 'ask'\n",
    )
    .unwrap();
    let bytes = file(schema, &[columns], Compression::ZSTD(Default::default()));
    let sink = read_with(&profile, &bytes).unwrap();
    assert_eq!(lines(&sink), ["21:15:00 SPY250221P00600500 quote 1.25x5 1.3x5 v0/0 #0 BAs"]);
}

#[test]
fn parquet_problems_name_the_row() {
    let schema = "message quotes {
        optional int64 ts;
        optional binary symbol (UTF8);
        optional double bid;
        optional int64 bid_size;
        optional double ask;
        optional int64 ask_size;
    }";
    let columns = |bid: f64, ts: i64| {
        vec![
            Values::Int64(vec![Some(OPEN), Some(ts)]),
            Values::Text(vec![Some("SPY"), Some("SPY")]),
            Values::Double(vec![Some(1.0), Some(bid)]),
            Values::Int64(vec![Some(1), Some(1)]),
            Values::Double(vec![Some(1.5), Some(1.5)]),
            Values::Int64(vec![Some(1), Some(1)]),
        ]
    };
    let make = |bid, ts| file(schema, &[columns(bid, ts)], Compression::UNCOMPRESSED);
    for (bytes, says) in [
        (make(f64::NAN, OPEN), "rows.csv, row 2: column 'bid': 'NaN' is not a finite number"),
        (
            make(0.1 + 0.2, OPEN),
            "row 2: column 'bid': '0.30000000000000004' is not a number with at most 9 decimals",
        ),
        (make(1.0, OPEN / 1_000), "row 2: column 'ts'"),
        (quotes_file()[..200].to_vec(), "not a readable Parquet file"),
    ] {
        let error = read("generic-quotes", &bytes).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}
