//! Names that people write, and what they probably meant.

/// The candidate with the smallest edit distance, when it is small enough to be a slip.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |a: &str, b: &str| {
        let b: Vec<char> = b.chars().collect();
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, ca) in a.chars().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], i + 1);
            for (j, cb) in b.iter().enumerate() {
                let substitute = diagonal + usize::from(ca != *cb);
                diagonal = row[j + 1];
                row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
            }
        }
        row[b.len()]
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let found = distance(word, candidate);
        if best.is_none_or(|(least, _)| found < least) {
            best = Some((found, candidate));
        }
    }
    best.filter(|(found, candidate)| *found <= 1 + candidate.chars().count() / 3)
        .map(|(_, candidate)| candidate)
}

/// Line (from 1) and problem of a TOML text that does not fit its type; unknown keys and values
/// come with the nearest valid one.
pub fn toml_problem(text: &str, error: &toml::de::Error) -> (usize, String) {
    let start = error.span().map_or(0, |span| span.start);
    let line = text.as_bytes()[..start.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
    (line, with_nearest(error.message()))
}

/// Adds the nearest valid name to serde's "unknown field `x`, expected one of `a`, `b`".
fn with_nearest(message: &str) -> String {
    let message = message.trim();
    let what = match message {
        m if m.starts_with("unknown field") => "key",
        m if m.starts_with("unknown variant") => "value",
        _ => return message.to_string(),
    };
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((unknown, known)) = quoted.split_first() else { return message.to_string() };
    match nearest(unknown, known.iter().copied()) {
        Some(near) => {
            format!("unknown {what} '{unknown}'; did you mean '{near}'? Known here: {}", known.join(", "))
        }
        None => format!("unknown {what} '{unknown}'; known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let names = ["short-strangle", "buy-and-hold", "demo"];
        assert_eq!(nearest("dmeo", names.into_iter()), Some("demo"));
        assert_eq!(nearest("short-strangel", names.into_iter()), Some("short-strangle"));
        assert_eq!(nearest("zzzzzz", names.into_iter()), None);
    }
}
