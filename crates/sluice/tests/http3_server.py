"""A server of HTTP/3 by aioquic.

Arguments: the port (0: any), the certificate, its key, and words that change what it does. It prints its port at first, then a
line for whatever is worth one, and reads commands: `go` lets go on what waits, `goaway` says farewell on every connection.

    no-settings      never says its settings
    no-connect       takes no extended CONNECT
    other-protocol   speaks something else by ALPN
    garbage          says something that is not HTTP/3
"""

import asyncio
import json
import sys

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import H3_ALPN, FrameType, H3Connection, Setting, encode_frame
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import (
    ConnectionTerminated,
    ProtocolNegotiated,
    StopSendingReceived,
    StreamReset,
)

WORDS = set(sys.argv[4:])
CONNECTIONS = set()
PATTERN = bytes(number * 31 % 251 for number in range(251))


def say(*words):
    print(*words, flush=True)


def body_of(length):
    return (PATTERN * (length // len(PATTERN) + 1))[:length]


class Http3(H3Connection):
    def _get_local_settings(self):
        settings = super()._get_local_settings()
        if "no-connect" in WORDS:
            del settings[Setting.ENABLE_CONNECT_PROTOCOL]
        return settings


class Request:
    def __init__(self, connection, stream, headers):
        self.connection, self.stream = connection, stream
        self.head = {name.decode(): value.decode() for name, value in headers if name[:1] == b":"}
        self.fields = [
            (name.decode(), value.decode()) for name, value in headers if name[:1] != b":"
        ]
        self.path = self.head.get(":path", "").partition("?")[0]
        self.body, self.trailers = bytearray(), []
        self.is_answered = False

    def respond(self, status, fields=(), body=None, end=True):
        headers = [(b":status", b"%d" % status), (b"server", b"aioquic"), *fields]
        self.connection.http.send_headers(self.stream, headers, end and body is None)
        if body is not None:
            self.connection.http.send_data(self.stream, body, end)
        self.connection.transmit()

    def send(self, body, end=False):
        self.connection.http.send_data(self.stream, body, end)
        self.connection.transmit()

    def reset(self, code):
        self.connection._quic.reset_stream(self.stream, code)
        self.connection._quic.stop_stream(self.stream, code)
        self.connection.transmit()

    def begin(self):
        """What does not wait for the request's end."""
        if self.is_websocket:
            self.respond(200, end=False)
            self.send(b"early")
        elif self.path == "/interim":
            self.respond(103, [(b"link", b"</a>")], end=False)
        elif self.path == "/early":
            self.is_answered = True
            self.respond(413, body=b"too much")
            self.connection._quic.stop_stream(self.stream, 0x100)
        elif self.path == "/rejected" or (
            self.path == "/rejected-once" and self.connection.first(self.path)
        ):
            self.is_answered = True
            self.reset(0x10B)
        elif self.path == "/stuck":
            # Nothing more of its body is let in.
            self.connection._quic._write_stream_limits = lambda **_: None
            self.connection._quic._write_connection_limits = lambda **_: None
        self.connection.transmit()

    @property
    def is_websocket(self):
        return self.head.get(":protocol") == "websocket"

    def received(self, data):
        if self.is_websocket:
            if data == b"question":
                self.send(b"answer")
        else:
            self.body += data

    def end(self):
        if self.is_answered:
            return
        what, _, number = self.path.rpartition("/")
        echo = {
            "method": self.head[":method"],
            "authority": self.head.get(":authority"),
            "scheme": self.head.get(":scheme"),
            "target": self.head.get(":path"),
            "fields": self.fields,
            "body_length": len(self.body),
            "trailers": self.trailers,
        }
        if self.is_websocket:
            self.send(b"last words", end=True)
        elif self.path == "/mirror":
            self.respond(200, body=bytes(self.body))
        elif what == "/status":
            self.respond(int(number), body=b"" if number in ("204", "304") else b"status")
        elif what == "/bytes":
            length = [(b"content-length", number.encode())]
            head = self.head[":method"] == "HEAD"
            self.respond(200, length, None if head else body_of(int(number)))
        elif what == "/streamed":
            self.respond(200, body=body_of(int(number)))
        elif self.path == "/trailers":
            self.respond(200, body=b"abc", end=False)
            self.connection.http.send_headers(self.stream, [(b"x-sum", b"3")], True)
        elif self.path == "/events":
            self.respond(200, [(b"content-type", b"text/event-stream")], b"data: 1\n\n", False)
            asyncio.ensure_future(self.later())
        elif self.path == "/held":
            asyncio.ensure_future(self.held())
        elif self.path == "/broken":
            self.respond(200, [(b"content-length", b"10")], b"abc", False)
            self.connection.after(lambda: self.reset(0x102))
        elif self.path == "/short":
            self.respond(200, [(b"content-length", b"10")], b"abc")
        elif self.path == "/reset":
            self.reset(0x102)
        elif self.path == "/leave":
            self.connection.goaway(self.stream + 4)
            self.respond(200, body=b"the last")
        elif self.path == "/left-out":
            if self.connection.first("left-out"):
                self.connection.goaway(self.stream)
            else:
                self.respond(200, body=b"served")
        elif self.path == "/close":
            self.connection._quic.close(0x100)
            self.connection.transmit()
        else:
            self.respond(200, body=json.dumps(echo).encode())
        self.connection.transmit()

    async def later(self):
        await GATE.wait()
        GATE.clear()
        self.send(b"data: 2\n\n", True)

    async def held(self):
        await GATE.wait()
        self.respond(200, body=b"released")


class Server(QuicConnectionProtocol):
    seen = set()

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http, self.requests = None, {}
        CONNECTIONS.add(self)

    def first(self, what):
        """Whether it is the first time, on any connection."""
        is_first = what not in Server.seen
        Server.seen.add(what)
        return is_first

    def after(self, then):
        asyncio.get_running_loop().call_soon(then)

    def goaway(self, stream):
        frame = encode_frame(FrameType.GOAWAY, encode_uint_var(stream))
        self._quic.send_stream_data(self.http._local_control_stream_id, frame)
        self.transmit()

    def greet(self):
        say("connected")
        if "garbage" in WORDS:
            stream = self._quic.get_next_available_stream_id(is_unidirectional=True)
            # A control stream that begins with a request's data.
            self._quic.send_stream_data(stream, b"\x00\x00\x03abc")
        elif "no-settings" not in WORDS:
            self.http = Http3(self._quic)

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.greet()
        if isinstance(event, ConnectionTerminated):
            CONNECTIONS.discard(self)
            say("closed", hex(event.error_code))
        if isinstance(event, (StreamReset, StopSendingReceived)):
            request = self.requests.get(event.stream_id)
            kind = "reset" if isinstance(event, StreamReset) else "stopped"
            if request:
                say(kind, request.path, hex(event.error_code))
        if self.http is None:
            return
        for event in self.http.handle_event(event):
            if isinstance(event, HeadersReceived):
                request = self.requests.get(event.stream_id)
                if request is None:
                    request = Request(self, event.stream_id, event.headers)
                    self.requests[event.stream_id] = request
                    say("asked", request.path)
                    request.begin()
                else:
                    request.trailers = [
                        (name.decode(), value.decode()) for name, value in event.headers
                    ]
            elif isinstance(event, DataReceived):
                request = self.requests[event.stream_id]
                request.received(event.data)
            else:
                continue
            if event.stream_ended:
                request.end()


async def commands():
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "go":
            GATE.set()
        elif line.strip() == "goaway":
            for connection in CONNECTIONS:
                last = max(connection.requests, default=-4)
                connection.goaway(last + 4)


async def main():
    global GATE
    GATE = asyncio.Event()
    port, cert, key = sys.argv[1:4]
    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=["other"] if "other-protocol" in WORDS else H3_ALPN,
    )
    configuration.load_cert_chain(cert, key)
    server = await serve(
        "127.0.0.1", int(port), configuration=configuration, create_protocol=Server
    )
    say(server._transport.get_extra_info("sockname")[1])
    await commands()


asyncio.run(main())
