"""HTTP/3 by aioquic, through the balancer.

Arguments: the balancer's port, the authority's certificate, what to do, and what that needs. Prints `ok` at the end, or fails.
"""

import asyncio
import hashlib
import json
import os
import socket
import sys

from aioquic import tls
from aioquic.buffer import encode_uint_var
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, StopSendingReceived, StreamReset
from cryptography.hazmat.primitives.hashes import SHA256

HOST = b"www.example.com"
DEADLINE = 60


class Answer:
    def __init__(self):
        self.interim = []
        self.head = None
        self.body = bytearray()
        self.trailers = None
        self.reset = None
        self.ended = asyncio.get_running_loop().create_future()
        self.begun = asyncio.get_running_loop().create_future()

    def end(self):
        for future in (self.begun, self.ended):
            if not future.done():
                future.set_result(self)

    @property
    def status(self):
        return int(self.head[b":status"])

    def json(self):
        return json.loads(self.body)


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.answers = {}
        self.closed = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            if not self.closed.done():
                self.closed.set_result(event.error_code)
            for answer in self.answers.values():
                answer.end()
        if isinstance(event, (StreamReset, StopSendingReceived)):
            answer = self.answers.get(event.stream_id)
            if answer and isinstance(event, StreamReset):
                answer.reset = event.error_code
                answer.end()
        for event in self.http.handle_event(event):
            answer = self.answers.get(getattr(event, "stream_id", None))
            if answer is None:
                continue
            if isinstance(event, HeadersReceived):
                answer.lines = event.headers
                fields = dict(event.headers)
                if answer.head is not None:
                    answer.trailers = fields
                elif fields[b":status"].startswith(b"1"):
                    answer.interim.append(fields)
                else:
                    answer.head = fields
                    answer.begun.set_result(answer)
            elif isinstance(event, DataReceived):
                answer.body += event.data
            if event.stream_ended:
                answer.end()

    def ask(self, headers, body=None, trailers=None, end=True):
        stream = self._quic.get_next_available_stream_id()
        answer = self.answers[stream] = Answer()
        answer.stream = stream
        more = body is not None or trailers is not None or not end
        self.http.send_headers(stream, headers, end_stream=not more)
        if body is not None:
            self.http.send_data(stream, body, end_stream=end and trailers is None)
        if trailers is not None:
            self.http.send_headers(stream, trailers, end_stream=True)
        self.transmit()
        return answer

    def get(self, path, method=b"GET", fields=(), **more):
        return self.ask(head(path, method) + list(fields), **more)


def head(path, method=b"GET", scheme=b"https", host=HOST):
    return [(b":method", method), (b":scheme", scheme), (b":authority", host), (b":path", path)]


async def whole(answer):
    await asyncio.wait_for(asyncio.shield(answer.ended), DEADLINE)
    return answer


def configuration(ca, **more):
    made = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, server_name=HOST.decode(), **more
    )
    made.load_verify_locations(ca)
    return made


def client(port, ca, session_ticket_handler=None, wait_connected=True, **more):
    return connect(
        "127.0.0.1",
        port,
        configuration=configuration(ca, **more),
        create_protocol=Client,
        session_ticket_handler=session_ticket_handler,
        wait_connected=wait_connected,
        local_port=0,
    )


async def requests(port, ca):
    async with client(port, ca) as one:
        answer = await whole(one.get(b"/a?b=c", fields=[(b"cookie", b"a=1"), (b"cookie", b"b=2")]))
        assert answer.status == 200, answer.head
        assert b"alt-svc" not in answer.head, answer.head
        assert b"connection" not in answer.head, answer.head
        echo = answer.json()
        assert (echo["method"], echo["target"]) == ("GET", "/a?b=c"), echo
        fields = {name.lower(): value for name, value in echo["fields"]}
        assert fields["host"] == HOST.decode(), echo
        assert fields["cookie"] == "a=1; b=2", echo
        assert fields["x-forwarded-proto"] == "https", echo
        assert fields["via"] == "3.0 edge", echo
        assert "transfer-encoding" not in fields, echo

        # Of an answer to HEAD with a length, aioquic misses the body.
        answer = await whole(one.get(b"/chunked/100", b"HEAD"))
        assert answer.status == 200 and not answer.body, answer.head

        answer = await whole(one.get(b"/status/204"))
        assert answer.status == 204 and not answer.body, answer.head

        body = bytes(range(256)) * 400
        length = [(b"content-length", b"%d" % len(body))]
        for fields in (length, []):
            answer = await whole(one.get(b"/", b"POST", fields, body=body))
            assert answer.json()["body_length"] == len(body), answer.body
        answer = await whole(
            one.get(b"/", b"POST", body=b"abc", trailers=[(b"x-after", b"the end")])
        )
        assert answer.json()["body_length"] == 3
        assert answer.json()["trailers"] == [["x-after", "the end"]], answer.json()

        answer = await whole(one.get(b"/chunked/100000"))
        assert len(answer.body) == 100000 and b"x-digest" in answer.trailers, answer.trailers

        many = [one.get(b"/bytes/%d" % (1000 * number)) for number in range(50)]
        for number, answer in enumerate(many):
            assert len((await whole(answer)).body) == 1000 * number

        answer = await whole(one.get(b"/", fields=[(b"x-long", b"x" * 100)] * 1000))
        assert answer.status == 431, (answer.head, answer.reset)
        # Few bytes, which stand for many.
        answer = await whole(one.get(b"/", fields=[(b"accept", b"*/*")] * 1000))
        assert answer.status == 431, (answer.head, answer.reset)
        assert (await whole(one.get(b"/"))).status == 200


async def large(port, ca):
    # Above every window, and no more than a busy machine can do within the deadline.
    size = 20_000_000
    async with client(
        port, ca, max_data=16 << 20, max_stream_data=4 << 20
    ) as one:
        answer = await whole(one.get(b"/bytes/%d" % size))
        assert len(answer.body) == size, len(answer.body)
        pattern = hashlib.sha256(answer.body).hexdigest()
        echo = (await whole(one.get(b"/", b"POST", body=bytes(answer.body)))).json()
        print(pattern, echo["body_length"], echo["body_digest"])


MESSAGE_ERROR = 0x10E

MALFORMED = {
    "no method": [(b":scheme", b"https"), (b":authority", HOST), (b":path", b"/")],
    "no path": [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", HOST)],
    "empty path": head(b""),
    "no scheme": [(b":method", b"GET"), (b":authority", HOST), (b":path", b"/")],
    "no authority": [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/")],
    "two methods": [(b":method", b"GET")] + head(b"/"),
    "two paths": head(b"/") + [(b":path", b"/b")],
    "late pseudo": head(b"/")[:3] + [(b"x", b"y"), (b":path", b"/")],
    "unknown pseudo": head(b"/") + [(b":other", b"x")],
    "status": head(b"/") + [(b":status", b"200")],
    "upper case": head(b"/") + [(b"X-Up", b"y")],
    "connection": head(b"/") + [(b"connection", b"close")],
    "keep-alive": head(b"/") + [(b"keep-alive", b"timeout=5")],
    "transfer-encoding": head(b"/") + [(b"transfer-encoding", b"chunked")],
    "upgrade": head(b"/") + [(b"upgrade", b"x")],
    "te": head(b"/") + [(b"te", b"gzip")],
    "line feed": head(b"/") + [(b"x", b"a\nb: c")],
    "carriage return": head(b"/") + [(b"x", b"a\rb")],
    "zero byte": head(b"/") + [(b"x", b"a\0b")],
    "blank at the edge": head(b"/") + [(b"x", b" a")],
    "line feed in name": head(b"/") + [(b"x\ny", b"a")],
    "line feed in path": head(b"/a\r\nx: y"),
    "other scheme": head(b"/", scheme=b"ftp"),
    "protocol without connect": head(b"/") + [(b":protocol", b"websocket")],
    "connect with path": head(b"/", b"CONNECT"),
    "two lengths": head(b"/", b"POST") + [(b"content-length", b"1"), (b"content-length", b"2")],
    "no number": head(b"/", b"POST") + [(b"content-length", b"+1")],
    "host differs": head(b"/") + [(b"host", b"other.example.com")],
}

LENGTHS = {
    "body too short": (b"10", b"abc"),
    "body too long": (b"2", b"abc"),
    "body where none was said": (b"0", b"abc"),
}


async def malformed(port, ca):
    async with client(port, ca) as one:
        for name, headers in MALFORMED.items():
            answer = await whole(one.ask(headers))
            refused = answer.reset == MESSAGE_ERROR or answer.status == 400
            assert refused, (name, answer.reset, answer.head)
        for name, (length, body) in LENGTHS.items():
            fields = [(b"content-length", length)]
            answer = await whole(one.get(b"/", b"POST", fields, body=body))
            refused = answer.reset == MESSAGE_ERROR or answer.status == 400
            assert refused, (name, answer.reset, answer.head)
        answer = await whole(one.get(b"/", b"POST", body=b"a", trailers=[(b":path", b"/x")]))
        assert answer.reset == MESSAGE_ERROR or answer.status == 400, (answer.reset, answer.head)
        assert (await whole(one.get(b"/"))).status == 200
    frames = {
        "data before headers": (b"\x00\x01a", 0x105),
        "settings on a request": (b"\x04\x00", 0x105),
        "goaway on a request": (b"\x07\x01\x00", 0x105),
        "a frame of HTTP/2": (b"\x08\x01\x00", 0x105),
        "cut off": (b"\x01\x05a", 0x106),
        "no QPACK": (b"\x01\x03\xff\xff\xff", 0x200),
    }
    for name, (bytes, code) in frames.items():
        async with client(port, ca) as one:
            stream = one._quic.get_next_available_stream_id()
            one._quic.send_stream_data(stream, bytes, end_stream=True)
            one.transmit()
            got = await asyncio.wait_for(asyncio.shield(one.closed), DEADLINE)
            assert got == code, (name, got)
    async with client(port, ca) as one:
        stream = one._quic.get_next_available_stream_id()
        answer = one.answers[stream] = Answer()
        one._quic.send_stream_data(stream, b"", end_stream=True)
        one.transmit()
        assert (await whole(answer)).reset == 0x10D, answer.reset
        assert (await whole(one.get(b"/"))).status == 200


def integer(value, prefix, first=0):
    """An integer whose first byte gives it `prefix` bits (RFC 7541, 5.1)."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([first | value])
    encoded = bytearray([first | most])
    value -= most
    while value >= 128:
        encoded.append(0x80 | value % 128)
        value //= 128
    encoded.append(value)
    return bytes(encoded)


def section(fields):
    """A field section in literals, as aioquic's encoder has its own opinion of names."""
    encoded = b"\0\0"
    for name, value in fields:
        name, value = name.encode(), value.encode()
        encoded += integer(len(name), 3, 0x20) + name + integer(len(value), 7) + value
    return encoded


def frame(kind, payload):
    return bytes([kind]) + encode_uint_var(len(payload)) + payload


async def downgrades(port, ca):
    """The requests of a table; what the server saw of each, or how it ended."""
    with open(os.path.join(os.path.dirname(ca), "downgrades.json"), encoding="utf-8") as file:
        table = json.load(file)
    while table:
        async with client(port, ca) as one:
            # Some end the connection.
            while table and not one.closed.done():
                print(json.dumps(await downgrade(one, table.pop(0))))


async def downgrade(one, case):
    message = frame(1, section(case["fields"]))
    message += b"".join(frame(0, part.encode()) for part in case["body"])
    if case["trailers"]:
        message += frame(1, section(case["trailers"]))
    stream = one._quic.get_next_available_stream_id()
    answer = one.answers[stream] = Answer()
    one._quic.send_stream_data(stream, message, end_stream=True)
    one.transmit()
    await whole(answer)
    if answer.head is None or answer.reset is not None:
        return {"reset": answer.reset}
    if answer.status != 200:
        return {"status": answer.status}
    return {"seen": answer.json()}


async def migration(port, ca):
    """The client's address changes again and again; the workers hand its datagrams to the one that holds it."""
    async with client(port, ca) as one:
        loop = asyncio.get_running_loop()
        for turn in range(12):
            answer = await whole(one.get(b"/bytes/200000"))
            assert answer.status == 200 and len(answer.body) == 200000, turn
            old = one._transport
            transport, _ = await loop.create_datagram_endpoint(
                lambda: one, local_addr=("::", 0)
            )
            one._transport = transport
            old.abort()
        assert (await whole(one.get(b"/"))).status == 200


async def leaving(port, ca):
    """A request that is under way when the balancer is told to stop is served; then the connection ends."""
    async with client(port, ca) as one:
        assert (await whole(one.get(b"/"))).status == 200
        answer = one.get(b"/slow")
        await asyncio.wait_for(asyncio.shield(answer.begun), DEADLINE)
        print("begun", flush=True)
        await whole(answer)
        assert answer.reset is None and bytes(answer.body) == b"hello", answer.body
        code = await asyncio.wait_for(asyncio.shield(one.closed), DEADLINE)
        assert code == 0x100, code


async def cancelling(port, ca):
    async with client(port, ca) as one:
        answer = one.get(b"/slow")
        await asyncio.wait_for(asyncio.shield(answer.begun), DEADLINE)
        one._quic.stop_stream(answer.stream, 0x10C)
        one.transmit()
        print("cancelled", flush=True)
        await whole(answer)
        assert answer.reset is not None


async def websocket(port, ca):
    async with client(port, ca) as one:
        headers = head(b"/chat", b"CONNECT") + [
            (b":protocol", b"websocket"), (b"sec-websocket-version", b"13")
        ]
        answer = one.ask(headers, end=False)
        await asyncio.wait_for(asyncio.shield(answer.begun), DEADLINE)
        assert answer.status == 200, answer.head
        one.http.send_data(answer.stream, b"ping", end_stream=True)
        one.transmit()
        await whole(answer)
        assert bytes(answer.body) == b"hello pong", answer.body
        answer = await whole(one.ask(head(b"/", b"CONNECT") + [(b":protocol", b"else")]))
        assert answer.status == 501, (answer.head, answer.reset)


async def stalling(port, ca):
    """Bodies that nobody takes for a while: the client gives no more window."""
    async with client(port, ca, max_data=1 << 20, max_stream_data=1 << 16) as one:
        limits = one._quic._write_stream_limits, one._quic._write_connection_limits
        one._quic._write_stream_limits = lambda **_: None
        one._quic._write_connection_limits = lambda **_: None
        answers = [one.get(b"/bytes/5000000") for _ in range(12)]
        for answer in answers:
            await asyncio.wait_for(asyncio.shield(answer.begun), DEADLINE)
        print("stalled", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        one._quic._write_stream_limits, one._quic._write_connection_limits = limits
        for answer in answers:
            one._quic.send_ping(0)
            one.transmit()
            assert len((await whole(answer)).body) == 5000000


async def one_request(port, ca):
    async with client(port, ca) as one:
        assert (await whole(one.get(b"/"))).status == 200


async def crowded(port, ca):
    """A listener that takes one connection at a time."""
    async with client(port, ca) as one:
        assert (await whole(one.get(b"/"))).status == 200
        try:
            async with client(port, ca):
                raise AssertionError("there was no room")
        except ConnectionError:
            pass
        assert (await whole(one.get(b"/"))).status == 200


async def stapled(port, ca):
    """Asks for an answer of OCSP, and prints the SHA-256 of what comes beside the certificate."""
    extensions = []
    hello, pull = tls.Context._client_send_hello, tls.pull_certificate

    def asking(context, buffers):
        context.handshake_extensions.append((5, b"\x01\x00\x00\x00\x00"))
        hello(context, buffers)

    def noting(buffer):
        certificate = pull(buffer)
        extensions.append(certificate.certificates[0][1])
        return certificate

    tls.Context._client_send_hello, tls.pull_certificate = asking, noting
    async with client(port, ca) as one:
        assert (await whole(one.get(b"/"))).status == 200
    # The extension status_request, whose data is a CertificateStatus: 4 octets of header each.
    kind, answer = extensions[0][:2], extensions[0][8:]
    assert kind == b"\x00\x05", extensions[0].hex()
    print(hashlib.sha256(answer).hexdigest())


async def session(port, ca):
    """A session to come again with."""
    tickets = asyncio.Queue()
    async with client(port, ca, tickets.put_nowait) as one:
        assert (await whole(one.get(b"/first"))).status == 200
        return await asyncio.wait_for(tickets.get(), DEADLINE)


async def early(port, ca):
    """Asks at once, and again with the same session, which is not taken early then."""
    ticket = await session(port, ca)
    assert ticket.max_early_data_size == 0xFFFFFFFF
    for taken in (True, False):
        async with client(port, ca, session_ticket=ticket, wait_connected=False) as one:
            harmless = one.get(b"/early" if taken else b"/again")
            unsafe = one.get(b"/unsafe", b"POST", body=b"hello")
            fields = dict((await whole(harmless)).json()["fields"])
            assert fields.get("Early-Data") == ("1" if taken else None), fields
            answer = (await whole(unsafe)).json()
            assert "Early-Data" not in dict(answer["fields"]), answer
            assert answer["body_length"] == 5, answer
            assert one._quic.tls.early_data_accepted == taken


async def not_early(port, ca):
    ticket = await session(port, ca)
    assert not ticket.max_early_data_size


async def resumed(port, ca):
    ticket = await session(port, ca)
    async with client(port, ca, session_ticket=ticket) as one:
        assert one._quic.tls.session_resumed
        assert (await whole(one.get(b"/second"))).status == 200


async def retry(port, ca):
    """Begins handshakes that it never goes on with: from then on others have to show that they receive."""
    async with client(port, ca) as one:
        assert one._quic._retry_count == 0
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plain.bind(("127.0.0.1", 0))
    for _ in range(10):
        for _ in range(8):
            stranger = QuicConnection(configuration=configuration(ca))
            stranger.connect(("127.0.0.1", port), now=0)
            for datagram, address in stranger.datagrams_to_send(now=0):
                plain.sendto(datagram, address)
        # Once this is served, those before it have been taken from the socket: it never overflows.
        async with client(port, ca) as one:
            assert (await whole(one.get(b"/"))).status == 200
    for _ in range(200):
        async with client(port, ca) as one:
            assert (await whole(one.get(b"/"))).status == 200
            if one._quic._retry_count == 1:
                return
    raise AssertionError("nobody was asked to")


async def outliving(port, ca):
    async with client(port, ca) as one:
        first = certificate(one)
        print("connected", flush=True)
        deadline = asyncio.get_running_loop().time() + DEADLINE
        while True:
            async with client(port, ca) as other:
                assert (await whole(other.get(b"/"))).status == 200
                if certificate(other) != first:
                    break
            assert asyncio.get_running_loop().time() < deadline, "the certificate stays"
        print("renewed", flush=True)
        assert (await whole(one.get(b"/"))).status == 200


async def asked(port, ca, requests):
    """Sends requests, one after the other: each a method, a path and fields. Prints a line for each answer."""
    async with client(port, ca) as one:
        for method, path, fields in json.loads(requests):
            fields = [(name.encode(), value.encode()) for name, value in fields]
            answer = await whole(one.get(path.encode(), method.encode(), fields))
            assert answer.head is not None, answer.reset
            lines = [(name.decode(), value.decode()) for name, value in answer.lines]
            print(json.dumps({"status": answer.status, "fields": lines, "body": answer.body.decode()}))


def certificate(one):
    return one._quic.tls._peer_certificate.fingerprint(SHA256())


def main():
    port, ca, name, *more = sys.argv[1:]
    asyncio.run(globals()[name](int(port), ca, *more))
    print("ok")


main()
