//! What a worker does each second, whatever comes: it counts its slow clients, and one of them tells how the broker is.

use std::time::Duration;

use actix_rt::time::interval;
use murre_core::{
    actor::Inbox as _,
    engine::{EngineInput, Input},
};
use tokio::time::MissedTickBehavior;

use super::runtime::Local;
use crate::stats::{STATS_TOPIC, sample};

/// Keeps a worker's beat until its thread ends. `tells` where its shards have the topic.
pub(super) async fn keep(local: Local, tells: bool) {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        let now = local.with_hub(|now, hub, _| {
            hub.count_slow(now);
            now
        });
        let process = local.process();
        if tells && process.is_ready() {
            let payload = sample(&process);
            process.stats.add(now.wall.millis(), payload.clone());
            local.take(Input::Engine(EngineInput::Own { topic: STATS_TOPIC.into(), payload }));
        }
    }
}
