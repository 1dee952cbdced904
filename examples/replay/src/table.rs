//! A CSV file row by row: times, numbers and text, or an error that names file, line and column.
//!
//! Reading is lazy and bounded: a file of any size takes the memory of one row.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use serde_json::Value;

use crate::{input::Input, time};

/// The built-in sample: a refrigerator for a minute, made up.
const SAMPLE: &str = include_str!("../sample.csv");

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The built-in sample.
    Sample,
    /// A file.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sample => f.write_str("sample.csv (built in)"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It can't be opened.
    #[error("{file}: can't be opened: {source}; give a CSV file that can be read")]
    Open {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A column that is asked for isn't there, or its name isn't clear.
    #[error("{file}, line 1: {problem}; the columns are {columns}")]
    Header {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
        /// The columns that there are.
        columns: String,
    },
    /// A row that can't be taken apart.
    #[error("{file}, line {line}: {problem}")]
    Row {
        /// The file.
        file: String,
        /// The line in which the row begins, from 1.
        line: u64,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// A cell that doesn't hold what its column does.
    #[error("{file}, line {line}, column {column:?}: {found:?} is not {expected}")]
    Cell {
        /// The file.
        file: String,
        /// The line in which the row begins, from 1.
        line: u64,
        /// The column's name.
        column: String,
        /// What the cell holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Microseconds since the Unix epoch.
    pub micros: i64,
    /// A value for each of [`Table::columns`]; none where the cell is empty.
    pub cells: Vec<Option<Value>>,
}

/// A file that is being read; an iterator over its rows, which ends after the first error.
pub struct Table {
    file: String,
    reader: csv::Reader<Input>,
    record: csv::StringRecord,
    time: Column,
    columns: Vec<Column>,
    last_micros: i64,
    failed: bool,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    index: usize,
    /// What the first cell that isn't empty holds: that makes it a column of numbers or of text.
    holds: Option<Holds>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Holds {
    Numbers,
    Text,
}

impl Table {
    /// Opens a file and reads its first line, the names of the columns. `columns` are those to read; all but the time
    /// column where it is empty.
    ///
    /// # Errors
    /// [`TableError::Open`], or [`TableError::Header`] where a column isn't there, has no name, or has another's.
    pub fn open(source: &Source, time_column: &str, columns: &[String]) -> Result<Self, TableError> {
        let file = source.to_string();
        let input: Box<dyn Read + Send> = match source {
            Source::Sample => Box::new(SAMPLE.as_bytes()),
            Source::File(path) => match File::open(path) {
                Ok(opened) => Box::new(opened),
                Err(source) => return Err(TableError::Open { file, source }),
            },
        };
        Self::read(file, input, time_column, columns)
    }

    fn read(
        file: String,
        input: Box<dyn Read + Send>,
        time_column: &str,
        columns: &[String],
    ) -> Result<Self, TableError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(Input::new(input));
        let header = match reader.headers() {
            Ok(header) => Header { file: &file, names: header.iter().map(str::to_owned).collect() },
            Err(error) => return Err(row_error(&file, 1, &error)),
        };
        let time = header.column(time_column)?;
        let columns = if columns.is_empty() {
            let names = header.names.iter().filter(|name| **name != time.name);
            names.map(|name| header.column(name)).collect::<Result<Vec<_>, _>>()?
        } else {
            columns.iter().map(|name| header.column(name)).collect::<Result<Vec<_>, _>>()?
        };
        if columns.is_empty() {
            return Err(header.error(format!("there is no column beside the time {time_column:?}")));
        }
        let record = csv::StringRecord::new();
        Ok(Self { file, reader, record, time, columns, last_micros: i64::MIN, failed: false })
    }

    /// The names of the columns that are read, in the order of [`Row::cells`].
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// The error of a file that turned out to have no row.
    pub(crate) fn no_rows(&self) -> TableError {
        TableError::Row {
            file: self.file.clone(),
            line: 1,
            problem: "there are no rows below the names of the columns: give at least one".into(),
        }
    }

    fn next_row(&mut self) -> Result<Option<Row>, TableError> {
        let start = self.reader.position().clone();
        self.reader.get_mut().begin_row();
        let read = self.reader.read_record(&mut self.record);
        let line = self.reader.get_mut().line_at(start.byte()).unwrap_or(start.line());
        match read {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return Err(row_error(&self.file, line, &error)),
        }
        let record = Record { file: &self.file, line, record: &self.record };
        let micros = record.time(&self.time)?;
        if micros < self.last_micros {
            return Err(record.error(&self.time, "a time at or after that of the row before"));
        }
        self.last_micros = micros;
        let cells = self.columns.iter_mut().map(|column| record.value(column)).collect::<Result<_, _>>()?;
        Ok(Some(Row { micros, cells }))
    }
}

impl Iterator for Table {
    type Item = Result<Row, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let row = self.next_row().transpose();
        self.failed = matches!(row, Some(Err(_)));
        row
    }
}

struct Header<'a> {
    file: &'a str,
    names: Vec<String>,
}

impl Header<'_> {
    fn column(&self, name: &str) -> Result<Column, TableError> {
        let mut places = self.names.iter().enumerate().filter(|(_, other)| *other == name);
        match (places.next(), places.next()) {
            _ if name.is_empty() => Err(self.error("a column has no name".into())),
            (Some((index, _)), None) => Ok(Column { name: name.into(), index, holds: None }),
            (None, _) => Err(self.error(format!("there is no column {name:?}"))),
            (Some(_), Some(_)) => Err(self.error(format!("two columns are called {name:?}"))),
        }
    }

    fn error(&self, problem: String) -> TableError {
        let names: Vec<String> = self.names.iter().map(|name| format!("{name:?}")).collect();
        TableError::Header { file: self.file.into(), problem, columns: names.join(", ") }
    }
}

/// A row as it stands in the file.
struct Record<'a> {
    file: &'a str,
    line: u64,
    record: &'a csv::StringRecord,
}

impl Record<'_> {
    /// Rows of another length than the first line are refused by the reader, so every column has its cell.
    fn cell(&self, column: &Column) -> &str {
        self.record.get(column.index).unwrap_or_default()
    }

    fn time(&self, column: &Column) -> Result<i64, TableError> {
        time::parse(self.cell(column)).ok_or_else(|| self.error(column, time::EXPECTED))
    }

    fn value(&self, column: &mut Column) -> Result<Option<Value>, TableError> {
        let cell = self.cell(column);
        // Programs write a missing number as one of these.
        if cell.is_empty() || ["nan", "null", "na"].iter().any(|missing| cell.eq_ignore_ascii_case(missing)) {
            return Ok(None);
        }
        let number = number(cell);
        let holds = *column.holds.get_or_insert(if number.is_some() { Holds::Numbers } else { Holds::Text });
        match (holds, number) {
            (Holds::Text, _) => Ok(Some(cell.into())),
            (Holds::Numbers, Some(number)) => Ok(Some(number)),
            (Holds::Numbers, None) => Err(self.error(column, "a number, as the column's cells above are")),
        }
    }

    fn error(&self, column: &Column, expected: &str) -> TableError {
        TableError::Cell {
            file: self.file.into(),
            line: self.line,
            column: column.name.clone(),
            found: self.cell(column).chars().take(100).collect(),
            expected: expected.into(),
        }
    }
}

/// A finite number, whole where it is written so.
fn number(cell: &str) -> Option<Value> {
    if let Ok(whole) = cell.parse::<i64>() {
        return Some(whole.into());
    }
    // An infinite number has no JSON form: none.
    cell.parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
}

fn row_error(file: &str, line: u64, error: &csv::Error) -> TableError {
    let problem = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells, but line 1 names {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { err, .. } => {
            format!("cell {} is not UTF-8: save the file as UTF-8", err.field() + 1)
        }
        csv::ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    };
    TableError::Row { file: file.into(), line, problem }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
