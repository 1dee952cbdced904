//! Snapshots and history through a view, slice by slice.

use murre_protocol::packet::Message;

use super::{capped_into, into};
use crate::{
    batch::{MessageBatch, MessageEntry},
    engine::Outputs,
    hub::Hub,
    session::{Gate, Stage},
};

impl Hub {
    /// Sends what comes of a slice through a subscription's view; says how many messages that were.
    pub(in crate::hub) fn view_slice(
        &mut self,
        place: u32,
        values: &MessageBatch,
        replayed: impl Fn(&MessageEntry) -> bool,
        out: &mut Outputs,
    ) -> u64 {
        let mut sent = 0;
        self.views.note_gate(Gate { from: values.from, serial: values.gate });
        let mut sending = MessageBatch::new(self.worker);
        for entry in values.entries() {
            if self.falls_behind(place) {
                break;
            }
            if !self.takes_reading(place, entry.position) {
                continue;
            }
            sending.clear();
            self.counters.view_readings.add(1);
            self.offer_of_slice(place, &values.message(entry), &mut sending);
            sent += self.send_slice(place, &sending, replayed(entry), out);
        }
        self.counters.delivered.add(sent);
        sent
    }

    /// Offers a message of a subscription's snapshot or history to the view that it goes through.
    fn offer_of_slice(&mut self, place: u32, message: &Message<'_>, sending: &mut MessageBatch) {
        let Self { subscriptions, views, .. } = self;
        let viewed = subscriptions.get_mut(place as usize).and_then(|s| s.view.as_mut());
        let Some(viewed) = viewed else { return };
        let Some(at_work) = viewed.at_work.and_then(|view| views.get(view)) else { return };
        match &mut viewed.of_snapshot {
            None => at_work.view.offer(message, &mut into(sending)),
            Some(view) => view.offer(message, &mut capped_into(sending, &at_work.view)),
        }
    }

    /// Sends messages of a snapshot or history to its subscription; says how many went.
    pub(super) fn send_slice(
        &mut self,
        place: u32,
        sending: &MessageBatch,
        replayed: bool,
        out: &mut Outputs,
    ) -> u64 {
        let acknowledged = self.subscriptions.get(place as usize).is_some_and(|of| of.ack.is_some());
        let mut sent = 0;
        for entry in sending.entries() {
            let mut run = self.made_by_view(sending, entry);
            let is_sent = if replayed && !acknowledged {
                self.write_to(place, &mut run, 0, out)
            } else {
                self.deliver_to(place, &mut run, 0, out)
            };
            sent += u64::from(is_sent);
        }
        sent
    }

    /// The snapshot or history is through: what its view held back until now is sent, and the positions of CAUGHT_UP
    /// are those up to which nothing is held back.
    pub(in crate::hub) fn end_view_of_snapshot(&mut self, place: u32, out: &mut Outputs) {
        let (now, mut sending) = (self.now.wall, MessageBatch::new(self.worker));
        let Self { subscriptions, views, .. } = self;
        let viewed = subscriptions.get_mut(place as usize).and_then(|s| s.view.as_mut());
        let Some(viewed) = viewed else { return };
        let of_snapshot = viewed.of_snapshot.take();
        let Some(view) = viewed.at_work else { return };
        let Some(at_work) = views.get(view) else { return };
        match of_snapshot {
            Some(of_snapshot) => of_snapshot.send_waiting(&mut capped_into(&mut sending, &at_work.view)),
            None => {
                at_work.catching_up = false;
                at_work.view.due(now, &mut into(&mut sending));
            }
        }
        views.settle(view);
        let sent = self.send_slice(place, &sending, true, out);
        self.counters.delivered.add(sent);
        let Self { subscriptions, views, .. } = self;
        let subscription = subscriptions.get_mut(place as usize);
        let Some(Stage::CatchingUp(catch_up)) = subscription.map(|of| &mut of.stage) else { return };
        catch_up.count += sent;
        for position in &mut catch_up.positions {
            *position = views.cap(view, *position);
        }
    }
}
