//! What a worker's shards keep for sessions: which messages, how much each session owes, and from where on the log has
//! to hold what no rule does.

use std::collections::{BTreeSet, VecDeque};

use hashbrown::HashMap;
use murre_protocol::{Position, TopicFilter};
use slab::Slab;

use super::{Embedded, Interest};
use crate::{
    engine::{EngineInput, Outputs},
    ids::{KeptId, KeptSessionId, WorkerId},
    kept::{Debt, KeepInput, KeepReport, Restored},
    log::{LogCommand, NeedChange, NeedChanges},
    now::{Now, Tick},
    placement::Placement,
    shard::Shard,
};

/// What a session may owe is counted in so many steps: each is reported, and messages make room in such lumps.
const STEPS: u64 = 64;
/// How long the log holds at least what was acknowledged, so that it isn't told of each acknowledgement.
const FLOORS_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// What one worker's shards keep.
#[derive(Debug)]
pub(super) struct Keeping {
    /// How many shards there are.
    shards: usize,
    /// The worker's own, by place.
    numbers: Vec<u8>,
    /// A lump.
    step: Debt,
    kept: Slab<Kept>,
    by_id: HashMap<KeptId, u32>,
    sessions: HashMap<KeptSessionId, Owed>,
    /// Sessions that owe so much more or less than was reported that it is time to.
    unreported: Vec<KeptSessionId>,
    /// Subscriptions that may need something else of the log than it was told.
    changed: Vec<u32>,
    /// What is needed no more, of subscriptions that ended.
    ended: Vec<NeedChange>,
    /// What the log was told that it has to hold, by shard; none before it was told.
    floors: Option<Vec<u64>>,
    /// When it is to be told anew.
    floors_due: Option<Tick>,
}

/// A subscription.
#[derive(Debug)]
struct Kept {
    id: KeptId,
    filter: TopicFilter<'static>,
    /// By place of the worker's shards.
    shards: Vec<InShard>,
    /// Whether it is among those that the log is to be told of.
    listed: bool,
}

/// A subscription in one shard.
#[derive(Debug, Default)]
struct InShard {
    /// Up to there all was acknowledged.
    cursor: u64,
    /// The last message that matches.
    newest: u64,
    debt: Debt,
    lumps: VecDeque<Lump>,
    /// Whether the debt has changed since it was reported.
    changed: bool,
    /// What the log was told: it has to hold what lies past this.
    told: Option<u64>,
}

/// Messages that are let go of together.
#[derive(Debug)]
struct Lump {
    /// It lies behind this offset.
    behind: u64,
    last: u64,
    /// How far behind it each message lies; none where an earlier process has counted them.
    distances: Vec<u32>,
    debt: Debt,
}

/// A session, as far as this worker's shards know.
#[derive(Debug, Default)]
struct Owed {
    kept: BTreeSet<u32>,
    now: Debt,
    reported: Debt,
    listed: bool,
}

impl Keeping {
    pub(super) fn new(worker: WorkerId, placement: &Placement, debt_max: Debt, outlives: bool) -> Self {
        let step = debt_max.part(STEPS);
        let step = Debt { messages: step.messages.max(1), bytes: step.bytes.max(1) };
        Self {
            shards: usize::from(placement.shards),
            numbers: placement.shards_of(worker).collect(),
            step,
            kept: Slab::new(),
            by_id: HashMap::new(),
            sessions: HashMap::new(),
            unreported: Vec::new(),
            changed: Vec::new(),
            ended: Vec::new(),
            floors: None,
            // a log that outlives the process deletes nothing until it is told what sessions need
            floors_due: outlives.then_some(Tick(0)),
        }
    }

    /// How many subscriptions are kept for.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    fn begin(&mut self, id: KeptId, filter: TopicFilter<'static>, shards: Vec<InShard>) -> u32 {
        let owed = self.sessions.entry(id.session).or_default();
        for shard in &shards {
            owed.now.add(shard.debt);
            owed.reported.add(shard.debt);
        }
        let place = self.kept.insert(Kept { id, filter, shards, listed: true }) as u32;
        self.changed.push(place);
        owed.kept.insert(place);
        self.by_id.insert(id, place);
        place
    }

    fn end(&mut self, id: KeptId) -> Option<(u32, TopicFilter<'static>)> {
        let place = self.by_id.remove(&id)?;
        let kept = self.kept.try_remove(place as usize)?;
        if let Some(owed) = self.sessions.get_mut(&id.session) {
            owed.kept.remove(&place);
            for shard in &kept.shards {
                owed.now.sub(shard.debt);
                owed.reported.sub(shard.debt);
            }
            if owed.kept.is_empty() {
                self.sessions.remove(&id.session);
            }
        }
        for (at, _) in kept.shards.iter().enumerate().filter(|(_, shard)| shard.told.is_some()) {
            let (filter, shard) = (kept.filter.clone(), self.numbers.get(at).copied().unwrap_or_default());
            self.ended.push(NeedChange { id, filter, shard, floor: None });
        }
        Some((place, kept.filter))
    }

    /// A message was taken that these subscriptions want.
    pub(super) fn owe(&mut self, who: &[u32], shard: usize, position: Position, bytes: usize) {
        let more = Debt { messages: 1, bytes: bytes as u64 };
        for place in who {
            let Some(kept) = self.kept.get_mut(*place as usize) else { continue };
            let Some(in_shard) = kept.shards.get_mut(shard) else { continue };
            in_shard.owe(position.offset(), more, self.step);
            self.change(*place, |owed| owed.add(more));
        }
    }

    /// Everything up to a position was acknowledged; or it has to make room.
    fn settle(&mut self, id: KeptId, shard: usize, offset: u64) {
        let Some(&place) = self.by_id.get(&id) else { return };
        let Some(kept) = self.kept.get_mut(place as usize) else { return };
        let Some(in_shard) = kept.shards.get_mut(shard) else { return };
        let gone = in_shard.settle(offset);
        self.change(place, |owed| owed.sub(gone));
    }

    /// A subscription owes more or less: the log may have to be told, and the record of its client.
    fn change(&mut self, place: u32, act: impl FnOnce(&mut Debt)) {
        let Some(kept) = self.kept.get_mut(place as usize) else { return };
        if !std::mem::replace(&mut kept.listed, true) {
            self.changed.push(place);
        }
        let session = kept.id.session;
        let Some(owed) = self.sessions.get_mut(&session) else { return };
        act(&mut owed.now);
        if owed.has_changed_much(self.step) && !std::mem::replace(&mut owed.listed, true) {
            self.unreported.push(session);
        }
    }

    /// What has to be reported of a session.
    fn debts(&mut self, session: KeptSessionId) -> Vec<(KeptId, u8, Debt)> {
        let Some(owed) = self.sessions.get_mut(&session) else { return Vec::new() };
        owed.listed = false;
        owed.reported = owed.now;
        let mut changes = Vec::new();
        for place in &owed.kept {
            let Some(kept) = self.kept.get_mut(*place as usize) else { continue };
            for (shard, number) in kept.shards.iter_mut().zip(&self.numbers) {
                if std::mem::take(&mut shard.changed) {
                    changes.push((kept.id, *number, shard.debt));
                }
            }
        }
        changes
    }

    /// From where on each of this worker's shards has to hold everything; of others it knows nothing. What comes next
    /// is needed before anyone can say so.
    fn floors_of(&self, shards: &[Shard]) -> Vec<u64> {
        let mut floors = vec![u64::MAX; self.shards];
        for shard in shards.iter().filter(|_| !self.kept.is_empty()) {
            if let Some(floor) = floors.get_mut(usize::from(shard.number())) {
                *floor = shard.position().offset();
            }
        }
        floors
    }

    /// What single subscriptions need before that, as far as the log was not told.
    fn need_changes(&mut self) -> NeedChanges {
        let mut changes = std::mem::take(&mut self.ended);
        for place in std::mem::take(&mut self.changed) {
            let Some(kept) = self.kept.get_mut(place as usize) else { continue };
            kept.listed = false;
            let Kept { id, filter, shards, .. } = kept;
            for (shard, number) in shards.iter_mut().zip(&self.numbers) {
                let floor = (shard.newest > shard.cursor).then_some(shard.cursor);
                if std::mem::replace(&mut shard.told, floor) != floor {
                    changes.push(NeedChange { id: *id, filter: filter.clone(), shard: *number, floor });
                }
            }
        }
        NeedChanges { afresh: self.floors.is_none(), changes }
    }
}

impl Owed {
    /// Whether it is more than a step away from what was reported.
    fn has_changed_much(&self, step: Debt) -> bool {
        let is_far_past = |more: Debt, mut less: Debt| {
            less.add(step);
            more.is_past(less)
        };
        is_far_past(self.now, self.reported) || is_far_past(self.reported, self.now)
    }
}

impl Lump {
    /// What of it lies up to an offset is owed no more. Its bytes are taken to be the same for each message.
    fn settle(&mut self, offset: u64) -> Debt {
        let passed = self.distances.partition_point(|distance| self.behind + u64::from(*distance) <= offset);
        self.distances.drain(..passed);
        let messages = passed as u64;
        let part = Debt { messages, bytes: self.debt.bytes / self.debt.messages.max(1) * messages };
        self.debt.sub(part);
        part
    }
}

impl InShard {
    fn owe(&mut self, offset: u64, more: Debt, step: Debt) {
        let behind = self.newest.max(self.cursor);
        self.newest = offset;
        self.debt.add(more);
        self.changed = true;
        let small = |lump: &&mut Lump| {
            let counted = lump.distances.len() as u64 == lump.debt.messages;
            counted && lump.debt.messages < step.messages && lump.debt.bytes < step.bytes
        };
        let last = self.lumps.back_mut().filter(small);
        if let Some(lump) = last
            && let Ok(distance) = u32::try_from(offset - lump.behind)
        {
            lump.last = offset;
            lump.debt.add(more);
            lump.distances.push(distance);
        } else {
            let distances = u32::try_from(offset - behind).into_iter().collect();
            self.lumps.push_back(Lump { behind, last: offset, distances, debt: more });
        }
    }

    /// Everything up to an offset was acknowledged. Says what is owed no more.
    fn settle(&mut self, offset: u64) -> Debt {
        self.cursor = self.cursor.max(offset);
        let mut gone = Debt::default();
        while let Some(lump) = self.lumps.pop_front_if(|lump| lump.last <= self.cursor) {
            gone.add(lump.debt);
        }
        if let Some(lump) = self.lumps.front_mut() {
            gone.add(lump.settle(self.cursor));
        }
        self.debt.sub(gone);
        self.changed |= gone != Debt::default();
        gone
    }

    /// The oldest, so much at least: up to where, and how much that is. None where nothing is owed.
    fn oldest(&self, room: Debt) -> Option<(u64, Debt)> {
        let mut oldest = Debt::default();
        let mut lumps = self.lumps.iter();
        let enough = lumps.find(|lump| {
            oldest.add(lump.debt);
            oldest.messages >= room.messages && oldest.bytes >= room.bytes
        });
        enough.or(self.lumps.back()).map(|lump| (lump.last, oldest))
    }
}

impl Embedded {
    /// Goes on keeping for the sessions that an earlier process has kept.
    pub(super) fn restore_kept(&mut self, now: Now, restored: &Restored) {
        for of in &restored.sessions {
            if self.placement.worker(of.shard) == self.worker {
                let place = self.place(of.shard);
                if let Some(shard) = self.shards.get_mut(place) {
                    shard.clients.restore(now, of);
                    self.counters.kept_sessions.add(1);
                }
            }
            for (sub, subscription) in &of.session.subscriptions {
                let in_shards = self.shards.iter().map(|shard| {
                    let state =
                        subscription.shards.get(usize::from(shard.number())).copied().unwrap_or_default();
                    let newest = shard.position().offset();
                    // what an earlier process has counted is let go of together
                    let debt = if newest > state.cursor.kept { state.debt } else { Debt::default() };
                    let lumps = (debt != Debt::default()).then_some(Lump {
                        behind: state.cursor.kept,
                        last: newest,
                        distances: Vec::new(),
                        debt,
                    });
                    InShard {
                        cursor: state.cursor.kept,
                        newest,
                        debt,
                        lumps: lumps.into_iter().collect(),
                        changed: true,
                        told: None,
                    }
                });
                let (id, in_shards) = (of.session.kept_id(*sub, subscription), in_shards.collect());
                let place = self.keeping.begin(id, subscription.filter.clone(), in_shards);
                self.interest.insert(&subscription.filter, Interest::Kept(place));
            }
        }
    }

    /// The record of a client wants something of this worker's shards.
    pub(super) fn keep(&mut self, now: Now, input: KeepInput, out: &mut Outputs) {
        match input {
            KeepInput::Begin(id, filter) => {
                self.generation += 1;
                let at = |shard: &Shard| {
                    let offset = shard.position().offset();
                    InShard { cursor: offset, newest: offset, ..InShard::default() }
                };
                let in_shards = self.shards.iter().map(at).collect();
                let place = self.keeping.begin(id, filter.clone(), in_shards);
                self.interest.insert(&filter, Interest::Kept(place));
                if self.keeping.len() == 1 {
                    // before it is owed anything
                    self.tell_floors(out);
                }
                let positions = self.shards.iter().map(Shard::position).collect();
                self.report(id.session.shard, KeepReport::Begun(id, self.worker, positions), out);
            }
            KeepInput::End(ids) => {
                self.generation += 1;
                for (place, filter) in ids.into_iter().filter_map(|id| self.keeping.end(id)) {
                    self.interest.remove(&filter, &Interest::Kept(place));
                }
                self.floors_change(now);
            }
            KeepInput::Acknowledged(id, positions) => {
                for position in positions {
                    if self.placement.worker(position.shard()) == self.worker {
                        let place = self.place(position.shard());
                        self.keeping.settle(id, place, position.offset());
                    }
                }
                self.floors_change(now);
                self.report_debts(out);
            }
            KeepInput::Cut(id, shard, room) => self.cut(id, shard, room, out),
        }
    }

    /// The oldest messages are to make room. They do so when the record of the client has noted it, since it has to be
    /// known that they did.
    fn cut(&self, id: KeptId, number: u8, room: Debt, out: &mut Outputs) {
        let kept = self.keeping.by_id.get(&id).and_then(|at| self.keeping.kept.get(*at as usize));
        let Some(in_shard) = kept.and_then(|kept| kept.shards.get(self.place(number))) else { return };
        let (offset, gone) = in_shard.oldest(room).unwrap_or((in_shard.cursor, Debt::default()));
        let mut left = in_shard.debt;
        left.sub(gone);
        self.counters.session_dropped.add(gone.messages);
        let (position, messages) = (Position::new(offset, number), gone.messages);
        self.report(id.session.shard, KeepReport::Cut { id, position, messages, left }, out);
    }

    fn report(&self, shard: u8, report: KeepReport, out: &mut Outputs) {
        out.engine(self.placement.worker(shard), EngineInput::Report(report));
    }

    /// Reports what sessions owe, where that has changed much.
    pub(super) fn report_debts(&mut self, out: &mut Outputs) {
        while let Some(session) = self.keeping.unreported.pop() {
            let changes = self.keeping.debts(session);
            if !changes.is_empty() {
                self.report(session.shard, KeepReport::Debts(changes), out);
            }
        }
    }

    fn floors_change(&mut self, now: Now) {
        self.keeping.floors_due.get_or_insert(now.tick + FLOORS_EVERY);
    }

    /// When the log is to be told what it has to hold.
    pub(super) fn floors_due(&self) -> Option<Tick> {
        self.keeping.floors_due
    }

    /// Tells the log what it has to hold, if it is time to.
    pub(super) fn renew_floors(&mut self, now: Now, out: &mut Outputs) {
        if self.keeping.floors_due.is_some_and(|due| due <= now.tick) {
            self.tell_floors(out);
        }
    }

    fn tell_floors(&mut self, out: &mut Outputs) {
        self.keeping.floors_due = None;
        let (worker, floors) = (self.worker, self.keeping.floors_of(&self.shards));
        let needs = self.keeping.need_changes();
        if !needs.changes.is_empty() || self.keeping.floors.as_ref() != Some(&floors) {
            out.log.push(LogCommand::Floors { worker, floors: floors.clone(), needs });
            self.keeping.floors = Some(floors);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Debt = Debt { messages: 10, bytes: u64::MAX };

    fn owing(messages: u64) -> InShard {
        let mut shard = InShard::default();
        (1..=messages).for_each(|n| shard.owe(n * 2, Debt { messages: 1, bytes: 5 }, STEP));
        shard
    }

    #[test]
    fn what_is_acknowledged_is_owed_no_more() {
        let mut shard = owing(25);
        let left: Vec<u64> =
            [2, 20, 31, 50].map(|offset| (shard.settle(offset), shard.debt.messages).1).into();
        assert_eq!(left, [24, 15, 10, 0]);
        assert!(shard.lumps.is_empty() && shard.debt == Debt::default());
    }

    #[test]
    fn the_oldest_lumps_make_room() {
        let mut shard = owing(25);
        let oldest = shard.oldest(Debt { messages: 12, bytes: 0 });
        assert_eq!(oldest, Some((40, Debt { messages: 20, bytes: 100 })));
        assert_eq!((shard.settle(40).messages, shard.debt.messages), (20, 5));
        assert_eq!(InShard::default().oldest(STEP), None);
    }
}
