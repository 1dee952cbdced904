//! What the same reading costs by WebSocket and by one HTTP request each.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::Bytes;
use indicatif::ProgressBar;
use murre_client::Client;
use murre_protocol::Format;

use super::{
    HttpVsWsFlags, clear,
    counting_proxy::{CountingProxy, Traffic},
    http::{self, Connection},
    measure::{Latencies, show},
};
use crate::{
    broker,
    failure::Failure,
    output::{Align, Output, Table, thousands},
    payload::PayloadFormat,
};

const TOPIC: &str = "bench/reading";
/// Readings that the bytes are counted over; they are the same for each, so a few are enough.
const COUNTED_MAX: u64 = 200;
/// No single reading takes longer on a broker that works.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A way for a reading to get to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    WebSocket,
    HttpKept,
    HttpNew,
}

impl Way {
    const ALL: [Self; 3] = [Self::WebSocket, Self::HttpKept, Self::HttpNew];

    fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "WebSocket",
            Self::HttpKept => "HTTP, connection kept",
            Self::HttpNew => "HTTP, new connection each",
        }
    }
}

/// What one way costs.
struct Cost {
    way: Way,
    latencies: Latencies,
    elapsed: Duration,
    traffic: Traffic,
    counted: u64,
}

/// Measures all ways and prints the table.
pub(super) async fn run(flags: HttpVsWsFlags) -> Result<(), Failure> {
    let host = host_of(&flags.broker.broker)?;
    let body = PayloadFormat::Json.payload(flags.payload.clone().into_bytes())?;
    let reading = Reading { host, body: String::from_utf8_lossy(&body).into_owned() };
    let bar = ProgressBar::new(flags.count * Way::ALL.len() as u64);
    let mut costs = Vec::new();
    for way in Way::ALL {
        costs.push(cost(way, &reading, flags.count, &bar).await?);
    }
    bar.finish_and_clear();
    clear(&flags.broker, [TOPIC.to_owned()]).await?;
    report(&costs, &reading, flags.count, flags.json)
}

/// Host and port of a broker's address.
fn host_of(url: &str) -> Result<String, Failure> {
    let Some(rest) = url.strip_prefix("ws://") else {
        return Err(Failure::Usage(format!(
            "{url:?}: http-vs-ws measures ws:// addresses only, without TLS"
        )));
    };
    let host = rest.split('/').next().unwrap_or_default();
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port { host.to_owned() } else { format!("{host}:80") })
}

/// What is sent, and to whom.
struct Reading {
    host: String,
    body: String,
}

/// Latencies are taken without anything in between, bytes by a second, shorter run through the counting proxy.
async fn cost(way: Way, reading: &Reading, count: u64, bar: &ProgressBar) -> Result<Cost, Failure> {
    let begin = Instant::now();
    let latencies = readings(way, reading, &reading.host, count, Some(bar)).await?;
    let elapsed = begin.elapsed();
    let counted = count.min(COUNTED_MAX);
    let proxy = CountingProxy::start(reading.host.clone()).await.map_err(Failure::failed)?;
    readings(way, reading, &proxy.address().to_string(), counted, None).await?;
    Ok(Cost { way, latencies, elapsed, traffic: proxy.traffic(), counted })
}

async fn readings(
    way: Way,
    reading: &Reading,
    address: &str,
    count: u64,
    bar: Option<&ProgressBar>,
) -> Result<Latencies, Failure> {
    let mut sender = Sender::open(way, reading, address).await?;
    let mut latencies = Latencies::new()?;
    for _ in 0..count {
        let begin = Instant::now();
        match tokio::time::timeout(ANSWER_TIMEOUT, sender.send()).await {
            Ok(sent) => sent?,
            Err(_) => {
                return Err(Failure::TimedOut(format!("{}: no answer from {address} in 30s", way.name())));
            }
        }
        latencies.record(begin.elapsed());
        if let Some(bar) = bar {
            bar.inc(1);
        }
    }
    sender.close().await;
    Ok(latencies)
}

/// Sends one reading after the other.
enum Sender {
    WebSocket { client: Client, body: Bytes },
    HttpKept { connection: Connection, request: Vec<u8> },
    HttpNew { address: String, request: Vec<u8> },
}

impl Sender {
    async fn open(way: Way, reading: &Reading, address: &str) -> Result<Self, Failure> {
        let request = |keep| http::post(&reading.host, &format!("/topics/{TOPIC}"), &reading.body, keep);
        Ok(match way {
            Way::WebSocket => Self::WebSocket {
                client: broker::connect(&format!("ws://{address}/ws")).await?,
                body: Bytes::copy_from_slice(reading.body.as_bytes()),
            },
            Way::HttpKept => Self::HttpKept { connection: open(address).await?, request: request(true) },
            Way::HttpNew => Self::HttpNew { address: address.to_owned(), request: request(false) },
        })
    }

    async fn send(&mut self) -> Result<(), Failure> {
        match self {
            Self::WebSocket { client, body } => {
                client.publish(TOPIC).payload(Format::Json, body.clone()).await?;
                Ok(())
            }
            Self::HttpKept { connection, request } => post(connection, request).await,
            Self::HttpNew { address, request } => post(&mut open(address).await?, request).await,
        }
    }

    async fn close(self) {
        if let Self::WebSocket { client, .. } = self {
            client.close().await;
        }
    }
}

async fn open(address: &str) -> Result<Connection, Failure> {
    let unreachable = |error: io::Error| Failure::Unreachable(format!("no connection to {address}: {error}"));
    Connection::open(address).await.map_err(unreachable)
}

async fn post(connection: &mut Connection, request: &[u8]) -> Result<(), Failure> {
    let answer = connection.exchange(request).await.map_err(Failure::failed)?;
    match answer.status {
        200..300 => Ok(()),
        status => Err(Failure::Refused(format!(
            "the broker answered the POST with {status}: {}",
            answer.body.trim()
        ))),
    }
}

fn report(costs: &[Cost], reading: &Reading, count: u64, json: bool) -> Result<(), Failure> {
    let mut output = Output::stdout();
    if json {
        let ways: Vec<_> = costs.iter().map(|cost| cost.to_json(count)).collect();
        output.line(serde_json::json!({ "payload_bytes": reading.body.len(), "ways": ways }).to_string())?;
        return output.flush();
    }
    let columns =
        ["p50", "p99", "a second", "sent", "received", "connections"].map(|name| (name, Align::Right));
    let mut table = Table::new(&[&[("way", Align::Left)], columns.as_slice()].concat());
    for cost in costs {
        table.row([
            cost.way.name().to_owned(),
            show(cost.latencies.percentile(50.0)),
            show(cost.latencies.percentile(99.0)),
            thousands(cost.per_second(count) as u64),
            format!("{:.1} B", cost.each(cost.traffic.sent)),
            format!("{:.1} B", cost.each(cost.traffic.received)),
            format!("{} for {}", cost.traffic.connections, cost.counted),
        ]);
    }
    output
        .line(format!("{count} readings of {} bytes by each way, one after the other", reading.body.len()))?;
    for line in table.lines(output.style()) {
        output.line(line)?;
    }
    output.line("sent and received: bytes within TCP for each reading, handshakes included")?;
    output.flush()
}

impl Cost {
    fn per_second(&self, count: u64) -> f64 {
        (count as f64 / self.elapsed.as_secs_f64().max(1e-9)).round()
    }

    /// Of what was counted, the part of one reading.
    fn each(&self, bytes: u64) -> f64 {
        bytes as f64 / self.counted as f64
    }

    fn to_json(&self, count: u64) -> serde_json::Value {
        serde_json::json!({
            "way": self.way.name(),
            "latency_us": self.latencies.to_json(),
            "per_second": self.per_second(count),
            "sent_bytes": self.each(self.traffic.sent),
            "received_bytes": self.each(self.traffic.received),
            "connections": self.traffic.connections,
            "counted": self.counted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_come_from_the_broker_address() {
        assert_eq!(host_of("ws://127.0.0.1:8080/ws").unwrap(), "127.0.0.1:8080");
        assert_eq!(host_of("ws://[::1]:8080/ws").unwrap(), "[::1]:8080");
        assert_eq!(host_of("ws://broker").unwrap(), "broker:80");
        assert_eq!(host_of("wss://broker/ws").unwrap_err().code(), 2);
    }
}
