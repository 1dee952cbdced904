//! Kept sessions, between the hubs, the records of their clients and the shards that keep messages for them.

use murre_protocol::{ClientId, Position};

use super::Embedded;
use crate::{
    engine::{EngineInput, HubInput, Outputs},
    ids::SessionAddress,
    kept::{KeepInput, KeepReport, KeptAnswer, KeptRequest},
    log::LogRefusal,
    now::{Now, Tick},
};

/// How long after a failure of the log the values of sessions are written again.
const WRITE_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

impl Embedded {
    /// A hub asks for something for a client's kept session.
    pub(super) fn kept_request(
        &mut self,
        now: Now,
        client: &ClientId,
        session: SessionAddress,
        request: KeptRequest,
        out: &mut Outputs,
    ) {
        let workers = self.placement.all_workers().fold(0, |set, worker| set | worker.bit());
        let broker = (self.placement.shards, workers);
        self.with_clients(client, |clients, events| {
            clients.request(client, session, request, broker, events)
        });
        self.pass_events(now, out);
    }

    /// Shards report to the record of a client.
    pub(super) fn kept_report(&mut self, now: Now, report: KeepReport, out: &mut Outputs) {
        let shard = match &report {
            KeepReport::Begun(id, ..) | KeepReport::Cut { id, .. } => id.session.shard,
            KeepReport::Debts(debts) => match debts.first() {
                Some((id, ..)) => id.session.shard,
                None => return,
            },
        };
        self.with_clients_of(shard, |clients, events| clients.report(report, events));
        self.pass_events(now, out);
    }

    /// Tells the shards that something concerns.
    pub(super) fn tell_shards(&mut self, input: KeepInput, out: &mut Outputs) {
        let worker = |position: &Position| self.placement.worker(position.shard());
        let concerned = match &input {
            KeepInput::Begin(..) | KeepInput::End(_) => u64::MAX,
            KeepInput::Acknowledged(_, positions) => {
                positions.iter().fold(0, |set, position| set | worker(position).bit())
            }
            KeepInput::Cut(_, shard, _) => self.placement.worker(*shard).bit(),
        };
        for worker in self.placement.all_workers().filter(|worker| concerned & worker.bit() != 0) {
            out.engine(worker, EngineInput::Keep(input.clone()));
        }
    }

    /// Tells a hub something when all that is on its way into the log is committed.
    pub(super) fn tell_committed(
        &mut self,
        client: ClientId,
        session: SessionAddress,
        answer: KeptAnswer,
        out: &mut Outputs,
    ) {
        if self.logging.gate() == 0 {
            out.hub(session.worker, HubInput::Kept(session.key, answer));
        } else {
            self.logging.waits().kept.push((client, session, answer));
        }
    }

    /// A batch was committed, or never will be: what hubs wait for.
    pub(super) fn tell_kept(
        &mut self,
        now: Now,
        waiting: Vec<(ClientId, SessionAddress, KeptAnswer)>,
        failed: Option<LogRefusal>,
        out: &mut Outputs,
    ) {
        for (client, session, mut answer) in waiting {
            self.with_clients(&client, |clients, events| {
                answer = clients.written(&client, answer.clone(), failed, events);
            });
            out.hub(session.worker, HubInput::Kept(session.key, answer));
            self.pass_events(now, out);
        }
    }

    /// Writes the values of kept sessions again that a failed batch had.
    pub(super) fn write_again(&mut self, now: Now) {
        if self.write_again_at.is_none_or(|due| due > now.tick) {
            return;
        }
        self.write_again_at = None;
        for client in std::mem::take(&mut self.unwritten) {
            self.with_clients(&client, |clients, events| clients.rewrite(&client, events));
        }
    }

    /// Notes that the values of these clients' kept sessions were not written.
    pub(super) fn not_written(&mut self, now: Now, clients: Vec<ClientId>) {
        if !clients.is_empty() {
            self.unwritten.extend(clients);
            self.write_again_at.get_or_insert(now.tick + WRITE_AGAIN);
        }
    }

    /// When [`write_again`](Self::write_again) has something to do.
    pub(super) fn write_again_due(&self) -> Option<Tick> {
        self.write_again_at
    }
}
