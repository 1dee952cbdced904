"""Murre from Python: fragments, pings, closing, wills, takeover, presence, errors."""

import json

import msgpack
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from client import DISCONNECT, MESSAGE, NOTICE, PUBLISH, SUBSCRIBE, SUBSCRIBED, TEXT
from client import Client, JsonClient

DEADLINE = 20


def ending(client):
    """The DISCONNECT and the close code that a connection ends with."""
    farewell = None
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            packet = client.next()
            if packet[0] == DISCONNECT:
                farewell = packet
    return farewell, closed.value.rcvd.code


def test_fragments_are_joined(broker):
    with Client(broker) as client:
        client.subscribe(1, "site/#", **{"from": "live"})
        packet = msgpack.packb([PUBLISH, "site/a", TEXT, b"in fragments", 0])

        client.socket.send(packet[i : i + 4] for i in range(0, len(packet), 4))

        assert client.expect(MESSAGE)[4] == b"in fragments"


def test_text_fragments_are_joined_across_a_character(broker):
    with JsonClient(broker) as client:
        client.subscribe(1, "site/#", **{"from": "live"})
        packet = json.dumps({"type": "publish", "topic": "site/°", "payload": "grün"}, ensure_ascii=False)

        client.socket.send(iter(packet))

        message = client.expect("message")
        assert (message["topic"], message["payload"]) == ("site/°", "grün")


def test_a_ping_is_answered(broker):
    with Client(broker) as client:
        assert client.socket.ping(b"are you there").wait(DEADLINE)


@pytest.mark.parametrize("code", [1000, 1001, 4000])
def test_a_close_is_answered_with_its_code(broker, code):
    client = Client(broker)
    client.socket.close(code)
    assert client.socket.close_code == code


def test_text_on_the_messagepack_subprotocol_is_closed_with_1003(broker):
    client = Client(broker)
    client.socket.send("text")
    assert ending(client)[1] == 1003


def test_an_unknown_type_is_closed_with_4400_and_a_reason(broker):
    client = Client(broker)
    client.send([99])
    farewell, code = ending(client)
    assert code == farewell[1] == 4400
    assert "99" in farewell[2]


def test_unknown_subprotocols_are_told_the_known_ones(broker):
    with pytest.raises(InvalidStatus) as refused:
        with connect(broker.ws, subprotocols=["mqtt"]):
            pass
    assert refused.value.response.status_code == 400
    assert b"murre.v1.msgpack" in refused.value.response.body


def test_a_lost_client_leaves_its_will(broker):
    with Client(broker) as watcher:
        watcher.subscribe(1, "wills/#", **{"from": "live"})
        will = {"topic": "wills/python", "format": TEXT, "payload": b"lost"}
        device = Client(broker, client_id="python", will=will)

        device.socket.socket.shutdown(2)

        assert watcher.expect(MESSAGE)[2:5] == ["wills/python", TEXT, b"lost"]


def test_the_same_client_id_takes_over(broker):
    first = Client(broker, client_id="python")
    with Client(broker, client_id="python") as second:
        farewell, code = ending(first)
        assert code == farewell[1] == 4409
        assert second.publish("site/a", b"1")[2] == 0


def test_presence(broker):
    with Client(broker) as watcher:
        watcher.subscribe(1, "$murre/clients/python", **{"from": "live"})
        with Client(broker, client_id="python"):
            assert presence(watcher)["state"] == "online"
        assert presence(watcher)["state"] == "offline"


def presence(watcher):
    message = watcher.expect(MESSAGE)
    return json.loads(message[4]) if message[3] == 2 else msgpack.unpackb(message[4])


def test_shared_subscriptions_share(broker):
    with Client(broker) as one, Client(broker) as two, Client(broker) as publisher:
        for member in (one, two):
            member.subscribe(1, "$share/workers/jobs", **{"from": "live"})
            member.subscribe(2, "jobs", **{"from": "live"})
        for job in range(40):
            publisher.publish("jobs", str(job).encode())
        publisher.publish("jobs", b"end")

        shares = []
        for member in (one, two):
            share = []
            while (message := member.expect(MESSAGE))[1:5:3] != [2, b"end"]:
                if message[1] == 1 and message[4] != b"end":
                    share.append(int(message[4]))
            shares.append(share)
        assert sorted(shares[0] + shares[1]) == list(range(40))
        assert all(shares), "each member gets some"


def test_a_refused_subscription_says_why(broker):
    with Client(broker) as client:
        client.send([SUBSCRIBE, 1, "site/#/temp", {}])
        answer = client.expect(SUBSCRIBED)
        assert answer[2] == 4422 and answer[3]["reason"]


def test_a_stop_is_announced(broker):
    client = Client(broker)
    broker.terminate()
    notice = client.expect(NOTICE)
    assert notice[1]["kind"] == "shutdown"
    farewell, code = ending(client)
    assert farewell[1] == 4503 and code in (4503, 1001)
    assert broker.wait() == 0
