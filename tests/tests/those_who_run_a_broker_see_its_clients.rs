//! `/admin` and `$murre/stats`: who is connected and how they fare, who publishes and who subscribes, and disconnecting.

use std::collections::BTreeSet;

use murre_tests::load::publish_numbered;
use murre_tests::tools::murre;
use murre_tests::{Broker, Client, Kind, Packet, json};
use serde_json::Value;
use tempfile::tempdir;

/// Messages of 2000 bytes that are more than the system's buffers and an outbox take.
const FLOOD: usize = 5000;

/// Two workers, on which clients are spread.
fn broker() -> Broker {
    Broker::with(&[("server.workers", "2"), ("limits.outbox_max", "256KiB")])
}

/// What is under a path.
fn get(broker: &Broker, path: &str) -> Value {
    let answer = broker.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// The ids of a list of clients, publishers or subscribers.
fn ids(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter().map(|client| client["client_id"].as_str().expect("an id").to_owned()).collect()
}

/// The ids of all clients, page by page.
fn all_pages(broker: &Broker, query: &str) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(broker, &format!("/admin/clients?{query}{after}"));
        found.extend(ids(&page["clients"]));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

/// The next figures that the broker tells of itself.
fn stats(watcher: &mut Client) -> Value {
    watcher.waited_message().json()
}

#[test]
fn the_slow_client_comes_first_and_the_pages_have_every_client_once() {
    let broker = broker();
    let _clients: Vec<Client> =
        (0..25).map(|n| Client::connect_as(&broker, &format!("client-{n}"))).collect();
    let mut slow = Client::connect_narrow(&broker, &Packet::connect(json!({ "client_id": "slow" })));
    slow.subscribe_live(1, "flood/#");
    publish_numbered(&mut Client::connect_as(&broker, "device"), &["flood/a"], FLOOD, 2000);
    broker.wait_for_counter("slow", |slow| slow == 1);

    let mut found = all_pages(&broker, "limit=4");

    assert_eq!(found.remove(0), "slow");
    let wanted: BTreeSet<String> = (0..25).map(|n| format!("client-{n}")).collect();
    assert_eq!(found, wanted.into_iter().collect::<Vec<_>>(), "each once, in order");
    let report = &get(&broker, "/admin/clients?search=SLOW")["clients"][0];
    assert_eq!((&report["slow"], &report["client_id"]), (&json!(true), &json!("slow")));
    assert!(report["outbox"]["bytes"].as_u64() > Some(128 * 1024), "{report}");
    assert!(
        report["conflated"].as_u64() > Some(0),
        "a lower rate comes before anything is dropped: {report}"
    );
}

#[test]
fn a_client_is_shown_with_its_traffic_and_its_subscriptions() {
    let broker = broker();
    let mut dashboard = Client::connect_as(&broker, "a dashboard");
    dashboard.subscribe_with(1, "site/#", json!({ "max_rate": 2.0, "select": ["celsius"] }));
    dashboard.subscribe_with(2, "$share/workers/job/#", json!({ "from": "live", "ack": true }));
    dashboard.publish("job/1", "do it");

    let client = get(&broker, "/admin/clients/a%20dashboard");

    assert_eq!((&client["protocol"], &client["encoding"]), (&json!("websocket"), &json!("msgpack")));
    assert!(client["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")));
    assert_eq!((&client["received"]["messages"], &client["subscriptions"]), (&json!(1), &json!(2)));
    let filters = json!([
        { "sub": 1, "filter": "site/#", "ack": false, "view": { "max_rate": 2, "select": ["celsius"] }, "dropped": 0 },
        { "sub": 2, "filter": "job/#", "group": "workers", "ack": true, "dropped": 0 },
    ]);
    assert_eq!(client["filters"], filters);
    assert_eq!(client.get("truncated"), None);
    broker.get("/admin/clients/nobody").problem(404);
}

#[test]
fn who_publishes_and_who_subscribes_is_told_by_filter_group_and_view() {
    let broker =
        Broker::configured("[server]\nworkers = 2\n[[keep]]\nfilter = 'site/#'\nlast = 10\nage = '1h'\n");
    let (mut a, mut b) = (Client::connect_as(&broker, "a"), Client::connect_as(&broker, "b"));
    let (mut c, mut d) = (Client::connect_as(&broker, "c"), Client::connect_as(&broker, "d"));
    a.subscribe(7, "site/+/temp");
    b.subscribe_with(1, "site/#", json!({ "max_rate": 1 }));
    c.subscribe_with(1, "$share/group/site/a/temp", json!({ "from": "live" }));
    d.publish("site/a/temp", "21.4");
    a.publish("site/a/temp", "21.5");

    let topic = get(&broker, "/admin/topics/site/a/temp");

    assert_eq!(ids(&topic["publishers"]), ["a", "d"], "the last one first");
    assert_eq!(
        topic["rule"],
        json!({ "filter": "site/#", "last": 10, "age_ms": 3_600_000, "durable": false })
    );
    let subscribers = topic["subscribers"].as_array().expect("a list");
    let shown: Vec<_> = subscribers
        .iter()
        .map(|of| json!([of["client_id"], of["sub"], of["filter"], of["group"], of["view"]]))
        .collect();
    let wanted = [
        json!(["a", 7, "site/+/temp", null, null]),
        json!(["b", 1, "site/#", null, { "max_rate": 1 }]),
        json!(["c", 1, "site/a/temp", "group", null]),
    ];
    assert_eq!(shown, wanted);
    assert_eq!(topic["truncated"], false);
    d.close(1000);
    broker.wait_for_counter("clients", |clients| clients == 3);
    assert_eq!(ids(&get(&broker, "/admin/topics/site/a/temp")["publishers"]), ["a"]);
    let other = get(&broker, "/admin/topics/nobody/publishes/here");
    assert_eq!(
        (&other["rule"], &other["publishers"], &other["subscribers"]),
        (&Value::Null, &json!([]), &json!([]))
    );
    broker.get("/admin/topics/with/%2B").problem(422);
}

#[test]
fn a_client_that_is_disconnected_is_told_why() {
    let broker = broker();
    let mut client = Client::connect_as(&broker, "device");
    let path = "/admin/clients/device/disconnect";

    let answer = broker.request("POST", path, &[], r#"{"reason":"it floods the line"}"#);

    assert_eq!(answer.status, 204, "{}", answer.text());
    let (packet, ending) = client.disconnected();
    assert_eq!((packet.number(1), packet.text(2)), (4403, "it floods the line"));
    assert_eq!((ending.code, ending.reason.as_str()), (Some(4403), "it floods the line"));
    broker.request("POST", path, &[], "").problem(404);
    broker.request("POST", path, &[], format!(r#"{{"reason":"{}"}}"#, "x".repeat(201))).problem(422);
}

#[test]
fn a_slow_client_hears_the_farewell_at_once() {
    let broker = broker();
    let mut slow = Client::connect_narrow(&broker, &Packet::connect(json!({ "client_id": "slow" })));
    slow.subscribe_live(1, "flood/#");
    publish_numbered(&mut Client::connect(&broker), &["flood/a"], FLOOD, 2000);
    broker.wait_for_counter("slow", |slow| slow == 1);

    broker.request("POST", "/admin/clients/slow/disconnect", &[], "");

    let (packet, _) = slow.disconnected();
    assert_eq!(packet.number(1), 4403);
}

#[test]
fn a_stream_over_http_is_a_client_too() {
    let broker = broker();
    let mut events = broker.events("/events?filter=site/%23");
    let client = &get(&broker, "/admin/clients")["clients"][0];
    let id = client["client_id"].as_str().expect("a name").to_owned();
    assert_eq!((&client["protocol"], &client["encoding"]), (&json!("events"), &json!("json")));
    assert_eq!(get(&broker, &format!("/admin/clients/{id}"))["filters"][0]["filter"], "site/#");

    let answer =
        broker.request("POST", &format!("/admin/clients/{id}/disconnect"), &[], r#"{"reason":"enough"}"#);

    assert_eq!(answer.status, 204, "{}", answer.text());
    let last = events.find(|event| event.kind == "disconnect").expect("a farewell");
    assert_eq!(last.json()["reason"], "enough");
    assert_eq!(events.next(), None);
}

#[test]
fn nobody_is_answered_but_programs_of_this_machine_and_the_page() {
    let broker = broker();
    let _client = Client::connect_as(&broker, "device");
    let paths = ["/admin/stats", "/admin/clients", "/admin/clients/device", "/admin/topics/a"];
    let asks = paths.map(|path| ("GET", path)).into_iter();
    for (method, path) in asks.chain([("POST", "/admin/clients/device/disconnect")]) {
        for header in
            [("x-forwarded-for", "10.0.0.1"), ("via", "1.1 proxy"), ("origin", "http://evil.example")]
        {
            broker.request(method, path, &[header], "").problem(403);
        }
    }
    let own = broker.http("");
    assert_eq!(broker.request("GET", "/admin/clients", &[("origin", &own)], "").status, 200);
    assert_eq!(ids(&get(&broker, "/admin/clients")["clients"]), ["device"]);
    broker.request("POST", "/admin/clients", &[], "").problem(405);
    for query in ["limit=0", "limit=1001", "after=x"] {
        broker.get(&format!("/admin/clients?{query}")).problem(422);
    }
}

#[test]
fn the_broker_tells_how_it_is_each_second() {
    let broker = broker();
    let mut watcher = Client::connect(&broker);
    watcher.subscribe_live(1, "$murre/stats");
    let before = stats(&mut watcher);
    assert_eq!(
        (&before["clients"], &before["workers"], &before["store"]),
        (&json!(1), &json!(2), &Value::Null)
    );
    assert_eq!(before["received"]["messages"], 0, "what it tells is not counted");

    let mut device = Client::connect(&broker);
    publish_numbered(&mut device, &["site/a"], 100, 10);
    let mut after = stats(&mut watcher);
    while after["received"]["messages"] != 100 {
        after = stats(&mut watcher);
    }

    assert_eq!((&after["clients"], &after["subscriptions"]), (&json!(2), &json!(1)));
    assert!(after["process"]["cpu_seconds"].as_f64() > before["process"]["cpu_seconds"].as_f64());
    assert!(after["process"]["resident_bytes"].as_u64() > Some(1 << 20));
    let history = get(&broker, "/admin/stats");
    let history = history.as_array().expect("a list");
    assert!(history.iter().any(|sample| sample["stats"] == before));
    assert!(history.is_sorted_by_key(|sample| sample["time"].as_u64()));
}

#[test]
fn a_broker_with_a_store_tells_its_size_and_writes_nothing_for_it() {
    let folder = tempdir().unwrap();
    let broker = Broker::with_store(folder.path(), "[[keep]]\nfilter = '#'\ndurable = true\n");
    let mut watcher = Client::connect(&broker);
    watcher.subscribe_live(1, "$murre/stats");
    Client::connect(&broker).publish("site/a", "x");
    let mut told = stats(&mut watcher);
    while told["store"]["commits"] == 0 {
        told = stats(&mut watcher);
    }
    let committed = broker.counter("store_committed");

    let later = (0..2).map(|_| stats(&mut watcher)).last().expect("two more");

    assert!(later["store"]["bytes"].as_u64() > Some(0));
    assert!(later["store"]["commit_seconds"].as_f64() > Some(0.0));
    assert_eq!((&later["store"]["bytes_max"], &later["store"]["failures"]), (&Value::Null, &json!(0)));
    assert_eq!(broker.counter("store_committed"), committed);
}

#[test]
fn a_kept_session_is_counted_while_its_client_is_away() {
    let broker = broker();
    let mut watcher = Client::connect(&broker);
    watcher.subscribe_live(1, "$murre/stats");
    let keeping = json!({ "client_id": "device", "session_expiry": 3600 });
    Client::connect_with(&broker, keeping).close(1000);

    let mut told = stats(&mut watcher);
    while told["clients"] != 1 || told["sessions"] != 2 {
        told = stats(&mut watcher);
    }

    broker.get("/admin/clients/device").problem(404);
}

#[test]
fn the_command_line_shows_clients_and_who_publishes_and_subscribes() {
    let (broker, folder) = (broker(), tempdir().unwrap());
    let mut device = Client::connect_as(&broker, "boiler-7");
    device.publish("site/a/temp", "21.4");
    let mut dashboard = Client::connect_as(&broker, "dashboard");
    dashboard.subscribe_with(1, "site/#", json!({ "max_rate": 2 }));

    let clients = broker.murre(folder.path(), &["clients"]);
    assert_eq!(clients.code, 0, "{}", clients.said);
    let lines: Vec<&str> = clients.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", clients.out);
    assert!(lines[1].starts_with("boiler-7 ") && lines[2].starts_with("dashboard "), "{}", clients.out);
    let found = broker.murre(folder.path(), &["clients", "--search", "BOILER", "--json"]).objects();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["client_id"], "boiler-7");

    let who = broker.murre(folder.path(), &["who", "site/a/temp"]);
    assert_eq!(who.code, 0, "{}", who.said);
    assert!(
        who.out.contains("boiler-7")
            && who.out.contains(r#"site/#"#)
            && who.out.contains(r#"{"max_rate":2}"#)
    );
    let who = &broker.murre(folder.path(), &["who", "site/a/temp", "--json"]).objects()[0];
    assert_eq!(
        (ids(&who["publishers"]), ids(&who["subscribers"])),
        (vec!["boiler-7".into()], vec!["dashboard".into()])
    );
    assert_eq!(broker.murre(folder.path(), &["who", "site/+"]).code, 2);
    assert_eq!(murre(folder.path(), &["clients", "--broker", "ws://127.0.0.1:1/ws"]).code, 3);
}

#[test]
fn a_connection_is_a_client_from_its_connect_on() {
    let broker = broker();
    let mut new = Client::open(&broker);
    assert_eq!(get(&broker, "/admin/clients")["total"], 0);
    new.send(&Packet::connect(json!({ "client_id": "device" })));
    new.expect(Kind::Connected);
    assert_eq!(get(&broker, "/admin/clients")["total"], 1);
}
