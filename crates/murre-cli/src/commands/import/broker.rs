//! Into a running broker, by acknowledged publishes.

use std::{
    io::{self, BufRead},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesOrdered};
use murre_client::{Client, Publish};
use murre_protocol::packet::Message;
use tokio::sync::mpsc;

use super::{Expired, Imported, expiry_left, in_line, lost};
use crate::{
    broker::BrokerFlags,
    commands::{Stop, after, stop_signal},
    failure::Failure,
    lines::{self, Line, Lines},
    time::now,
};

/// Acknowledged publishes that are waited for at a time.
const PENDING_MAX: usize = 512;
/// Lines read ahead.
const LINES_AHEAD: usize = 64;

/// A line with its number.
type Numbered = (u64, io::Result<Vec<u8>>);
/// What the broker says to a line's publish.
type Answer = BoxFuture<'static, (u64, Result<(), Failure>)>;

/// Publishes all lines.
pub(super) async fn import(
    broker: &BrokerFlags,
    timeout: Duration,
    input: Box<dyn BufRead + Send>,
    name: &str,
    imported: &mut Imported,
) -> Result<(), Failure> {
    let mut stop = stop_signal()?;
    let client = broker.connect().await?;
    let (sender, mut lines) = mpsc::channel(LINES_AHEAD);
    // a thread of its own: a read that waits for a person must not keep the program from ending
    std::thread::spawn(move || {
        for line in Lines::new(input) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut importing =
        Importing { client: &client, name, timeout, pending: FuturesOrdered::new(), imported };
    let outcome = importing.all(&mut lines, &mut stop).await;
    // those that are on their way are answered, and counted, also where a line before them failed
    let answered = importing.answers().await;
    client.close().await;
    outcome.and(answered)
}

struct Importing<'a> {
    client: &'a Client,
    name: &'a str,
    timeout: Duration,
    pending: FuturesOrdered<Answer>,
    imported: &'a mut Imported,
}

impl Importing<'_> {
    async fn all(&mut self, lines: &mut mpsc::Receiver<Numbered>, stop: &mut Stop) -> Result<(), Failure> {
        loop {
            let has_room = self.pending.len() < PENDING_MAX;
            tokio::select! {
                biased;
                () = &mut *stop => return Err(Failure::Failed("it was stopped".to_owned())),
                Some(answer) = self.pending.next(), if !self.pending.is_empty() => self.answered(answer)?,
                () = after(Some(self.timeout)), if !has_room => return Err(self.unanswered()),
                line = lines.recv(), if has_room => match line {
                    Some((number, line)) => self.line(number, line).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    async fn line(&mut self, number: u64, line: io::Result<Vec<u8>>) -> Result<(), Failure> {
        let in_line = |what: String| in_line(self.name, number, what);
        let line = line.map_err(|error| in_line(error.to_string()))?;
        let mut scratch = Vec::new();
        match lines::read(&line, &mut scratch).map_err(in_line)? {
            Line::Blank => {}
            Line::Lost(why) => self.imported.notes.push(lost(self.name, number, &why)),
            Line::Message(message) => match expiry_left(&message, now()) {
                Err(Expired) => self.imported.expired += 1,
                Ok(expiry) => {
                    let answer = publish(self.client, &message, expiry).enqueue().await;
                    let answer = answer.map_err(|error| in_line(error.to_string()))?;
                    let answer = answer.map(move |answer| (number, answer.map(drop).map_err(Failure::from)));
                    self.pending.push_back(answer.boxed());
                }
            },
        }
        Ok(())
    }

    fn answered(&mut self, (number, answer): (u64, Result<(), Failure>)) -> Result<(), Failure> {
        answer.map_err(|failure| failure.map(|why| format!("{}, line {number}: {why}", self.name)))?;
        self.imported.took(number);
        Ok(())
    }

    /// Waits for what is on its way.
    async fn answers(&mut self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        while !self.pending.is_empty() {
            tokio::select! {
                Some(answer) = self.pending.next() => outcome = outcome.and(self.answered(answer)),
                () = after(Some(self.timeout)) => return outcome.and(Err(self.unanswered())),
            }
        }
        outcome
    }

    fn unanswered(&self) -> Failure {
        let (pending, timeout) = (self.pending.len(), humantime::format_duration(self.timeout));
        Failure::TimedOut(format!(
            "{pending} messages were sent and not acknowledged within {timeout}: they may have been taken or not"
        ))
    }
}

fn publish(client: &Client, message: &Message<'_>, expiry: Option<u64>) -> Publish {
    let options = message.options.as_deref();
    let time = options.and_then(|options| options.time).unwrap_or(message.time);
    let mut publish = client.publish(message.topic.as_ref()).time(time);
    if let Some(seconds) = expiry {
        publish = publish.expiry(Duration::from_secs(seconds));
    }
    if let Some(options) = options {
        if options.retain {
            publish = publish.retain();
        }
        if let Some(topic) = &options.reply_to {
            publish = publish.reply_to(topic.as_ref());
        }
        if let Some(correlation) = &options.correlation {
            publish = publish.correlation(correlation.to_vec());
        }
        for (key, value) in &options.properties {
            publish = publish.property(key.as_ref(), value.as_ref());
        }
    }
    publish.payload(message.format, message.payload.to_vec())
}
