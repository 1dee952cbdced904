//! What views could not do, told to those who asked for it.

use std::time::Duration;

use murre_protocol::packet::{BrokerPacket, Notice, NoticeKind};
use murre_view::Troubles;

use super::Hub;
use crate::engine::Outputs;

/// How often a subscription is told of readings that its view could not use.
const NOTICE_EVERY: Duration = Duration::from_secs(60);

impl Hub {
    /// Tells a view's members what it could not do, now and then.
    pub(super) fn tell_troubles(&mut self, view: u32, out: &mut Outputs) {
        let now = self.now.tick;
        let Some(at_work) = self.views.get(view).filter(|at_work| at_work.notice_from <= now) else { return };
        let Some(troubles) = at_work.view.take_troubles() else { return };
        at_work.notice_from = now + NOTICE_EVERY;
        let members = at_work.members.clone();
        self.counters.view_unusable.add(troubles.unusable);
        self.counters.view_past_limits.add(troubles.past_limits);
        for (kind, count, reason) in self.notices(&troubles) {
            for place in &members {
                let Some(key) = self.session_of(*place) else { continue };
                let sub = self.subscriptions.get(*place as usize).map(|subscription| subscription.sub);
                let (count, topics, reason) = (Some(count), Vec::new(), reason.as_str().into());
                let notice = Notice { kind, sub, count, topics, reason, code: None };
                self.send(key, &BrokerPacket::Notice(Box::new(notice)), out);
            }
        }
    }

    fn notices(&self, troubles: &Troubles) -> Vec<(NoticeKind, u64, String)> {
        let mut notices = Vec::new();
        if troubles.left_out > 0
            && let Some((topic, why)) = &troubles.first
        {
            let reason = format!("the view left out readings that it can't use; the first on {topic}: {why}");
            notices.push((NoticeKind::Degraded, troubles.left_out, reason));
        }
        if troubles.past_limits > 0 {
            let (topics, bytes) = (self.limits.view_topics_max, self.limits.view_bytes_max);
            let reason = format!(
                "the view left out readings since it holds as much as it may: limits.view_topics_max is {topics}, \
                 limits.view_bytes_max {bytes}"
            );
            notices.push((NoticeKind::Limited, troubles.past_limits, reason));
        }
        notices
    }
}
