"""Murre from Python: publishing, subscribing, wildcards, last values, both encodings."""

import json

import msgpack
import pytest

from client import JSON, MESSAGE, MSGPACK, PUBLISH, RAW, TEXT, UNSUBSCRIBE, UNSUBSCRIBED
from client import Client, JsonClient


def test_connected_says_who_the_client_is(broker):
    with Client(broker, client_id="python-1") as client:
        assert client.connected["client_id"] == "python-1"
        assert client.connected["session_present"] is False
        assert client.connected["max_message"] >= client.connected["max_packet"] > 0

    with Client(broker) as client:
        assert client.connected["client_id"], "the broker gives an id"


def test_a_reading_arrives_as_it_was_published(broker):
    with Client(broker) as dashboard, Client(broker) as device:
        dashboard.subscribe(7, "site/a/temp", **{"from": "live"})

        payload = json.dumps({"celsius": 21.4}).encode()
        _, _, code, position, *_ = device.publish("site/a/temp", payload, time=1_700_000_000_000)

        assert code == 0
        kind, sub, topic, format, got, time, at, options = dashboard.next()
        assert [kind, sub, topic, format, got] == [MESSAGE, 7, "site/a/temp", JSON, payload]
        assert at == position and time > 1_700_000_000_000
        assert options["time"] == 1_700_000_000_000


@pytest.mark.parametrize("format", [RAW, MSGPACK, JSON, TEXT])
def test_payloads_are_opaque_bytes(broker, format):
    payload = bytes(range(256))
    with Client(broker) as client:
        client.subscribe(1, "raw", **{"from": "live"})
        client.send([PUBLISH, "raw", format, payload, 0])
        assert client.expect(MESSAGE)[3:5] == [format, payload]


@pytest.mark.parametrize(
    ("filter", "matching"),
    [
        ("site/+/temp", {"site/a/temp", "site/b/temp"}),
        ("site/#", {"site", "site/a", "site/a/temp", "site/b/temp"}),
        ("#", {"site", "site/a", "site/a/temp", "site/b/temp", "/lead", "other"}),
        ("+", {"site", "other"}),
        ("/+", {"/lead"}),
        ("site/a", {"site/a"}),
    ],
)
def test_wildcards(broker, filter, matching):
    with Client(broker) as client:
        for topic in ["site", "site/a", "site/a/temp", "site/b/temp", "/lead", "other"]:
            client.publish(topic, b"1")

        snapshot = client.subscribe(1, filter)

        assert sorted(message[2] for message in snapshot) == sorted(matching)


def test_the_last_value_comes_first_and_is_marked(broker):
    with Client(broker) as client:
        client.publish("site/a", b"1")
        client.publish("site/a", b"2")

        [message] = client.subscribe(1, "site/#")
        assert message[4] == b"2" and message[7]["retain"] is True

        client.send([PUBLISH, "site/b", JSON, b"3", 0])
        live = client.expect(MESSAGE)
        assert live[4] == b"3" and (len(live) < 8 or not (live[7] or {}).get("retain"))


def test_nothing_comes_after_unsubscribed(broker):
    with Client(broker) as client:
        client.subscribe(1, "site/#", **{"from": "live"})
        client.send([UNSUBSCRIBE, 1])
        assert client.expect(UNSUBSCRIBED)[1:3] == [1, 0]

        # PUBLISHED is the very next packet: no MESSAGE stands before it.
        assert client.publish("site/a", b"1")[2] == 0


def test_thousands_of_messages_keep_their_order(broker):
    with Client(broker) as dashboard, Client(broker) as device:
        dashboard.subscribe(1, "count", **{"from": "live"})

        for start in range(0, 5000, 100):
            device.send(*[[PUBLISH, "count", JSON, str(n).encode(), 0] for n in range(start, start + 100)])

        got = [dashboard.expect(MESSAGE) for _ in range(5000)]
        assert [int(message[4]) for message in got] == list(range(5000))
        assert [message[6] for message in got] == sorted({message[6] for message in got})


def test_request_and_reply(broker):
    with Client(broker) as server, Client(broker) as caller:
        server.subscribe(1, "hello", **{"from": "live"})
        caller.subscribe(1, "answers/python", **{"from": "live"})

        options = {"reply_to": "answers/python", "correlation": b"\x00\xff"}
        caller.send([PUBLISH, "hello", TEXT, b"Hello Server!", 0, options])
        request = server.expect(MESSAGE)
        answer = b"Hello, you sent -> " + request[4]
        server.send([PUBLISH, request[7]["reply_to"], TEXT, answer, 0, {"correlation": request[7]["correlation"]}])

        reply = caller.expect(MESSAGE)
        assert reply[4] == b"Hello, you sent -> Hello Server!"
        assert reply[7]["correlation"] == b"\x00\xff"


def test_the_encodings_meet(broker):
    with Client(broker) as binary, JsonClient(broker) as text:
        binary.subscribe(1, "#", **{"from": "live"})
        text.subscribe(1, "#", **{"from": "live"})

        text.send({"type": "publish", "topic": "from/json", "payload": {"n": 1}, "id": 5})
        assert json.loads(binary.expect(MESSAGE)[4]) == {"n": 1}
        packets = [text.next(), text.next()]
        assert {packet["type"] for packet in packets} == {"message", "published"}

        binary.send([PUBLISH, "from/msgpack", MSGPACK, msgpack.packb({"n": 2}), 0])
        message = text.expect("message")
        assert message["payload"] == {"n": 2} and message["format"] == MSGPACK


def test_a_json_snapshot(broker):
    with JsonClient(broker) as client:
        client.send({"type": "publish", "topic": "site/a", "payload": {"celsius": 21.4}, "id": 1})
        client.expect("published")

        [message] = client.subscribe(1, "site/#")

        assert message["payload"] == {"celsius": 21.4} and message["options"]["retain"] is True
