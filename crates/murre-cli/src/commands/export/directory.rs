//! From a store that no broker has open.

use std::path::Path;

use murre_core::log::KeepRules;
use murre_protocol::{
    Codec, Position, Timestamp,
    packet::{BrokerPacket, Message, MessageOptions},
};
use murre_store::{Archived, Damage};

use super::{Exported, Wanted};
use crate::{commands::store::open, failure::Failure, lines, output::Output};

/// How much of what can't be read is named.
const NAMED_MAX: u64 = 20;
const UNREADABLE: &str = "the record is no message";

/// Writes the messages of all shards, merged by their times.
pub(super) fn export(
    path: &Path,
    wanted: &Wanted,
    output: &mut Output,
    exported: &mut Exported,
) -> Result<(), Failure> {
    let archive = open(path, KeepRules::default())?;
    let mut shards: Vec<_> = (0..archive.shards()).map(|shard| Shard::new(archive.records(shard))).collect();
    let (mut line, mut packet, mut expired) = (Vec::new(), Vec::new(), 0);
    while let Some(first) = shards.iter_mut().filter(|shard| shard.head.is_some()).min_by_key(|s| s.order()) {
        let Some(record) = first.next() else { break };
        if !wanted.wants(&record) {
            continue;
        }
        if record.expires.is_some_and(|at| at <= wanted.now) {
            expired += 1;
            continue;
        }
        let Some(message) = message(&record, &mut packet) else {
            first.lose(Damage {
                shard: record.position.shard(),
                offset: record.position.offset(),
                what: UNREADABLE.into(),
            });
            continue;
        };
        line.clear();
        lines::write(&message, &mut line);
        output.line(String::from_utf8_lossy(&line).trim_end())?;
        exported.messages += 1;
    }
    if expired > 0 {
        exported.notes.push(format!("{expired} messages had expired and are left out"));
    }
    let damages: Vec<&Damage> = shards.iter().flat_map(|shard| &shard.damages).collect();
    exported.notes.extend(damages.iter().map(ToString::to_string));
    let in_the_middle = archive.journal().iter().filter(|damage| damage.is_in_the_middle).count() as u64;
    let damaged = shards.iter().map(|shard| shard.damaged).sum::<u64>() + in_the_middle;
    if damaged > 0 {
        let path = path.display();
        exported.incomplete = Some(format!(
            "{damaged} parts of the store could not be read, and what they held is missing; murre store check \
             {path} says more"
        ));
    }
    Ok(())
}

impl Wanted {
    fn wants(&self, record: &Archived) -> bool {
        self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
            && self.filter.matches_text(&record.topic)
    }
}

/// One shard's records, with the next one at hand.
struct Shard<R> {
    records: R,
    head: Option<Archived>,
    damages: Vec<Damage>,
    damaged: u64,
}

impl<R: Iterator<Item = Result<Archived, Damage>>> Shard<R> {
    fn new(records: R) -> Self {
        let mut shard = Self { records, head: None, damages: Vec::new(), damaged: 0 };
        shard.next();
        shard
    }

    fn order(&self) -> Option<(Timestamp, Position)> {
        self.head.as_ref().map(|record| (record.time, record.position))
    }

    fn lose(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damaged <= NAMED_MAX {
            self.damages.push(damage);
        }
    }

    /// The record at hand, with the next one in its place.
    fn next(&mut self) -> Option<Archived> {
        let next = loop {
            match self.records.next() {
                Some(Err(damage)) => self.lose(damage),
                Some(Ok(record)) => break Some(record),
                None => break None,
            }
        };
        std::mem::replace(&mut self.head, next)
    }
}

/// The message of a record, with `retain` where it was published so. It borrows from `packet`.
fn message<'a>(record: &Archived, packet: &'a mut Vec<u8>) -> Option<Message<'a>> {
    packet.clear();
    Codec::MessagePack.message_head(0, record.has_options, packet);
    packet.extend_from_slice(&record.tail);
    let Ok(Some((BrokerPacket::Message { mut message, .. }, _))) =
        Codec::MessagePack.broker_packet(packet, usize::MAX)
    else {
        return None;
    };
    if record.retain {
        message.options.get_or_insert_with(|| Box::new(MessageOptions::default())).retain = true;
    }
    Some(message)
}
