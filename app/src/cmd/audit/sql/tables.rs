//! A run's tables in an SQLite database in memory, and one query over them.

use crate::failure::{Failure, IO};
use crate::report;
use onetape_journal::export::schema::{Kind, TABLES, Table};
use onetape_journal::export::{Cell, tables};
use onetape_journal::{JournalError, JournalReader};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, params_from_iter};
use serde::Serialize;
use serde_json::Value;

/// Columns of a terminal.
const WIDTH: usize = 100;

/// What a query came to.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// Loads the tables that the query names and runs it.
pub(super) fn answer(reader: &JournalReader, query: &str) -> Result<Answer, Failure> {
    let database = Connection::open_in_memory().map_err(|error| inner(&error))?;
    // No file is to be had through a query.
    database.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0).map_err(|error| inner(&error))?;
    create(&database).map_err(|error| inner(&error))?;
    // Before the journal is read: a slip in the query costs nothing.
    check(&database, query)?;
    load(&database, reader, query)?;
    select(&database, query).map_err(|error| refused(query, &error))
}

fn inner(error: &Error) -> Failure {
    Failure { code: IO, message: format!("the tables in memory: {error}") }
}

fn create(database: &Connection) -> Result<(), Error> {
    for table in TABLES {
        let columns = table.columns.iter().enumerate().map(|(n, column)| {
            let kind = match (n, column.kind) {
                (0, _) => "INTEGER PRIMARY KEY",
                (_, Kind::Count | Kind::Time) => "INTEGER",
                (_, Kind::Decimal) => "REAL",
                (_, Kind::Text | Kind::Json) => "TEXT",
            };
            format!("\"{}\" {kind}", column.name)
        });
        let columns = columns.collect::<Vec<_>>().join(", ");
        database.execute(&format!("CREATE TABLE {} ({columns})", table.name), [])?;
    }
    Ok(())
}

/// Refuses what is no single query that reads.
fn check(database: &Connection, query: &str) -> Result<(), Failure> {
    let statement = database.prepare(query).map_err(|error| refused(query, &error))?;
    if statement.readonly() && statement.column_count() > 0 {
        return Ok(());
    }
    Err(Failure::usage("the query changes something or returns nothing: one SELECT is expected"))
}

fn load(database: &Connection, reader: &JournalReader, query: &str) -> Result<(), Failure> {
    let query = query.to_lowercase();
    let is_named = |table: &Table| query.contains(table.name);
    let mut inserts: Vec<(&str, String)> = Vec::new();
    for table in TABLES.iter().filter(|table| is_named(table)) {
        let marks = vec!["?"; table.columns.len()].join(", ");
        inserts.push((table.name, format!("INSERT INTO {} VALUES ({marks})", table.name)));
    }
    let failed = |error: Error| JournalError::Output {
        path: "the tables in memory".to_string(),
        what: "loading",
        problem: error.to_string(),
    };
    database.execute_batch("BEGIN").map_err(|error| inner(&error))?;
    let mut prepared = Vec::new();
    for (name, insert) in &inserts {
        prepared.push((*name, database.prepare(insert).map_err(|error| inner(&error))?));
    }
    tables(reader, &mut |table, cells| {
        let Some((_, insert)) = prepared.iter_mut().find(|(name, _)| *name == table.name) else {
            return Ok(());
        };
        insert.execute(params_from_iter(cells.iter().map(value))).map(|_| ()).map_err(failed)
    })?;
    drop(prepared);
    database.execute_batch("COMMIT; PRAGMA query_only = ON").map_err(|error| inner(&error))
}

fn value(cell: &Cell<'_>) -> rusqlite::types::Value {
    use rusqlite::types::Value;
    match cell {
        Cell::Null => Value::Null,
        // Instants reach 2^63 in the year 2262, seqs never.
        Cell::Count(count) => i64::try_from(*count).map_or(Value::Null, Value::Integer),
        Cell::Decimal(raw) => Value::Real(*raw as f64 / 1e9),
        Cell::Text(text) => Value::Text((*text).to_string()),
    }
}

fn select(database: &Connection, query: &str) -> Result<Answer, Error> {
    let mut statement = database.prepare(query)?;
    let columns: Vec<String> = statement.column_names().map(str::to_string).collect();
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let cell = |n| {
            Ok(match row.get_ref(n)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::from(number),
                ValueRef::Real(number) => Value::from(number),
                ValueRef::Text(text) | ValueRef::Blob(text) => {
                    Value::from(String::from_utf8_lossy(text).into_owned())
                }
            })
        };
        rows.push((0..columns.len()).map(cell).collect::<Result<_, Error>>()?);
    }
    Ok(Answer { columns, rows })
}

/// SQLite's message, the place in the query, and what there is to ask.
fn refused(query: &str, error: &Error) -> Failure {
    let mut message = match error {
        Error::SqlInputError { msg, offset, .. } if *offset >= 0 => {
            let at = query.get(..*offset as usize).map_or(0, |before| before.chars().count());
            // The line that the place is in.
            let begin = query.get(..*offset as usize).and_then(|b| b.rfind('\n')).map_or(0, |n| n + 1);
            let line = query[begin..].lines().next().unwrap_or_default();
            let column = query.get(begin..*offset as usize).map_or(0, |before| before.chars().count());
            format!("{msg} at character {}\n  {line}\n  {:column$}^", at + 1, "")
        }
        Error::SqlInputError { msg, .. } => msg.clone(),
        Error::MultipleStatement => "one query at a time".to_string(),
        error => error.to_string(),
    };
    for table in TABLES {
        let names = table.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(" ");
        message += "\n";
        message += &report::wrapped(&format!("{:<10}", table.name), "           ", &names).join("\n");
    }
    Failure::usage(message)
}

/// Prints rows under their columns, shortened where they are wider than a terminal.
pub(super) fn print(answer: &Answer) {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace('\n', " "),
        other => other.to_string(),
    };
    let rows: Vec<Vec<String>> = answer.rows.iter().map(|row| row.iter().map(text).collect()).collect();
    let width = |n: usize| {
        let widest = rows.iter().map(|row| row[n].chars().count()).max().unwrap_or(0);
        widest.max(answer.columns[n].chars().count())
    };
    let mut widths: Vec<usize> = (0..answer.columns.len()).map(width).collect();
    while widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > WIDTH {
        let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > 8) else { break };
        *widest -= 1;
    }
    let is_number: Vec<bool> = (0..answer.columns.len())
        .map(|n| answer.rows.iter().all(|row| row[n].is_number() || row[n].is_null()))
        .collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).zip(&is_number).map(|((cell, width), is_number)| {
            let cell = if cell.chars().count() > *width {
                cell.chars().take(width - 1).chain(['…']).collect()
            } else {
                cell.clone()
            };
            if *is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    report::line(&line(&answer.columns));
    rows.iter().for_each(|row| report::line(&line(row)));
}
