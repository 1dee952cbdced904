//! What happens to kept sessions while their clients are there: subscriptions come and go, messages are acknowledged,
//! and what is owed past the limits makes room.

use std::collections::VecDeque;

use murre_protocol::{ClientId, Position};

use super::{ClientEvent, Clients};
use crate::{
    ids::{KeptId, SessionAddress, WorkerId},
    kept::{
        Acknowledged, Begins, Change, Cursor, Debt, KeepInput, KeepReport, KeptAnswer, KeptRequest,
        KeptSession, KeptStage, KeptSubscription, ShardState,
    },
    log::LogRefusal,
};

/// The largest part of a session's debt makes room for this part of what it may owe at once.
const CUT_PARTS: u64 = 16;

impl Clients {
    /// A hub asks for something for a client that is connected to it. One that is connected elsewhere by now is not
    /// asked for.
    pub fn request(
        &mut self,
        client: &ClientId,
        session: SessionAddress,
        request: KeptRequest,
        (shards, workers): (u8, u64),
        out: &mut VecDeque<ClientEvent>,
    ) {
        let Some(record) = self.records.get_mut(client).filter(|record| record.online == Some(session))
        else {
            return;
        };
        let Some(kept) = record.kept.as_deref_mut() else { return };
        match request {
            KeptRequest::Subscribe { sub, filter, begins, after, view, serial } => {
                kept.numbers += 1;
                let subscription = KeptSubscription {
                    number: kept.numbers,
                    filter: filter.clone(),
                    begins,
                    shards: vec![ShardState::default(); usize::from(shards)],
                    limited: 0,
                    view,
                    stage: KeptStage::Announced { left: workers, serial, after },
                };
                let id = kept.kept_id(sub, &subscription);
                kept.subscriptions.insert(sub, subscription);
                out.push_back(ClientEvent::Keep(KeepInput::Begin(id, filter)));
            }
            KeptRequest::Change { sub, view } => {
                let Some(subscription) = kept.subscriptions.get_mut(&sub) else { return };
                let before = std::mem::replace(&mut subscription.view, view);
                if !matches!(subscription.stage, KeptStage::Announced { .. }) {
                    let change = Change::subscription(client, sub, Some(subscription));
                    out.push_back(ClientEvent::Changed(change));
                }
                let (client, answer) = (client.clone(), KeptAnswer::Changed { sub, before });
                out.push_back(ClientEvent::Answer { client, session, answer });
            }
            KeptRequest::Unsubscribe { sub } => {
                end_subscription(client, kept, sub, out);
                out.push_back(ClientEvent::Answer {
                    client: client.clone(),
                    session,
                    answer: KeptAnswer::Gone { sub },
                });
            }
            KeptRequest::Acknowledge(acknowledged) => {
                for acknowledged in acknowledged {
                    acknowledge(client, kept, acknowledged, out);
                }
            }
        }
    }

    /// Shards report.
    pub fn report(&mut self, report: KeepReport, out: &mut VecDeque<ClientEvent>) {
        match report {
            KeepReport::Begun(id, worker, positions) => self.begun(id, worker, &positions, out),
            KeepReport::Debts(debts) => {
                for (id, shard, debt) in debts {
                    self.owes(id, shard, debt, out);
                }
            }
            KeepReport::Cut { id, position, messages, left } => self.cut(id, position, messages, left, out),
        }
    }

    /// Shards of one worker keep what matches a subscription. When all do, it is written.
    fn begun(
        &mut self,
        id: KeptId,
        worker: WorkerId,
        positions: &[Position],
        out: &mut VecDeque<ClientEvent>,
    ) {
        let Some((client, session, kept)) = self.kept_session(id) else { return };
        let sub = id.sub;
        let Some(subscription) = kept.of_id(id) else { return };
        let KeptStage::Announced { left, serial, after } = &mut subscription.stage else { return };
        for position in positions {
            let shard = usize::from(position.shard());
            let Some(state) = subscription.shards.get_mut(shard) else { continue };
            let after = after.as_ref().and_then(|after| after.get(shard)).map(|after| after.offset());
            state.cursor = match subscription.begins {
                Begins::Live => {
                    Cursor::at(after.map_or(position.offset(), |after| after.min(position.offset())))
                }
                _ => Cursor { kept: position.offset(), begun: 0 },
            };
        }
        *left &= !worker.bit();
        if *left > 0 {
            return;
        }
        let serial = *serial;
        subscription.stage = KeptStage::Writing;
        let cursors = subscription.cursors();
        out.push_back(ClientEvent::Changed(Change::subscription(&client, sub, Some(subscription))));
        if let Some(session) = session {
            let answer = KeptAnswer::Kept { sub, serial, cursors };
            out.push_back(ClientEvent::Answer { client, session, answer });
        }
    }

    /// What a hub is told now that its batch was committed, or never will be: a subscription that could not be written
    /// is none, and one whose other view could not has the one before.
    pub fn written(
        &mut self,
        client: &ClientId,
        answer: KeptAnswer,
        failed: Option<LogRefusal>,
        out: &mut VecDeque<ClientEvent>,
    ) -> KeptAnswer {
        let sub = match &answer {
            KeptAnswer::Kept { sub, .. } | KeptAnswer::Changed { sub, .. } => *sub,
            _ => return answer,
        };
        let Some(kept) = self.records.get_mut(client).and_then(|record| record.kept.as_deref_mut()) else {
            return answer;
        };
        match (answer, failed) {
            (KeptAnswer::Kept { serial, .. }, Some(why)) => {
                end_subscription(client, kept, sub, out);
                KeptAnswer::Refused { sub, serial, why }
            }
            (KeptAnswer::Changed { before, .. }, Some(why)) => {
                if let Some(subscription) = kept.subscriptions.get_mut(&sub) {
                    subscription.view = before;
                }
                KeptAnswer::NotChanged { sub, why }
            }
            (answer, _) => {
                let is_new = matches!(answer, KeptAnswer::Kept { .. });
                if let Some(subscription) = kept.subscriptions.get_mut(&sub).filter(|_| is_new) {
                    subscription.stage = KeptStage::Kept;
                }
                answer
            }
        }
    }

    /// The values of a client's kept session as they are now, to be written again after a failure.
    pub fn rewrite(&self, client: &ClientId, out: &mut VecDeque<ClientEvent>) {
        let Some(kept) = self.records.get(client).and_then(|record| record.kept.as_deref()) else { return };
        out.push_back(ClientEvent::Changed(Change::session(client, Some(kept))));
        for (sub, subscription) in &kept.subscriptions {
            let change = Change::subscription(client, *sub, Some(subscription));
            out.push_back(ClientEvent::Changed(change));
        }
    }

    /// Notes what a subscription owes in a shard. Past the session's limits the oldest has to make room.
    fn owes(&mut self, id: KeptId, shard: u8, debt: Debt, out: &mut VecDeque<ClientEvent>) {
        let max = self.limits.session_debt_max;
        let Some((client, _, kept)) = self.kept_session(id) else { return };
        let sub = id.sub;
        let Some(subscription) = kept.of_id(id) else { return };
        let Some(state) = subscription.shards.get_mut(usize::from(shard)) else { return };
        let before = std::mem::replace(&mut state.debt, debt);
        if debt.messages > before.messages && subscription.stage == KeptStage::Kept {
            out.push_back(ClientEvent::Changed(Change::subscription(&client, sub, Some(subscription))));
        }
        kept.debt.sub(before);
        kept.debt.add(debt);
        make_room(kept, max, out);
    }

    /// Shards have let go of the oldest messages of a subscription.
    fn cut(
        &mut self,
        id: KeptId,
        position: Position,
        messages: u64,
        left: Debt,
        out: &mut VecDeque<ClientEvent>,
    ) {
        let max = self.limits.session_debt_max;
        let Some((client, session, kept)) = self.kept_session(id) else { return };
        kept.cutting = None;
        let sub = id.sub;
        let Some(subscription) = kept.of_id(id) else { return };
        let Some(state) = subscription.shards.get_mut(usize::from(position.shard())) else { return };
        state.cursor.pass(position.offset());
        let before = std::mem::replace(&mut state.debt, left);
        subscription.limited += messages;
        if let Some(session) = session.filter(|_| messages > 0) {
            let answer = KeptAnswer::Limited { sub, position, messages };
            out.push_back(ClientEvent::Tell { session, answer });
        }
        out.push_back(ClientEvent::Changed(Change::subscription(&client, sub, Some(subscription))));
        kept.debt.sub(before);
        kept.debt.add(left);
        out.push_back(ClientEvent::Keep(KeepInput::Acknowledged(id, vec![position])));
        make_room(kept, max, out);
    }

    /// Whose session that is, where the client is connected, and the session.
    fn kept_session(&mut self, id: KeptId) -> Option<(ClientId, Option<SessionAddress>, &mut KeptSession)> {
        let client = self.kept.get(&id.session.number)?.clone();
        let record = self.records.get_mut(&client)?;
        let online = record.online;
        record.kept.as_deref_mut().map(|kept| (client, online, kept))
    }
}

/// Takes a subscription out of a session.
fn end_subscription(client: &ClientId, kept: &mut KeptSession, sub: u64, out: &mut VecDeque<ClientEvent>) {
    let Some(subscription) = kept.subscriptions.remove(&sub) else { return };
    for state in &subscription.shards {
        kept.debt.sub(state.debt);
    }
    let id = kept.kept_id(sub, &subscription);
    kept.cutting.take_if(|cutting| *cutting == id);
    out.push_back(ClientEvent::Keep(KeepInput::End(vec![id])));
    out.push_back(ClientEvent::Changed(Change::subscription(client, sub, None)));
}

fn acknowledge(
    client: &ClientId,
    kept: &mut KeptSession,
    acknowledged: Acknowledged,
    out: &mut VecDeque<ClientEvent>,
) {
    let Acknowledged { sub, positions, told } = acknowledged;
    let session = kept.id;
    let Some(subscription) = kept.subscriptions.get_mut(&sub) else { return };
    for position in &positions {
        if let Some(state) = subscription.shards.get_mut(usize::from(position.shard())) {
            state.cursor.pass(position.offset());
        }
    }
    subscription.limited = subscription.limited.saturating_sub(told);
    out.push_back(ClientEvent::Changed(Change::subscription(client, sub, Some(subscription))));
    let id = KeptId { session, sub, number: subscription.number };
    out.push_back(ClientEvent::Keep(KeepInput::Acknowledged(id, positions)));
}

/// Tells the shard to which most is owed to let go of its oldest, where a session owes more than it may.
fn make_room(kept: &mut KeptSession, max: Debt, out: &mut VecDeque<ClientEvent>) {
    if kept.cutting.is_some() || !kept.debt.is_past(max) {
        return;
    }
    // in parts of what is allowed, so that messages and bytes can be compared
    let weight = |debt: Debt| {
        let part = |owed: u64, max: u64| u128::from(owed) * 1_000_000 / u128::from(max.max(1));
        part(debt.messages, max.messages).max(part(debt.bytes, max.bytes))
    };
    let owed = kept.subscriptions.iter().flat_map(|(sub, subscription)| {
        let id = kept.kept_id(*sub, subscription);
        (0_u8..).zip(&subscription.shards).map(move |(shard, state)| (weight(state.debt), id, shard))
    });
    if let Some((weight, id, shard)) = owed.max_by_key(|(weight, ..)| *weight)
        && weight > 0
    {
        kept.cutting = Some(id);
        let room = |owed: u64, max: u64| if owed > max { owed - max + max / CUT_PARTS } else { 0 };
        let messages = room(kept.debt.messages, max.messages);
        let room = Debt { messages, bytes: room(kept.debt.bytes, max.bytes) };
        out.push_back(ClientEvent::Keep(KeepInput::Cut(id, shard, room)));
    }
}
