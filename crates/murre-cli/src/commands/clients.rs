//! `murre clients`: who is connected to a broker on this machine.

use std::{fmt::Write, time::Duration};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    broker::BrokerFlags,
    failure::Failure,
    http::Http,
    output::{Align, Output, Table, age, escape, shorten, thousands},
    time::now,
};

/// Clients that are asked for at a time.
const PAGE: usize = 1000;

/// Flags of `murre clients`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  murre clients
  murre clients --search boiler
  murre clients --json | jq -r 'select(.slow) | .client_id'

The slow ones come first: those for which more than half of limits.outbox_max waits, or that lost something within the \
last 10 seconds. The broker answers this to programs of its own machine only.")]
pub(crate) struct Args {
    /// Only those whose id or address has this in it, in whatever case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Print an object a line, as the admin API has them
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerFlags,
}

#[derive(Debug, Deserialize)]
struct Page {
    clients: Vec<Value>,
    next: Option<String>,
}

/// What of a client is shown.
#[derive(Debug, Deserialize)]
struct Client {
    client_id: String,
    address: Option<String>,
    protocol: String,
    connected: u64,
    slow: bool,
    received: Traffic,
    delivered: Traffic,
    outbox: Outbox,
    dropped: u64,
    subscriptions: u64,
}

#[derive(Debug, Deserialize)]
struct Traffic {
    messages: u64,
}

#[derive(Debug, Deserialize)]
struct Outbox {
    bytes: u64,
}

/// Lists them.
///
/// # Errors
/// No broker, or it refuses.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let clients = all(args)?;
    let mut output = Output::stdout();
    let lines =
        if args.json { clients.iter().map(Value::to_string).collect() } else { table(clients, &output)? };
    for line in lines {
        output.line(line)?;
    }
    output.flush()
}

/// All clients, page by page.
fn all(args: &Args) -> Result<Vec<Value>, Failure> {
    let http = Http::of(&args.broker.broker)?;
    let mut path = format!("/admin/clients?limit={PAGE}");
    if let Some(search) = &args.search {
        // writing to a String never fails
        let _ = write!(path, "&search={}", utf8_percent_encode(search, NON_ALPHANUMERIC));
    }
    let (mut clients, mut after) = (Vec::new(), String::new());
    loop {
        let page: Page = http.json(&format!("{path}{after}"))?;
        clients.extend(page.clients);
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(clients),
        }
    }
}

fn table(clients: Vec<Value>, output: &Output) -> Result<Vec<String>, Failure> {
    if clients.is_empty() {
        return Ok(vec!["no clients".to_owned()]);
    }
    let now = now().millis();
    let mut table = Table::new(&[
        ("client", Align::Left),
        ("address", Align::Left),
        ("over", Align::Left),
        ("for", Align::Right),
        ("sent", Align::Right),
        ("got", Align::Right),
        ("bytes waiting", Align::Right),
        ("dropped", Align::Right),
        ("subscriptions", Align::Right),
        ("", Align::Left),
    ]);
    for client in clients {
        let client: Client = serde_json::from_value(client)
            .map_err(|error| Failure::Failed(format!("the answer makes no sense: {error}")))?;
        let connected = age(Duration::from_millis(now.saturating_sub(client.connected)));
        table.row([
            escape(&client.client_id),
            escape(&client.address.unwrap_or_default()),
            escape(&client.protocol),
            connected,
            thousands(client.received.messages),
            thousands(client.delivered.messages),
            thousands(client.outbox.bytes),
            thousands(client.dropped),
            thousands(client.subscriptions),
            if client.slow { "slow".to_owned() } else { String::new() },
        ]);
    }
    let lines = table.lines(output.style());
    Ok(match output.width() {
        Some(width) => lines.iter().map(|line| shorten(line, width)).collect(),
        None => lines,
    })
}
