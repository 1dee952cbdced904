use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::input::ROW_BYTES_MAX;

fn rows(text: &str) -> Result<Vec<Row>, TableError> {
    rows_of(text, &[])
}

fn rows_of(text: &str, columns: &[&str]) -> Result<Vec<Row>, TableError> {
    let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let input = Box::new(io::Cursor::new(text.to_owned().into_bytes()));
    Table::read("boiler.csv".into(), input, "time", &columns)?.collect()
}

fn error(text: &str) -> String {
    rows(text).unwrap_err().to_string()
}

#[test]
fn numbers_become_numbers_and_text_stays_text() {
    let rows = rows("time,celsius,state\n0,21.5,on\n1,22,7\n").unwrap();
    assert_eq!(rows[0], Row { micros: 0, cells: vec![Some(json!(21.5)), Some(json!("on"))] });
    assert_eq!(rows[1], Row { micros: 1_000_000, cells: vec![Some(json!(22)), Some(json!("7"))] });
}

#[test]
fn missing_values_are_left_out() {
    let rows = rows("time,a,b\n0,,NaN\n1,1,null\n2,NA,2\n").unwrap();
    let cells: Vec<_> = rows.into_iter().map(|row| row.cells).collect();
    assert_eq!(cells, [vec![None, None], vec![Some(json!(1)), None], vec![None, Some(json!(2))]]);
}

#[test]
fn only_the_columns_asked_for_are_read() {
    let rows = rows_of("a,time,b,c\nx,0,1,2\n", &["c", "a"]).unwrap();
    assert_eq!(rows[0].cells, [Some(json!(2)), Some(json!("x"))]);
}

#[test]
fn a_bad_cell_is_named_by_file_line_and_column() {
    let error = error("time,celsius\n0,21.5\n\n1,warm\n");
    assert_eq!(
        error,
        r#"boiler.csv, line 4, column "celsius": "warm" is not a number, as the column's cells above are"#
    );
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    for text in ["time,a\r\n0,1\r\nx,1\r\n", "time,a\n0,1\nx,1", "\u{feff}time,a\n0,\"1\"\nx,\"\n\n\"\n"] {
        assert!(error(text).starts_with("boiler.csv, line 3, column"), "{text:?}");
    }
    assert!(error("time,a,b\n0,1,\"two\nlines\"\nx,1,\n").starts_with("boiler.csv, line 4, column"));
}

#[test]
fn a_bad_time_is_named_with_what_is_expected() {
    let error = error("time,celsius\nnoon,21.5\n");
    assert!(
        error.starts_with(r#"boiler.csv, line 2, column "time": "noon" is not a time: RFC 3339"#),
        "{error}"
    );
}

#[test]
fn times_may_stand_still_but_not_fall() {
    assert_eq!(rows("time,a\n5,1\n5,2\n6,3\n").unwrap().len(), 3);
    let error = error("time,a\n5,1\n4,2\n");
    assert!(error.contains(r#"line 3, column "time": "4" is not a time at or after"#), "{error}");
}

#[test]
fn a_row_of_another_length_is_named_by_line() {
    assert_eq!(error("time,a\n0,1\n1\n"), "boiler.csv, line 3: 1 cells, but line 1 names 2 columns");
}

#[test]
fn a_column_that_is_not_there_is_an_error_that_lists_those_that_are() {
    let error = rows_of("time,a\n0,1\n", &["b"]).unwrap_err().to_string();
    assert_eq!(error, r#"boiler.csv, line 1: there is no column "b"; the columns are "time", "a""#);
    assert!(self::error("when,a\n0,1\n").contains(r#"no column "time"; the columns are "when""#));
    assert!(self::error("time,a,a\n0,1,2\n").contains(r#"two columns are called "a""#));
    assert!(self::error("time,a,\n0,1,2\n").contains("a column has no name"));
    assert!(self::error("time\n0\n").contains("no column beside the time"));
}

#[test]
fn a_quotation_mark_that_is_not_closed_does_not_take_the_file_into_memory() {
    let error = error(&format!("time,a\n0,\"{}", "x".repeat(2 * ROW_BYTES_MAX)));
    assert!(error.contains("is a quotation mark not closed?"), "{error}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_name() {
    assert_eq!(rows("\u{feff}time,a\n0,1\n").unwrap().len(), 1);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = Source::File("no/such/file.csv".into());
    let error = Table::open(&missing, "time", &[]).err().unwrap().to_string();
    assert!(error.starts_with("no/such/file.csv: can't be opened"), "{error}");
}

#[test]
fn the_sample_reads_to_its_end() {
    let table = Table::open(&Source::Sample, "time", &[]).unwrap();
    assert_eq!(table.columns().collect::<Vec<_>>(), ["temperature", "humidity", "power_watts", "door"]);
    let rows = table.collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(rows.len(), 60);
    assert_eq!(rows[59].micros - rows[0].micros, 59_000_000);
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "(time,a\n)?[0-9a-z,\"\n.]*") {
        let _ = rows(&text);
    }
}
