//! What tests of views have in common: views by their most used options, and readings `{"v": n}`.

use std::{ops::Range, time::Duration};

use murre_core::testing::{Broker, Client};
use murre_protocol::{
    Format,
    packet::{ClientPacket, Figure, Publish, SubscribeOptions, ViewOptions, Window, WindowTime},
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn with_view(
    options: SubscribeOptions<'static>,
    view: ViewOptions<'static>,
) -> SubscribeOptions<'static> {
    SubscribeOptions { view: Some(Box::new(view)), ..options }
}

pub(crate) fn condition(text: &'static str) -> ViewOptions<'static> {
    ViewOptions { condition: Some(text.into()), ..Default::default() }
}

pub(crate) fn at_most(per_second: f64) -> ViewOptions<'static> {
    ViewOptions { max_rate: Some(per_second), ..Default::default() }
}

/// Windows of `v`.
pub(crate) fn windows(seconds: u64, give: Figure) -> ViewOptions<'static> {
    let (length_ms, of, give) = (seconds * 1000, vec!["v".into()], vec![give]);
    let window = Window { length_ms, step_ms: length_ms, of, give, by: WindowTime::Broker, empty: false };
    ViewOptions { window: Some(window), ..Default::default() }
}

pub(crate) fn publish(client: &Client, topic: &str, json: &str) {
    let (topic, payload) = (topic.into(), json.as_bytes().into());
    client.send(&ClientPacket::Publish(Publish {
        topic,
        format: Format::Json,
        payload,
        id: 0,
        options: None,
    }));
}

/// Publishes `{"v": n}` for each number, one every `pause`.
pub(crate) fn stream(broker: &Broker, topic: &str, numbers: Range<u32>, pause: Duration) {
    let device = broker.publisher();
    for n in numbers {
        publish(&device, topic, &format!(r#"{{"v":{n}}}"#));
        broker.run_for(pause);
    }
    broker.settle();
}

/// The numbers of a subscription's messages.
pub(crate) fn numbers(client: &Client, sub: u64) -> Vec<u32> {
    let number = |text: String| text.trim_start_matches(r#"{"v":"#).trim_end_matches('}').parse().unwrap();
    client.texts(sub).into_iter().map(number).collect()
}
