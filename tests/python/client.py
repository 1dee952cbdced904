"""A client written from docs/protocol.md alone, with `websockets` and `msgpack`."""

import io
import json
from collections import deque
from contextlib import ExitStack

import msgpack
from websockets.sync.client import connect

DEADLINE = 20
CONNECT, CONNECTED, PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED = range(1, 7)
UNSUBSCRIBE, UNSUBSCRIBED, MESSAGE, ACK, PING, PONG, DISCONNECT, NOTICE, CAUGHT_UP = range(7, 16)
RAW, MSGPACK, JSON, TEXT = range(4)


class Connection:
    """A WebSocket, and the packets that came together in one message."""

    def open(self, broker, subprotocol):
        self.stack = ExitStack()
        self.socket = self.stack.enter_context(
            connect(broker.ws, subprotocols=[subprotocol], compression=None, open_timeout=DEADLINE)
        )
        self.waiting = deque()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()


class Client(Connection):
    """MessagePack: a packet is a list, its type first."""

    def __init__(self, broker, **options):
        self.open(broker, "murre.v1.msgpack")
        self.send([CONNECT, options])
        self.connected = self.expect(CONNECTED)[1]

    def send(self, *packets):
        """Sends packets, all in one WebSocket message."""
        self.socket.send(b"".join(msgpack.packb(packet) for packet in packets))

    def next(self):
        """The next packet, in order."""
        while not self.waiting:
            data = self.socket.recv(timeout=DEADLINE)
            assert isinstance(data, bytes), f"text on the MessagePack subprotocol: {data}"
            self.waiting.extend(msgpack.Unpacker(io.BytesIO(data)))
        return self.waiting.popleft()

    def expect(self, kind):
        """The next packet, which has to be of this type."""
        packet = self.next()
        assert packet[0] == kind, packet
        return packet

    def subscribe(self, sub, filter, **options):
        """Subscribes and gives the snapshot."""
        self.send([SUBSCRIBE, sub, filter, options])
        answer = self.expect(SUBSCRIBED)
        assert answer[1:3] == [sub, 0], answer
        snapshot = []
        while (packet := self.next())[0] != CAUGHT_UP:
            assert packet[0] == MESSAGE, packet
            snapshot.append(packet)
        assert packet[1] == sub and packet[2]["count"] == len(snapshot), packet
        return snapshot

    def publish(self, topic, payload, format=JSON, **options):
        """Publishes and gives PUBLISHED."""
        self.send([PUBLISH, topic, format, payload, 1, options])
        answer = self.expect(PUBLISHED)
        assert answer[1] == 1, answer
        return answer


class JsonClient(Connection):
    """JSON: a packet is an object, one a line."""

    def __init__(self, broker, **options):
        self.open(broker, "murre.v1.json")
        self.send({"type": "connect", "options": options})
        self.connected = self.expect("connected")["info"]

    def send(self, *packets):
        """Sends packets, all in one WebSocket message."""
        self.socket.send("\n".join(json.dumps(packet) for packet in packets))

    def next(self):
        """The next packet, in order."""
        while not self.waiting:
            data = self.socket.recv(timeout=DEADLINE)
            assert isinstance(data, str), f"binary on the JSON subprotocol: {data}"
            self.waiting.extend(json.loads(line) for line in data.split("\n") if line)
        return self.waiting.popleft()

    def expect(self, kind):
        """The next packet, which has to be of this type."""
        packet = self.next()
        assert packet["type"] == kind, packet
        return packet

    def subscribe(self, sub, filter, **options):
        """Subscribes and gives the snapshot."""
        self.send({"type": "subscribe", "sub": sub, "filter": filter, "options": options})
        answer = self.expect("subscribed")
        assert answer["code"] == 0, answer
        snapshot = []
        while (packet := self.next())["type"] != "caught_up":
            assert packet["type"] == "message", packet
            snapshot.append(packet)
        return snapshot
