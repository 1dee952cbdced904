//! The exchange known from any WebSocket tutorial, by request and reply: a client says "Hello Server!" on `hello`,
//! and the responder answers "Hello, you sent -> Hello Server!".
//!
//! # Layout
//! - [`answer`]: what the responder says; pure.
//! - [`Options`] and [`run`]: the responder.
//! - beside this crate: `page/index.html` and `node/hello.mjs`, clients that speak the protocol themselves.

use std::{future::Future, pin::pin, time::Duration};

use anyhow::{Context, ensure};
use futures_util::future::{join_all, try_join_all};
use murre_client::{Client, From};

/// The topic of the questions.
pub const TOPIC: &str = "hello";

/// Responders at most: each has a connection.
const DEVICES_MAX: usize = 50;
/// Characters of a question that an answer repeats at most.
const QUOTE_CHARS_MAX: usize = 1000;

/// Who answers, and at which broker.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Options {
    /// The broker's WebSocket address
    #[arg(long, env = "MURRE_BROKER", default_value = "ws://127.0.0.1:8080/ws", value_name = "URL")]
    pub broker: String,
    /// Number of responders, at most 50, each with its own connection; several share the questions
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub devices: usize,
    /// Answers a second of each responder at most [default: as many as there are questions]
    #[arg(long, value_name = "HZ")]
    pub rate: Option<f64>,
    /// Of no effect, since nothing is made up; taken as the simulators take it
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { broker: "ws://127.0.0.1:8080/ws".into(), devices: 1, rate: None, seed: 1 }
    }
}

impl Options {
    /// The least time between two answers.
    fn pause(&self) -> anyhow::Result<Duration> {
        let Some(rate) = self.rate else { return Ok(Duration::ZERO) };
        ensure!(
            (0.001..=100_000.0).contains(&rate),
            "rate is {rate} answers a second: give one from 0.001 to 100000"
        );
        Ok(Duration::from_secs_f64(1.0 / rate))
    }
}

/// Answers until `stop` resolves; then sends what is pending and closes the connections.
///
/// # Errors
/// Options out of range, a broker that can't be reached at the start, or one that refuses the subscription.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    ensure!(
        (1..=DEVICES_MAX).contains(&options.devices),
        "devices is {}: give 1 to {DEVICES_MAX} responders",
        options.devices
    );
    let pause = options.pause()?;
    // The members of a shared subscription get each question once between them.
    let filter = if options.devices == 1 { TOPIC.to_owned() } else { format!("$share/{TOPIC}/{TOPIC}") };

    let mut stop = pin!(stop);
    let clients = tokio::select! {
        clients = try_join_all((1..=options.devices).map(|number| connect(&options.broker, number))) => clients?,
        () = &mut stop => return Ok(()),
    };
    let outcome = tokio::select! {
        outcome = try_join_all(clients.iter().map(|client| respond(client, &filter, pause))) => outcome.map(drop),
        () = stop => Ok(()),
    };
    let unsent: usize = join_all(clients.iter().map(Client::close)).await.into_iter().sum();
    if unsent > 0 {
        tracing::warn!(unsent, "closed before everything was sent");
    }
    outcome
}

async fn connect(broker: &str, number: usize) -> anyhow::Result<Client> {
    let client = Client::builder(broker)
        .client_id(format!("hello-{number}"))
        .agent("murre hello")
        .connect()
        .await
        .with_context(|| format!("responder {number} has no connection to {broker}"))?;
    // Ends with the client.
    tokio::spawn(client.events().log());
    Ok(client)
}

/// Answers questions; ends only with an error.
async fn respond(client: &Client, filter: &str, pause: Duration) -> anyhow::Result<()> {
    let mut questions = client.subscribe(filter).from(From::Live).await?;
    tracing::info!("answering on {filter}");
    let mut dropped = 0;
    while let Some(question) = questions.next().await {
        if questions.dropped() > dropped {
            tracing::warn!(count = questions.dropped() - dropped, "too many questions: some were left out");
            dropped = questions.dropped();
        }
        let Some(reply_to) = question.reply_to() else {
            tracing::info!("a message without reply_to: nobody waits for an answer");
            continue;
        };
        let asked = words(&question.to_json());
        tracing::info!(reply_to, "asked: {asked}");
        // One client's odd reply topic must not end the service for the others.
        if let Err(error) = client.reply(&question).text(answer(&asked)).await {
            tracing::warn!(reply_to, "no answer sent: {error}");
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    anyhow::bail!("the subscription to {filter} ended");
}

/// A question's payload in words: a string as it is, any other value as JSON; cut after a thousand characters.
fn words(payload: &serde_json::Value) -> String {
    let all = payload.as_str().map_or_else(|| payload.to_string(), str::to_owned);
    match all.char_indices().nth(QUOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &all[..end]),
        None => all,
    }
}

/// What the responder says.
pub fn answer(question: &str) -> String {
    format!("Hello, you sent -> {question}")
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn hello_is_answered_as_in_the_tutorials() {
        assert_eq!(answer(&words(&json!("Hello Server!"))), "Hello, you sent -> Hello Server!");
        assert_eq!(answer(&words(&json!({"celsius": 21.5}))), r#"Hello, you sent -> {"celsius":21.5}"#);
    }

    #[test]
    fn a_long_question_is_not_repeated_in_full() {
        let words = words(&json!("é".repeat(QUOTE_CHARS_MAX + 1)));
        assert_eq!(words.chars().count(), QUOTE_CHARS_MAX + 1, "with the ellipsis");
    }

    #[test]
    fn the_command_line_without_flags_means_the_default_options() {
        let args = Args::try_parse_from(["hello", "--broker", "ws://127.0.0.1:8080/ws"]).unwrap();
        assert_eq!(args.options, Options::default());
    }

    #[tokio::test]
    async fn a_rate_or_number_of_responders_out_of_range_is_refused_with_the_range() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = run(Options { rate: Some(rate), ..Options::default() }, pending()).await.unwrap_err();
            assert!(error.to_string().contains("from 0.001 to 100000"), "{error}");
        }
        for devices in [0, DEVICES_MAX + 1] {
            let error = run(Options { devices, ..Options::default() }, pending()).await.unwrap_err();
            assert!(error.to_string().contains("1 to 50"), "{error}");
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
