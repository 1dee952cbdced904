//! What a view has to say at a time is said then, also where nothing else happens in the broker.

use murre_tests::{Broker, Client, json};

#[test]
fn a_topic_s_silence_is_told_to_a_subscriber_who_begins_in_a_quiet_broker() {
    // Without the long wait for a CONNECT the timer of that would ring after 10 s.
    let broker = Broker::with(&[("server.workers", "2"), ("session.hello_timeout", "5m")]);
    let mut device = Client::connect(&broker);
    for topic in ["a", "b", "c", "d"].map(|name| format!("plant/{name}")) {
        device.publish(&topic, "21.4");
        let mut subscriber = Client::connect(&broker);
        let kept = subscriber.subscribe_with(1, &topic, json!({ "expect": 0.2 }));
        assert_eq!(kept.len(), 1);

        let told = subscriber.message();

        assert_eq!(told.json()["state"], "stale");
        assert_eq!((told.topic, told.position), (format!("$murre/fresh/{topic}"), 0));
    }
}
