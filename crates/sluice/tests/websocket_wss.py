"""WebSocket over TLS by the `websockets` package on both ends.

    serve PORT           a server that echoes, and closes as it is told to
    PART PORT CA         a client, which prints `ok` at the end, or fails
"""

import asyncio
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed

HOST = "www.example.com"
DEADLINE = 60
LARGE = bytes(range(256)) * 40_000


async def serve(port):
    closed = []

    async def converse(connection):
        try:
            async for message in connection:
                if message == "ping me":
                    await (await connection.ping())
                    await connection.send("you are there")
                elif message == "how did the last one end?":
                    await connection.send(closed[-1])
                elif isinstance(message, str) and message.startswith("close "):
                    _, code, reason = message.split(" ", 2)
                    await connection.close(int(code), reason)
                else:
                    await connection.send(message)
        finally:
            closed.append(f"{connection.close_code} {connection.close_reason}")

    async with listen(converse, "127.0.0.1", int(port), max_size=None, ping_interval=None):
        await asyncio.get_running_loop().create_future()


def client(port, ca):
    return connect(
        f"wss://{HOST}:{port}/chat",
        ssl=ssl.create_default_context(cafile=ca),
        host="127.0.0.1",
        server_hostname=HOST,
        proxy=None,
        max_size=None,
        ping_interval=None,
    )


async def said(connection):
    return await asyncio.wait_for(connection.recv(), DEADLINE)


async def messages(port, ca):
    async with client(port, ca) as one:
        for message in ("", "hello", "\N{SNOWMAN}" * 50_000, b"", LARGE):
            await one.send(message)
            assert await said(one) == message, len(message)
        # In pieces, as they come.
        await one.send(iter([LARGE[:1000], LARGE[1000:]]))
        assert await said(one) == LARGE


async def pings(port, ca):
    async with client(port, ca) as one:
        await asyncio.wait_for(await one.ping(b"are you there?"), DEADLINE)
        await one.send("ping me")
        assert await said(one) == "you are there"


async def codes(port, ca):
    async with client(port, ca) as one:
        await one.send("close 4001 enough of this")
        try:
            await said(one)
        except ConnectionClosed:
            pass
        assert (one.close_code, one.close_reason) == (4001, "enough of this"), one.close_code
    one = await client(port, ca)
    await one.close(4002, "so long")
    async with client(port, ca) as one:
        await one.send("how did the last one end?")
        assert await said(one) == "4002 so long"


async def silence(port, ca):
    """Says nothing until the connection is over, which nobody has closed in order."""
    async with client(port, ca) as one:
        await one.send("hello")
        assert await said(one) == "hello"
        try:
            await said(one)
        except ConnectionClosed:
            pass
        assert one.close_code == 1006, one.close_code


async def outliving(port, ca):
    async with client(port, ca) as one:
        await one.send("before")
        assert await said(one) == "before"
        print("connected", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        await one.send("behind")
        assert await said(one) == "behind"


def main():
    name, *arguments = sys.argv[1:]
    asyncio.run(globals()[name](*arguments))
    print("ok")


main()
