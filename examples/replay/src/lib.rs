//! A CSV file as live readings: each column a topic, each row when it is due by its own time.
//!
//! # Layout
//! - [`table`]: a CSV file row by row, with errors that name file, line and column; `input` bounds it.
//! - [`time`]: times as CSV files have them; pure.
//! - [`schedule`]: when each row is due; pure.
//! - [`template`]: the topics; pure.
//! - `player`: gives the rows when they are due.
//! - this file: [`Options`] and [`run`], which checks the file, connects and publishes.

mod input;
mod player;
pub mod schedule;
pub mod table;
pub mod template;
pub mod time;

use std::{future::Future, path::PathBuf, pin::pin, time::Duration};

use anyhow::{Context, ensure};
use futures_util::future::{join_all, try_join_all};
use murre_client::Client;
use tokio::task::spawn_blocking;

use crate::{
    player::{Player, read_ahead},
    schedule::{Schedule, Speed, Timing},
    table::{Row, Source, Table, TableError},
    template::Template,
};

/// Devices that replay side by side at most.
const DEVICES_MAX: usize = 10_000;
/// Each device has its own connection, as real ones have, up to this many; more devices share these.
const CONNECTIONS_MAX: usize = 50;
/// Rows a second: a timer's resolution is a millisecond.
const RATE_MAX: f64 = 1000.0;

/// What to replay, how, and for which broker.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Options {
    /// The broker's WebSocket address
    #[arg(long, env = "MURRE_BROKER", default_value = "ws://127.0.0.1:8080/ws", value_name = "URL")]
    pub broker: String,
    /// Number of devices that replay the file side by side; the topic needs {device} where there are several
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub devices: usize,
    /// Rows a second of each device, instead of the rows' own times
    #[arg(long, value_name = "HZ", conflicts_with = "speed")]
    pub rate: Option<f64>,
    /// Of no effect, since nothing is made up; taken as the simulators take it
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The CSV file; its first line names the columns [default: a built-in sample of a minute]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// So many times as fast as the rows' own times say, or max: as fast as the broker takes it
    #[arg(long, default_value = "1", value_name = "TIMES")]
    pub speed: Speed,
    /// The topics, with {column} and {device} in them [default: replay/{column}, or replay/{device}/{column} for
    /// several devices]
    #[arg(long, value_name = "TEMPLATE")]
    pub topic: Option<String>,
    /// The column of the times: RFC 3339, Unix seconds or Unix milliseconds
    #[arg(long, default_value = "time", value_name = "COLUMN")]
    pub time_column: String,
    /// The columns to publish, by comma [default: all but the time]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,…")]
    pub columns: Vec<String>,
    /// Begin anew at the end of the file
    #[arg(long = "loop")]
    pub repeat: bool,
}

impl Default for Options {
    /// The built-in sample at its own times, again and again, as a demonstration wants it. (A command line without
    /// flags replays it once.)
    fn default() -> Self {
        Self {
            broker: "ws://127.0.0.1:8080/ws".into(),
            devices: 1,
            rate: None,
            seed: 1,
            file: None,
            speed: Speed::Times(1.0),
            topic: None,
            time_column: "time".into(),
            columns: Vec::new(),
            repeat: true,
        }
    }
}

impl Options {
    fn timing(&self) -> anyhow::Result<Timing> {
        let Some(rate) = self.rate else { return Ok(Timing::Own(self.speed)) };
        ensure!(
            (0.001..=RATE_MAX).contains(&rate),
            "rate is {rate} rows a second: give one from 0.001 to {RATE_MAX}"
        );
        Ok(Timing::Every(Duration::from_secs_f64(1.0 / rate)))
    }

    /// How the file is opened: for the check at the start, and for each lap.
    fn opener(&self) -> impl Fn() -> Result<Table, TableError> + Clone + Send + 'static {
        let source = self.file.clone().map_or(Source::Sample, Source::File);
        let (time_column, columns) = (self.time_column.clone(), self.columns.clone());
        move || Table::open(&source, &time_column, &columns)
    }

    fn template(&self, columns: usize) -> Result<Template, template::TemplateError> {
        let default = if self.devices > 1 { "replay/{device}/{column}" } else { "replay/{column}" };
        Template::new(self.topic.as_deref().unwrap_or(default), columns, self.devices)
    }
}

/// Publishes the file's rows until its end or until `stop` resolves; then closes the connections.
///
/// The whole file is checked before anything is published. Publishes are acknowledged, a row after the other: nothing
/// is left out while the broker is away or slow, rows come late instead, and the log says how many.
///
/// # Errors
/// Options out of range, a file that can't be read (the message names file, line and column), a broker that can't be
/// reached at the start, or one that refuses a publish.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    ensure!(
        (1..=DEVICES_MAX).contains(&options.devices),
        "devices is {}: give 1 to {DEVICES_MAX} devices",
        options.devices
    );
    let schedule = Schedule::new(options.timing()?);
    let open = options.opener();

    let mut stop = pin!(stop);
    let start = async {
        let columns = check(open.clone()).await?;
        let topics = topics(&options, &columns)?;
        let numbers = 1..=options.devices.min(CONNECTIONS_MAX);
        let clients = try_join_all(numbers.map(|number| connect(&options.broker, number))).await?;
        anyhow::Ok((topics, clients))
    };
    let (topics, clients) = tokio::select! {
        started = start => started?,
        () = &mut stop => return Ok(()),
    };

    let mut player = Player::new(read_ahead(options.repeat, open), schedule);
    let outcome = tokio::select! {
        outcome = publish(&clients, &topics, &mut player) => outcome,
        () = stop => Ok(()),
    };
    if player.late() > 0 {
        tracing::warn!(late_rows = player.late(), "rows came more than a second late");
    }
    let unsent: usize = join_all(clients.iter().map(Client::close)).await.into_iter().sum();
    if unsent > 0 {
        tracing::warn!(unsent, "closed before everything was sent");
    }
    outcome
}

/// Reads a file to its end; gives the names of its columns.
async fn check(
    open: impl Fn() -> Result<Table, TableError> + Clone + Send + 'static,
) -> anyhow::Result<Vec<String>> {
    let table = spawn_blocking(open.clone()).await??;
    let columns = table.columns().map(str::to_owned).collect();
    let mut rows = read_ahead(false, open);
    let mut count = 0_u64;
    while let Some(row) = rows.recv().await {
        row?;
        count += 1;
    }
    if count == 0 {
        return Err(table.no_rows().into());
    }
    tracing::info!(rows = count, ?columns, "the file is good");
    Ok(columns)
}

/// The topics of each device, in the order of the columns; no two the same.
fn topics(options: &Options, columns: &[String]) -> anyhow::Result<Vec<Vec<String>>> {
    let template = options.template(columns.len())?;
    let topics_of = |device: &str| -> Vec<String> {
        columns.iter().map(|column| template.topic(column, device)).collect()
    };
    let first = topics_of("1");
    for (index, topic) in first.iter().enumerate() {
        if let Some(other) = first.iter().take(index).position(|other| other == topic) {
            anyhow::bail!(
                "columns {:?} and {:?} have the same topic {topic:?}: rename one, or choose with --columns",
                columns[other],
                columns[index]
            );
        }
    }
    Ok((1..=options.devices).map(|device| topics_of(&device.to_string())).collect())
}

async fn connect(broker: &str, number: usize) -> anyhow::Result<Client> {
    let client = Client::builder(broker)
        .client_id(format!("replay-{number}"))
        .agent("murre replay")
        .connect()
        .await
        .with_context(|| format!("device {number} has no connection to {broker}"))?;
    // Ends with the client.
    tokio::spawn(client.events().log());
    Ok(client)
}

/// Publishes rows until there are no more.
async fn publish(clients: &[Client], topics: &[Vec<String>], player: &mut Player) -> anyhow::Result<()> {
    while let Some(row) = player.next().await {
        let row = row?;
        let devices = topics.iter().zip(clients.iter().cycle());
        try_join_all(devices.map(|(topics, client)| publish_row(client, topics, &row))).await?;
    }
    Ok(())
}

/// Publishes what a row has, a topic for each column, all at once.
async fn publish_row(client: &Client, topics: &[String], row: &Row) -> anyhow::Result<()> {
    let cells = topics.iter().zip(&row.cells).filter_map(|(topic, cell)| Some((topic, cell.as_ref()?)));
    try_join_all(cells.map(async |(topic, value)| anyhow::Ok(client.publish(topic).json(value)?.await?)))
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        io::Write,
    };

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        options: Options,
    }

    fn parse(flags: &[&str]) -> Result<Options, clap::Error> {
        let fixed = ["replay", "--broker", "ws://127.0.0.1:8080/ws"];
        Args::try_parse_from(fixed.iter().chain(flags)).map(|args| args.options)
    }

    async fn error(options: Options) -> String {
        run(options, pending()).await.unwrap_err().to_string()
    }

    #[test]
    fn the_command_line_without_flags_means_the_default_options_once() {
        assert_eq!(parse(&[]).unwrap(), Options { repeat: false, ..Options::default() });
    }

    #[test]
    fn the_command_line_takes_a_speed_a_loop_and_columns() {
        let options = parse(&["a.csv", "--speed", "max", "--loop", "--columns", "x,y"]).unwrap();
        assert_eq!((options.speed, options.repeat), (Speed::Max, true));
        assert_eq!(options.columns, ["x", "y"]);
        assert!(parse(&["--speed", "fast"]).unwrap_err().to_string().contains("or max"));
    }

    #[test]
    fn each_column_of_each_device_has_a_topic() {
        let columns = ["a".to_owned(), "b".to_owned()];
        let one = topics(&Options::default(), &columns).unwrap();
        assert_eq!(one, [["replay/a", "replay/b"]]);
        let two = topics(&Options { devices: 2, ..Options::default() }, &columns).unwrap();
        assert_eq!(two, [["replay/1/a", "replay/1/b"], ["replay/2/a", "replay/2/b"]]);
        let same = ["a/b".to_owned(), "a+b".to_owned()];
        let error = topics(&Options::default(), &same).unwrap_err().to_string();
        assert!(error.contains(r#"columns "a/b" and "a+b" have the same topic"#), "{error}");
    }

    #[tokio::test]
    async fn a_bad_row_is_named_before_anything_is_published() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "time,celsius\n0,21.5\n1,warm\n").unwrap();
        let error = error(Options { file: Some(file.path().into()), ..Options::default() }).await;
        let expected =
            format!(r#"{}, line 3, column "celsius": "warm" is not a number"#, file.path().display());
        assert!(error.starts_with(&expected), "{error}");
    }

    #[tokio::test]
    async fn a_file_without_rows_is_refused() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "time,celsius").unwrap();
        let error = error(Options { file: Some(file.path().into()), ..Options::default() }).await;
        assert!(
            error.ends_with("there are no rows below the names of the columns: give at least one"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn options_out_of_range_are_refused_with_the_range() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
            let error = error(Options { rate: Some(rate), ..Options::default() }).await;
            assert!(error.contains("from 0.001 to 1000"), "{error}");
        }
        for devices in [0, DEVICES_MAX + 1] {
            let error = error(Options { devices, ..Options::default() }).await;
            assert!(error.contains("1 to 10000"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_stop_ends_the_run_also_while_it_connects() {
        // A listener that accepts nothing: the handshake never gets an answer.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let broker = format!("ws://{}/ws", silent.local_addr().unwrap());
        // Spawned, as a program that runs several of these does.
        tokio::spawn(run(Options { broker, ..Options::default() }, ready(()))).await.unwrap().unwrap();
    }
}
