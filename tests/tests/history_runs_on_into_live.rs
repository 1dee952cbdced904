//! History by a keep rule, and the way from it into live, without a gap.

use murre_tests::{Broker, Client, Kind, Packet, json};

const KEEP_ALL: &str = "[[keep]]\nfilter = 'site/#'\n[[keep]]\nfilter = 'few/#'\nlast = 3\n";

#[allow(clippy::unwrap_used, reason = "a helper of tests")]
fn numbers(messages: &[murre_tests::Message]) -> Vec<usize> {
    messages.iter().map(|message| message.text().parse().unwrap()).collect()
}

fn publish_numbers(client: &mut Client, topic: &str, numbers: std::ops::Range<usize>) {
    let packets: Vec<Packet> = numbers.map(|n| Packet::publish(topic, n.to_string(), 0)).collect();
    packets.chunks(500).for_each(|chunk| client.send_all(chunk));
}

#[test]
fn a_dashboard_opens_with_the_last_hundred() {
    let broker = Broker::configured(KEEP_ALL);
    let mut device = Client::connect(&broker);
    publish_numbers(&mut device, "site/a/temp", 0..500);
    device.publish("site/a/temp", "500");

    let history =
        Client::connect(&broker).subscribe_with(1, "site/+/temp", json!({ "from": { "last": 100 } }));

    assert_eq!(numbers(&history), (401..=500).collect::<Vec<_>>());
}

#[test]
fn a_rule_holds_no_more_than_it_says() {
    let broker = Broker::configured(KEEP_ALL);
    let mut device = Client::connect(&broker);
    (0..10).for_each(|n| _ = device.publish("few/a", &n.to_string()));

    let history = Client::connect(&broker).subscribe_with(1, "few/a", json!({ "from": { "last": 100 } }));

    assert_eq!(numbers(&history), [7, 8, 9]);
}

#[test]
fn a_client_that_comes_back_goes_on_where_it_was() {
    let broker = Broker::configured(KEEP_ALL);
    let mut device = Client::connect(&broker);
    let mut client = Client::connect(&broker);
    device.publish("site/a", "0");
    client.try_subscribe(1, "site/#", json!({ "from": { "last": 10 } }));
    client.message();
    let positions = client.expect(Kind::CaughtUp).positions();
    client.vanish();
    publish_numbers(&mut device, "site/a", 1..3000);
    device.publish("site/a", "3000");

    let mut client = Client::open(&broker);
    client.send(&Packet::connect(json!({})));
    let epoch = client.expect(Kind::Connected).info("epoch").as_str().unwrap().to_owned();
    let answer = client.try_subscribe(1, "site/#", json!({ "from": { "after": positions, "epoch": epoch } }));
    assert_eq!(answer.info("recovered").as_bool(), Some(true));
    let missed = client.messages(3000);
    client.expect(Kind::CaughtUp);

    assert_eq!(numbers(&missed), (1..=3000).collect::<Vec<_>>());
}

#[test]
fn subscribers_that_come_while_devices_publish_miss_nothing() {
    const LAST: usize = 20_000;
    let broker = Broker::configured(KEEP_ALL);
    let mut device = Client::connect(&broker);
    let publisher = std::thread::spawn(move || {
        publish_numbers(&mut device, "site/a", 0..LAST);
        device.publish("site/a", &LAST.to_string());
    });
    for _ in 0..10 {
        let mut client = Client::connect(&broker);
        client.try_subscribe(1, "site/#", json!({ "from": { "last": 50 } }));
        let mut seen: Vec<usize> = Vec::new();
        while seen.last() != Some(&LAST) {
            let packet = client.packet();
            if packet.is(Kind::Message) {
                seen.push(murre_tests::Message::from_packet(packet).text().parse().unwrap());
            }
        }
        assert!(seen.windows(2).all(|pair| pair[0] + 1 == pair[1]), "a gap in what came");
    }
    publisher.join().unwrap();
}
