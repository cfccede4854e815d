"""A server of grpcio that answers the gRPC health protocol as it is told, a word on each line of its input.

Argument: its port. It ends with its input.
"""

import sys
from concurrent import futures

import grpc

STATUS = {"SERVING": 1, "NOT_SERVING": 2}
said = "SERVING"


def check(request, context):
    # HealthCheckRequest { service: "orders" }
    if request != b"\x0a\x06orders" or said not in STATUS:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
    return bytes([8, STATUS[said]])


HANDLERS = {"Check": grpc.unary_unary_rpc_method_handler(check)}

server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", HANDLERS),))
address = "127.0.0.1:" + sys.argv[1]
assert server.add_insecure_port(address) == int(sys.argv[1])
server.start()
for line in sys.stdin:
    said = line.strip()
server.stop(None)
