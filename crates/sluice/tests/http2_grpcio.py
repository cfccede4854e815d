"""Every kind of call by grpcio, through the balancer to a server of grpcio and back.

Arguments: the balancer's address, and the port that the server takes.
"""

import sys
import threading
from concurrent import futures
from queue import SimpleQueue

import grpc

calls_cancelled = threading.Event()


def unary(request, context):
    context.set_trailing_metadata((("x-trailer", "after"),))
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked")
    return request[::-1]


def server_stream(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def client_stream(requests, context):
    return b"".join(requests)


def both(requests, context):
    for request in requests:
        yield request.upper()


def slow(request, context):
    context.add_callback(calls_cancelled.set)
    calls_cancelled.wait(20)
    return b"late"


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
    "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
    "Both": grpc.stream_stream_rpc_method_handler(both),
    "Slow": grpc.unary_unary_rpc_method_handler(slow),
}


def main():
    balancer, port = sys.argv[1:]
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", HANDLERS),))
    assert server.add_insecure_port("127.0.0.1:" + port) == int(port)
    server.start()
    with grpc.insecure_channel(balancer) as channel:
        answer, call = channel.unary_unary("/t.T/Unary").with_call(b"abc", timeout=20)
        assert answer == b"cba", answer
        assert dict(call.trailing_metadata())["x-trailer"] == "after", call.trailing_metadata()
        try:
            channel.unary_unary("/t.T/Unary")(b"fail", timeout=20)
            raise AssertionError("no error")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
            assert error.details() == "as asked", error
        large = bytes(3_000_000)
        assert channel.unary_unary("/t.T/Unary")(large, timeout=20) == large
        numbers = list(channel.unary_stream("/t.T/ServerStream")(b"1000", timeout=20))
        assert numbers == [b"%d" % number for number in range(1000)], len(numbers)
        assert channel.stream_unary("/t.T/ClientStream")(iter([b"a", b"b", b"c"]), timeout=20) == b"abc"

        # One goes out when the answer to the one before is there: nothing is held back anywhere.
        queue = SimpleQueue()
        answers = channel.stream_stream("/t.T/Both")(iter(queue.get, None), timeout=20)
        for word in [b"one", b"two", b"three"]:
            queue.put(word)
            assert next(answers) == word.upper()
        queue.put(None)
        assert list(answers) == []

        call = channel.unary_unary("/t.T/Slow").future(b"", timeout=20)
        threading.Timer(0.3, call.cancel).start()
        assert calls_cancelled.wait(20), "the server did not hear of it"
        calls_cancelled.clear()
        try:
            # Long enough for the call to reach the server.
            channel.unary_unary("/t.T/Slow")(b"", timeout=2)
            raise AssertionError("no error")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
        assert calls_cancelled.wait(20), "the server did not hear of the deadline"
        try:
            channel.unary_unary("/no.Such/Method")(b"", timeout=20)
            raise AssertionError("no error")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
    server.stop(None)
    print("all calls served")


main()
