//! Gives the rows when they are due.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{self, Instant},
};

use crate::{
    schedule::Schedule,
    table::{Row, Table, TableError},
};

/// Rows that are read ahead.
const AHEAD_MAX: usize = 256;
/// A row that comes later than this is counted as late.
const LATE_FROM: Duration = Duration::from_secs(1);

/// What the reading thread hands over: a row with its lap from 0, or what ended the reading.
pub(crate) type Lap = Result<(u64, Row), TableError>;

/// Reads a file on a thread of its own, once or in laps, at most [`AHEAD_MAX`] rows ahead. The thread ends with the
/// file, with an error, or when the receiver is dropped.
pub(crate) fn read_ahead(
    repeat: bool,
    open: impl Fn() -> Result<Table, TableError> + Send + 'static,
) -> mpsc::Receiver<Lap> {
    let (sender, receiver) = mpsc::channel(AHEAD_MAX);
    tokio::task::spawn_blocking(move || {
        for lap in 0.. {
            let (rows, failed) = match open() {
                Ok(table) => (Some(table), None),
                Err(error) => (None, Some(Err(error))),
            };
            for row in rows.into_iter().flatten().chain(failed) {
                let failed = row.is_err();
                if sender.blocking_send(row.map(|row| (lap, row))).is_err() || failed {
                    return;
                }
            }
            if !repeat {
                return;
            }
        }
    });
    receiver
}

/// Holds each row back until it is due.
pub(crate) struct Player {
    rows: mpsc::Receiver<Lap>,
    schedule: Schedule,
    start: Option<Instant>,
    late: u64,
}

impl Player {
    pub(crate) fn new(rows: mpsc::Receiver<Lap>, schedule: Schedule) -> Self {
        Self { rows, schedule, start: None, late: 0 }
    }

    /// The next row, when it is due; one that is overdue at once, since a replay leaves nothing out.
    pub(crate) async fn next(&mut self) -> Option<Result<Row, TableError>> {
        let (lap, row) = match self.rows.recv().await? {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        let due = self.schedule.due(lap, row.micros);
        let start = *self.start.get_or_insert_with(Instant::now);
        // Beyond what an instant can hold there is nothing to wait for that anybody sees.
        if let Some(due) = start.checked_add(due) {
            time::sleep_until(due).await;
        }
        self.count_late(due, start);
        Some(Ok(row))
    }

    fn count_late(&mut self, due: Duration, start: Instant) {
        // At the greatest speed everything is due at once, and nothing late.
        if due.is_zero() {
            return;
        }
        let behind = start.elapsed().saturating_sub(due);
        if behind > LATE_FROM {
            self.late += 1;
            // At 1, 2, 4, 8 … late rows, so that a slow broker doesn't fill the log.
            if self.late.is_power_of_two() {
                tracing::warn!(
                    ?behind,
                    late_rows = self.late,
                    "fell behind: rows come late, none is left out"
                );
            }
        }
    }

    /// How many rows came more than a second late.
    pub(crate) fn late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        schedule::{Speed, Timing},
        table::Source,
    };

    fn player(seconds: &[i64], speed: f64) -> Player {
        let (sender, rows) = mpsc::channel(AHEAD_MAX);
        for second in seconds {
            let row = Row { micros: second * 1_000_000, cells: Vec::new() };
            sender.try_send(Ok((0, row))).unwrap();
        }
        Player::new(rows, Schedule::new(Timing::Own(Speed::Times(speed))))
    }

    #[tokio::test(start_paused = true)]
    async fn rows_come_when_they_are_due() {
        let mut player = player(&[100, 101, 103], 10.0);
        let start = Instant::now();
        let mut came = Vec::new();
        while player.next().await.is_some() {
            came.push(start.elapsed().as_millis());
        }
        assert_eq!(came, [0, 100, 300]);
        assert_eq!(player.late(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_stall_nothing_is_left_out_and_late_rows_are_counted() {
        let mut player = player(&[0, 1, 2, 3, 9], 1.0);
        player.next().await;
        time::advance(Duration::from_millis(3500)).await;
        let mut came = Vec::new();
        while let Some(row) = player.next().await {
            came.push(row.unwrap().micros / 1_000_000);
        }
        assert_eq!(came, [1, 2, 3, 9]);
        // Those of 1 s and 2 s were more than a second late, that of 3 s half of one.
        assert_eq!(player.late(), 2);
    }

    #[tokio::test]
    async fn laps_follow_each_other_until_nobody_listens() {
        let mut rows = read_ahead(true, || Table::open(&Source::Sample, "time", &[]));
        let mut laps = Vec::new();
        for _ in 0..150 {
            laps.push(rows.recv().await.unwrap().unwrap().0);
        }
        assert_eq!((laps[59], laps[60], laps[149]), (0, 1, 2));
    }

    #[tokio::test]
    async fn a_file_that_goes_missing_ends_the_rows_with_an_error() {
        let mut rows =
            read_ahead(true, || Table::open(&Source::File("no/such/file.csv".into()), "time", &[]));
        assert!(rows.recv().await.unwrap().is_err());
        assert!(rows.recv().await.is_none());
    }
}
