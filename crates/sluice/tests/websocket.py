"""WebSocket by programs that know nothing of the balancer: servers that echo, and clients that talk to them.

    serve PORT           HTTP/1.1, by websockets
    serve-h2 PORT        HTTP/2 and HTTP/1.1, by hypercorn, which takes extended CONNECT (RFC 8441)
    serve-h3 PORT CERT KEY   HTTP/3, and over TLS the others, by hypercorn too (RFC 9220)
    h1|h2|h3 PORT CA     a client, which prints `ok` at the end, or fails
"""

import asyncio
import socket
import ssl
import sys

HOST = "www.example.com"
DEADLINE = 60
LARGE = bytes(range(256)) * 1000


async def serve(port):
    from websockets.asyncio.server import serve as listen

    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async with listen(echo, "127.0.0.1", int(port)):
        await asyncio.get_running_loop().create_future()


async def serve_h2(port, cert=None, key=None):
    from hypercorn.asyncio import serve as listen
    from hypercorn.config import Config

    async def echo(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["http_version"].encode()})
            return
        while True:
            event = await receive()
            if event["type"] == "websocket.connect":
                version = scope["http_version"].encode()
                await send({"type": "websocket.accept", "headers": [(b"x-spoken", version)]})
            elif event["type"] == "websocket.receive":
                said = {key: event.get(key) for key in ("text", "bytes") if event.get(key) is not None}
                await send({"type": "websocket.send", **said})
            else:
                return

    config = Config()
    config.bind = ["127.0.0.1:" + port]
    if cert:
        config.quic_bind = config.bind
        config.certfile, config.keyfile = cert, key
    config.loglevel = "WARNING"
    config.websocket_max_message_size = 1 << 24
    await listen(echo, config, shutdown_trigger=asyncio.get_running_loop().create_future)


serve_h3 = serve_h2


class Talk:
    """The frames of a conversation: what to send next upon what was received."""

    def __init__(self):
        from wsproto.connection import Connection, ConnectionType
        from wsproto.events import BytesMessage, TextMessage

        self.frames = Connection(ConnectionType.CLIENT)
        self.text, self.data = "", b""
        self.over = False
        self.first = self.frames.send(TextMessage("hello")) + self.frames.send(BytesMessage(LARGE))

    def receive(self, data):
        from wsproto.events import BytesMessage, CloseConnection, TextMessage

        out = b""
        if not data:
            return out
        self.frames.receive_data(data)
        for event in self.frames.events():
            if isinstance(event, TextMessage):
                self.text += event.data
            elif isinstance(event, BytesMessage):
                self.data += event.data
                if len(self.data) == len(LARGE):
                    out += self.frames.send(CloseConnection(1000))
            elif isinstance(event, CloseConnection):
                assert event.code == 1000, event
                self.over = True
        return out

    def check(self):
        assert self.over and self.text == "hello" and self.data == LARGE, len(self.data)


def connect_fields():
    return [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
        (":authority", HOST), (":path", "/chat"), ("sec-websocket-version", "13"),
    ]


async def h1(port, ca):
    from websockets.asyncio.client import connect

    context = ssl.create_default_context(cafile=ca)
    async with connect(
        f"wss://{HOST}:{port}/chat",
        ssl=context,
        host="127.0.0.1",
        server_hostname=HOST,
        proxy=None,
        compression=None,
        # Not every server ends the stream behind its last frame.
        close_timeout=1,
    ) as connection:
        await connection.send("hello")
        await connection.send(LARGE)
        assert await asyncio.wait_for(connection.recv(), DEADLINE) == "hello"
        assert await asyncio.wait_for(connection.recv(), DEADLINE) == LARGE
        await (await connection.ping())


async def h2(port, ca):
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import DataReceived, RemoteSettingsChanged, ResponseReceived

    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", int(port)), timeout=DEADLINE)
    stream = context.wrap_socket(plain, server_hostname=HOST)
    assert stream.selected_alpn_protocol() == "h2"
    http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    http.initiate_connection()
    talk, unsent = Talk(), b""
    while not talk.over:
        stream.sendall(http.data_to_send())
        data = stream.recv(65536)
        assert data, "closed"
        for event in http.receive_data(data):
            if isinstance(event, RemoteSettingsChanged):
                assert event.changed_settings[8].new_value == 1, event
                http.send_headers(1, connect_fields())
            elif isinstance(event, ResponseReceived):
                fields = dict(event.headers)
                assert fields[":status"] == "200", fields
                assert "sec-websocket-accept" not in fields, fields
                unsent = talk.first
            elif isinstance(event, DataReceived):
                http.acknowledge_received_data(event.flow_controlled_length, 1)
                unsent += talk.receive(event.data)
        while unsent:
            room = min(http.local_flow_control_window(1), http.max_outbound_frame_size, len(unsent))
            if room == 0:
                break
            http.send_data(1, unsent[:room])
            unsent = unsent[room:]
    http.end_stream(1)
    stream.sendall(http.data_to_send())
    talk.check()


async def h3(port, ca):
    from aioquic.asyncio.client import connect
    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.h3.connection import H3_ALPN, H3Connection
    from aioquic.h3.events import DataReceived, HeadersReceived
    from aioquic.quic.configuration import QuicConfiguration

    talk = Talk()

    class Client(QuicConnectionProtocol):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.http = H3Connection(self._quic)
            self.ended = asyncio.get_running_loop().create_future()

        def quic_event_received(self, event):
            for event in self.http.handle_event(event):
                if isinstance(event, HeadersReceived):
                    assert dict(event.headers)[b":status"] == b"200", event
                    self.http.send_data(event.stream_id, talk.first, end_stream=False)
                elif isinstance(event, DataReceived):
                    answer = talk.receive(event.data)
                    if answer:
                        self.http.send_data(event.stream_id, answer, end_stream=False)
                if talk.over and not self.ended.done():
                    self.http.send_data(event.stream_id, b"", end_stream=True)
                    self.ended.set_result(None)
            self.transmit()

    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=HOST)
    configuration.load_verify_locations(ca)
    async with connect(
        "127.0.0.1", int(port), configuration=configuration, create_protocol=Client, local_port=0
    ) as client:
        stream = client._quic.get_next_available_stream_id()
        fields = [(name.encode(), value.encode()) for name, value in connect_fields()]
        client.http.send_headers(stream, fields)
        client.transmit()
        await asyncio.wait_for(client.ended, DEADLINE)
    talk.check()


def main():
    name, *arguments = sys.argv[1:]
    asyncio.run(globals()[name.replace("-", "_")](*arguments))
    print("ok")


main()
