"""What the servers here have in common: where they listen, and how long.

A server gets the addresses of its card, `ORIGIN GRPC`, because callers come through a wire that
listens there. It chooses ports of its own, prints them as one line of JSON, and ends with its
standard input.
"""

import asyncio
import json
import socket
import sys

import grpc
import uvicorn


LOOPBACK = '127.0.0.1'


def bound():
    listener = socket.socket()
    listener.bind((LOOPBACK, 0))
    return listener


async def serve(app, add_services):
    """Serves an ASGI application, and gRPC services, until standard input ends."""
    listener = bound()
    services = grpc.aio.server()
    add_services(services)
    grpc_port = services.add_insecure_port(f'{LOOPBACK}:0')
    await services.start()
    server = uvicorn.Server(uvicorn.Config(app, log_level='error', lifespan='off'))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    print(json.dumps({'http': listener.getsockname()[1], 'grpc': grpc_port}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    # Streams may be open, and nobody waits for them any more.
    server.should_exit = server.force_exit = True
    await serving
    await services.stop(None)
