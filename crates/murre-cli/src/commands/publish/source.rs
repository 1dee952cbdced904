//! Where the payloads of `murre pub` come from, and how fast.

use std::io::{BufRead, Read};

use bytes::Bytes;
use tokio::{
    sync::mpsc,
    time::{self, Interval, MissedTickBehavior},
};

use crate::{args::Rate, failure::Failure, payload::PayloadFormat};

/// The longest line of standard input. A broker takes less by default; this bounds memory.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Lines read ahead.
const LINES_AHEAD: usize = 64;

/// Payloads, one after the other.
pub(super) struct Source {
    kind: Kind,
    /// How many are still wanted; none: all there are.
    left: Option<u64>,
}

enum Kind {
    Repeated(Bytes),
    Lines { lines: mpsc::Receiver<Result<Vec<u8>, String>>, format: PayloadFormat, number: u64 },
}

impl Source {
    /// `payload` again and again, `count` times.
    pub(super) fn repeated(payload: Bytes, count: Option<u64>) -> Self {
        Self { kind: Kind::Repeated(payload), left: count }
    }

    /// The lines of standard input, at most `count`.
    pub(super) fn standard_input(format: PayloadFormat, count: Option<u64>) -> Self {
        Self::lines(|| std::io::stdin().lock(), format, count)
    }

    fn lines<R: BufRead>(
        open: impl FnOnce() -> R + Send + 'static,
        format: PayloadFormat,
        count: Option<u64>,
    ) -> Self {
        let (sender, lines) = mpsc::channel(LINES_AHEAD);
        // A thread of its own: a read that waits for a person must not keep the program from ending.
        std::thread::spawn(move || read_lines(open(), &sender));
        Self { kind: Kind::Lines { lines, format, number: 0 }, left: count }
    }

    /// The next payload; none at the end. Cancellation safe.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.left == Some(0) {
            return Ok(None);
        }
        let next = match &mut self.kind {
            Kind::Repeated(payload) => Some(payload.clone()),
            Kind::Lines { lines, format, number } => next_line(lines, *format, number).await?,
        };
        if next.is_some() {
            self.left = self.left.map(|left| left - 1);
        }
        Ok(next)
    }
}

async fn next_line(
    lines: &mut mpsc::Receiver<Result<Vec<u8>, String>>,
    format: PayloadFormat,
    number: &mut u64,
) -> Result<Option<Bytes>, Failure> {
    while let Some(line) = lines.recv().await {
        *number += 1;
        let in_line = |what: String| Failure::Failed(format!("standard input, line {number}: {what}"));
        let line = line.map_err(in_line)?;
        if format.skips_blank() && line.trim_ascii().is_empty() {
            continue;
        }
        return match format.payload(line) {
            Ok(payload) => Ok(Some(payload.into())),
            Err(error) => Err(in_line(error.to_string())),
        };
    }
    Ok(None)
}

fn read_lines(mut input: impl BufRead, sender: &mpsc::Sender<Result<Vec<u8>, String>>) {
    loop {
        let mut line = Vec::new();
        let line = match input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(bytes) if bytes as u64 == LINE_BYTES_MAX => {
                Err(format!("more than {LINE_BYTES_MAX} bytes without a line end"))
            }
            Ok(_) => Ok(without_line_end(line)),
            Err(error) => Err(error.to_string()),
        };
        let is_over = line.is_err();
        if sender.blocking_send(line).is_err() || is_over {
            return;
        }
    }
}

fn without_line_end(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    line
}

/// Lets payloads through at a rate.
pub(super) struct Pacer {
    interval: Option<Interval>,
    is_due: bool,
}

impl Pacer {
    /// Without a rate everything goes at once. Payloads that come late don't make the next ones come faster.
    pub(super) fn new(rate: Option<Rate>) -> Self {
        let interval = rate.map(|rate| {
            let mut interval = time::interval(rate.interval());
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Self { interval, is_due: false }
    }

    /// The next payload, when it is due. Cancellation safe.
    pub(super) async fn next(&mut self, source: &mut Source) -> Result<Option<Bytes>, Failure> {
        if let Some(interval) = &mut self.interval
            && !self.is_due
        {
            interval.tick().await;
            self.is_due = true;
        }
        let payload = source.next().await?;
        self.is_due = false;
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    async fn all(mut source: Source) -> Result<Vec<Bytes>, String> {
        let mut payloads = Vec::new();
        while let Some(payload) = source.next().await.map_err(|error| error.to_string())? {
            payloads.push(payload);
        }
        Ok(payloads)
    }

    fn lines(text: &'static str, format: PayloadFormat, count: Option<u64>) -> Source {
        Source::lines(move || Cursor::new(text), format, count)
    }

    #[tokio::test]
    async fn each_line_is_a_payload() {
        let payloads = all(lines("1\r\n\n{\"a\": 2}", PayloadFormat::Json, None)).await.unwrap();
        assert_eq!(payloads, ["1", "{\"a\": 2}"]);
        let payloads = all(lines("a\n\nb\n", PayloadFormat::Text, Some(2))).await.unwrap();
        assert_eq!(payloads, ["a", ""]);
    }

    #[tokio::test]
    async fn a_wrong_line_is_named_by_its_number() {
        let error = all(lines("1\n\nx\n", PayloadFormat::Json, None)).await.unwrap_err();
        assert!(error.starts_with("standard input, line 3: the payload 'x' is not JSON"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_paces_the_payloads() {
        let start = time::Instant::now();
        let mut pacer = Pacer::new(Some(Rate { per_second: 4.0 }));
        let mut source = Source::repeated(Bytes::from_static(b"1"), Some(9));
        while pacer.next(&mut source).await.unwrap().is_some() {}
        // Nine payloads have eight intervals between them; one more passes before the end is seen.
        assert_eq!(start.elapsed().as_millis(), 2250);
    }
}
