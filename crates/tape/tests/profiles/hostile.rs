//! Files that lie, end too early or hold nonsense: each names its file, its line and what is wrong.

use crate::common::{read, read_with};
use onetape_tape::import::MemorySink;
use onetape_tape::import::profile::{Profile, ProfileRequest, ProfileSource, import_profiles, read_bytes};
use std::fs;
use std::io::Write;

const HEADER: &str = "ts,symbol,bid,bid_size,ask,ask_size\n";
const GOOD: &str = "2025-02-20T14:30:00Z,SPY,600.01,3,600.02,5\n";

#[test]
fn rows_that_do_not_fit_are_named() {
    for (name, rows, says) in [
        (
            "bad number",
            "2025-02-20T14:30:00Z,SPY,6oo,3,600.02,5\n",
            "line 3: column 'bid': '6oo' is not a price",
        ),
        (
            "NaN",
            "2025-02-20T14:30:00Z,SPY,NaN,3,600.02,5\n",
            "line 3: column 'bid': 'NaN' is not a finite number",
        ),
        (
            "infinite size",
            "2025-02-20T14:30:00Z,SPY,1,inf,600.02,5\n",
            "column 'bid_size': 'inf' is not a finite number",
        ),
        (
            "negative size",
            "2025-02-20T14:30:00Z,SPY,600,-3,600.02,5\n",
            "column 'bid_size': '-3' is not a size of zero or more",
        ),
        (
            "negative price",
            "2025-02-20T14:30:00Z,SPY,-6,3,600.02,5\n",
            "column 'bid': '-6' is not a price of zero or more",
        ),
        ("too fine", "2025-02-20T14:30:00Z,SPY,0.12345678912,3,600.02,5\n", "at most 9 decimals"),
        ("too large", "2025-02-20T14:30:00Z,SPY,99999999999,3,600.02,5\n", "below 9.2e9"),
        (
            "wrong unit",
            "1740061800,SPY,600,3,600.02,5\n",
            "column 'ts': '1740061800' is not a time from 1990 to 2099",
        ),
        ("far future", "2525-02-20T14:30:00Z,SPY,600,3,600.02,5\n", "column 'ts'"),
        (
            "no date",
            "2025-02-30T14:30:00Z,SPY,600,3,600.02,5\n",
            "column 'ts': '2025-02-30T14:30:00Z' is not",
        ),
        ("no time", ",SPY,600,3,600.02,5\n", "line 3: the row has no time"),
        ("no symbol", "2025-02-20T14:30:00Z,,600,3,600.02,5\n", "column 'symbol': nothing is not a symbol"),
        (
            "ragged",
            "2025-02-20T14:30:00Z,SPY,600,3,600.02\n",
            "line 3: the row has 5 columns, 6 are expected",
        ),
        ("longer", "2025-02-20T14:30:00Z,SPY,600,3,600.02,5,6\n", "line 3: the row has 7 columns"),
        ("open quote", "2025-02-20T14:30:00Z,\"SPY,600,3,600.02,5\n", "line 3: a quote is opened"),
        ("old option", "1999-02-19T14:30:00Z,SPY990220C00600000,1,1,2,1\n", "SPY"),
    ] {
        let error = read("generic-quotes", format!("{HEADER}{GOOD}{rows}").as_bytes()).unwrap_err();
        assert!(error.contains("rows.csv, line 3") && error.contains(says), "{name}: {error}");
    }
}

#[test]
fn files_that_do_not_fit_are_named() {
    for (name, bytes, says) in [
        ("empty", Vec::new(), "rows.csv, line 1: the file is empty"),
        ("no rows", HEADER.as_bytes().to_vec(), "the files hold no rows"),
        (
            "wrong column",
            b"ts,symbol,bit,bid_size,ask,ask_size\n".to_vec(),
            "line 1: no column 'bid'; did you mean 'bit'?",
        ),
        (
            "column twice",
            b"ts,symbol,bid,bid,bid_size,ask,ask_size\n".to_vec(),
            "line 1: two columns are called 'bid'",
        ),
        ("UTF-16", b"\xff\xfet\0s\0".to_vec(), "line 1: the file is UTF-16"),
        ("binary", vec![0x80; 4000], "line 1: no column 'ts'"),
        ("two files", archive(&[("a", b"x"), ("b", b"y")]), "rows.csv: the archive holds several files"),
        ("no archive", b"PK\x03\x04 and no more".to_vec(), "not a readable zip archive"),
        ("Parquet magic", b"PAR1 and no more".to_vec(), "not a readable Parquet file"),
    ] {
        let error = read("generic-quotes", &bytes).unwrap_err();
        assert!(error.contains(says), "{name}: {error}");
    }
}

/// A byte order mark, carriage returns, a missing final line end and blank lines are no damage.
#[test]
fn spellings_of_the_same_file_are_the_same_records() {
    let plain = read("generic-quotes", format!("{HEADER}{GOOD}").as_bytes()).unwrap();
    for text in [
        format!("\u{feff}{HEADER}{GOOD}"),
        format!("{HEADER}{GOOD}").replace('\n', "\r\n"),
        format!("{HEADER}\n\n{}", GOOD.trim_end()),
        format!("{HEADER}{}", GOOD.replace("SPY", "\"SPY\"")),
        format!("{}{}", HEADER.replace(',', " , "), GOOD.replace(',', " ,")),
    ] {
        assert_eq!(read("generic-quotes", text.as_bytes()).unwrap(), plain, "{text:?}");
        let packed = gzip(text.as_bytes());
        assert_eq!(read("generic-quotes", &packed).unwrap(), plain, "gzip of {text:?}");
        let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
        assert_eq!(read("generic-quotes", &packed).unwrap(), plain, "zstd of {text:?}");
        let packed = archive(&[("folder/rows.csv", text.as_bytes())]);
        assert_eq!(read("generic-quotes", &packed).unwrap(), plain, "zip of {text:?}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn packed_files_that_end_early_or_are_damaged_name_the_line() {
    let mut text = HEADER.to_string();
    for n in 0..20_000 {
        text.push_str(&format!("2025-02-20T14:30:00.{n:09}Z,SPY,600.{},3,600.99,5\n", n % 97));
    }
    for packed in [gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 3).unwrap()] {
        let error = read("generic-quotes", &packed[..packed.len() / 2]).unwrap_err();
        assert!(error.contains("rows.csv, line ") && error.contains("truncated or damaged"), "{error}");
        let mut flipped = packed.clone();
        let middle = flipped.len() / 2;
        flipped[middle..middle + 8].iter_mut().for_each(|byte| *byte ^= 0x5a);
        assert!(read("generic-quotes", &flipped).is_err());
    }
    let mut packed = archive(&[("rows.csv", text.as_bytes())]);
    let middle = packed.len() / 2;
    packed[middle] ^= 1;
    let error = read("generic-quotes", &packed).unwrap_err();
    assert!(error.contains("rows.csv, line "), "{error}");
}

#[test]
fn order_is_checked_where_the_profile_promises_it() {
    let rows = format!("{HEADER}{GOOD}{}", GOOD.replace("14:30:00", "14:29:59"));
    assert!(read("generic-quotes", rows.as_bytes()).is_ok(), "sorted here");
    let text = profile_text("[file]", "[file]\norder = \"time\"");
    let profile = Profile::parse("mine.toml", &text).unwrap();
    let error = read_with(&profile, rows.as_bytes()).unwrap_err();
    assert!(error.contains("line 3: time goes back from 1740061800000000000"), "{error}");
}

fn profile_text(from: &str, to: &str) -> String {
    let text = onetape_tape::import::profile::builtin_text("generic-quotes").unwrap();
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

#[test]
fn profiles_that_are_not_valid_name_line_and_key() {
    for (from, to, line, says) in [
        ("null_side", "nul_side", 8, "unknown key 'nul_side'; did you mean 'null_side'?"),
        ("bid = \"bid\"", "bidd = \"bid\"", 20, "did you mean 'bid'?"),
        ("\"unstated\"", "\"unsaid\"", 8, "did you mean 'unstated'?"),
        ("unit = \"ns\"", "unit = \"nano\"", 13, "unknown value 'nano'"),
        ("bid = \"bid\"\n", "", 19, "a quote profile needs the column of 'bid'"),
        ("bid = \"bid\"", "bid = \"bid\"\nopen = \"open\"", 19, "a quote row has no 'open'"),
        ("bid_size = \"bid_size\"\n", "", 19, "size.assumed"),
        ("known = \"ts\"\nevent = \"event?\"\n", "", 10, "name a column: known, event, or date"),
        ("unit = \"ns\"", "unit = \"ns\"\ndelay = \"5 parsecs\"", 14, "'5 parsecs' is not a duration"),
        ("unit = \"ns\"", "unit = \"ns\"\nsampled = true", 10, "need interval"),
        ("column = \"symbol\"\n", "", 15, "name the instrument by column"),
        ("record = \"quote\"", "record = \"candle\"", 4, "unknown value 'candle'"),
        ("[file]", "[file]\ndelimiter = \"::\"", 7, "'::' is not one character"),
        ("[file]", "[file", 6, ""),
    ] {
        let error = Profile::parse("mine.toml", &profile_text(from, to)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("mine.toml:{line}: ")) && error.contains(says), "{to}: {error}");
    }
}

#[test]
fn a_failed_import_leaves_nothing_behind() {
    let work = tempfile::tempdir().unwrap();
    let (good, bad) = (work.path().join("good.csv"), work.path().join("bad.csv"));
    fs::write(&good, format!("{HEADER}{GOOD}")).unwrap();
    fs::write(&bad, format!("{HEADER}{GOOD}2025-02-20T14:31:00Z,SPY,x,3,600.02,5\n")).unwrap();
    let profile = Profile::builtin("generic-quotes").unwrap();
    let out = work.path().join("session");
    let mut request = ProfileRequest {
        sources: vec![ProfileSource { profile, files: vec![good, bad.clone()] }],
        ..ProfileRequest::default()
    };
    let error = import_profiles(&request, &out, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("bad.csv, line 3"), "{error}");
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 2, "only the two files");
    request.sources[0].files.pop();
    request.symbols = vec!["QQQ".to_string()];
    let error = import_profiles(&request, &out, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("'SPY', for example"), "{error}");
    request.symbols = vec!["spy".to_string()];
    let finished = import_profiles(&request, &out, &mut |_| {}).unwrap();
    assert_eq!(finished.manifest.source_records["quote"], 1);
    assert!(import_profiles(&request, &out, &mut |_| {}).unwrap().unchanged, "importing again is a no-op");
    request.sources[0].files = vec![work.path().join("none.csv")];
    let error = import_profiles(&request, &out, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("none.csv"), "{error}");
}

/// The policies of every importer hold for profiles too: set aside with file and line, counted, fingerprinted.
#[test]
fn doubtful_rows_are_set_aside_with_their_place() {
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("quotes.csv");
    let rows = "2025-02-20T14:31:00Z,SPY,700,3,600.02,5\n2025-02-20T14:31:01Z,SPY,600.02,3,600.02,5\n";
    fs::write(&file, format!("{HEADER}{GOOD}{rows}")).unwrap();
    let profile = Profile::builtin("generic-quotes").unwrap();
    let mut request = ProfileRequest {
        sources: vec![ProfileSource { profile, files: vec![file] }],
        ..ProfileRequest::default()
    };
    let out = work.path().join("session");
    let finished = import_profiles(&request, &out, &mut |_| {}).unwrap();
    let found =
        |name: &str| finished.manifest.quality.get(name).map(|count| (count.policy.as_str(), count.records));
    assert_eq!(found("impossible"), Some(("quarantine", 1)));
    assert_eq!(found("locked"), Some(("keep", 1)));
    let set_aside = fs::read_to_string(out.join("quarantine.csv")).unwrap();
    let row = set_aside.lines().nth(1).unwrap();
    assert!(
        row.starts_with("impossible,1740061860000000000,SPY,bid 700.00 x 3.00")
            && row.ends_with("quotes.csv,,3"),
        "{row}"
    );
    assert!(
        finished
            .manifest
            .importer
            .policies
            .iter()
            .any(|policy| policy.starts_with("quality: quarantine impossible"))
    );

    // The same again is a no-op; another policy is another session.
    assert!(import_profiles(&request, &out, &mut |_| {}).unwrap().unchanged);
    request.policies.set("impossible=keep").unwrap();
    let other = import_profiles(&request, &work.path().join("other"), &mut |_| {}).unwrap();
    assert_eq!(other.manifest.inputs, finished.manifest.inputs + 1);
    assert_ne!(other.manifest.source_fingerprint, finished.manifest.source_fingerprint);
}

/// Any bytes give records or an error: files bent at random never panic.
#[test]
fn bent_files_never_panic() {
    let text = format!("{HEADER}{}", GOOD.repeat(20));
    let profile = Profile::builtin("generic-quotes").unwrap();
    let parquet = crate::parquet::quotes_file();
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut read, mut refused) = (0, 0);
    let packed = archive(&[("rows.csv", text.as_bytes())]);
    for original in [text.clone().into_bytes(), gzip(text.as_bytes()), packed, parquet] {
        for _ in 0..1_500 {
            let mut bytes = original.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] ^= 1 << random(8),
                    1 => bytes[at] = b"\n\",-\0\xff9eP"[random(9)],
                    2 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, random(256) as u8),
                }
            }
            match read_bytes(&profile, "bent", &bytes, &mut MemorySink::default()) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}
