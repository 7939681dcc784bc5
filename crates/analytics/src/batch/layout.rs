//! Where a formula finds its columns.

use super::row::{Layout, Place};
use super::{BatchError, Column, Formula};
use csv::ByteRecord;

/// The columns of a file.
pub(super) fn layout(
    name: &str,
    header: &ByteRecord,
    formula: &dyn Formula,
    constants: &[(String, String)],
) -> Result<Layout, BatchError> {
    if header.is_empty() {
        return Err(BatchError::NoHeader { name: name.to_string(), expected: expected(formula) });
    }
    known_constants(name, header, formula, constants)?;
    let places = formula.columns().iter().map(|column| {
        let place = match (field(name, header, column)?, given(column, constants)) {
            (Some(field), _) => Place::Field(field),
            (None, Some(value)) => Place::Constant(value.to_string()),
            (None, None) => {
                let found: Vec<_> = header.iter().map(String::from_utf8_lossy).collect();
                return Err(missing(name, column, formula, &found.join(",")));
            }
        };
        Ok((column.name, place))
    });
    Ok(Layout { places: places.collect::<Result<_, _>>()?, width: header.len() })
}

/// No file: every column from the command line.
pub(super) fn of_constants(
    formula: &dyn Formula,
    constants: &[(String, String)],
) -> Result<Layout, BatchError> {
    known_constants("", &ByteRecord::new(), formula, constants)?;
    let places = formula.columns().iter().map(|column| match given(column, constants) {
        Some(value) => Ok((column.name, Place::Constant(value.to_string()))),
        None => Err(missing("", column, formula, "")),
    });
    Ok(Layout { places: places.collect::<Result<_, _>>()?, width: 0 })
}

fn expected(formula: &dyn Formula) -> String {
    formula.columns().iter().map(|column| column.name).collect::<Vec<_>>().join(",")
}

fn missing(name: &str, column: &Column, formula: &dyn Formula, found: &str) -> BatchError {
    BatchError::MissingColumn {
        name: name.to_string(),
        column: column.name,
        meaning: column.meaning,
        expected: expected(formula),
        found: found.to_string(),
    }
}

/// The constant of a column, else its default.
fn given<'a>(column: &Column, constants: &'a [(String, String)]) -> Option<&'a str> {
    let found = constants.iter().find(|(name, _)| name == column.name);
    found.map(|(_, value)| value.as_str()).or(column.default)
}

/// Position of a column in the header: under its name, else under one of its aliases.
fn field(name: &str, header: &ByteRecord, column: &Column) -> Result<Option<usize>, BatchError> {
    for known in [column.name].iter().chain(column.aliases) {
        let mut places = (0..header.len()).filter(|at| header[*at].trim_ascii() == known.as_bytes());
        let first = places.next();
        if places.next().is_some() {
            let column = (*known).to_string();
            return Err(BatchError::DuplicateColumn { name: name.to_string(), column });
        }
        if first.is_some() {
            return Ok(first);
        }
    }
    Ok(None)
}

fn known_constants(
    name: &str,
    header: &ByteRecord,
    formula: &dyn Formula,
    constants: &[(String, String)],
) -> Result<(), BatchError> {
    for (constant, _) in constants {
        let Some(column) = formula.columns().iter().find(|column| column.name == constant) else {
            let why = format!("the model reads the columns {}", expected(formula));
            return Err(BatchError::Constant { column: constant.clone(), why });
        };
        if field(name, header, column)?.is_some() {
            let why = format!("{name} has that column");
            return Err(BatchError::Constant { column: constant.clone(), why });
        }
    }
    Ok(())
}
