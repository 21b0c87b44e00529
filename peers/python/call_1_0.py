"""The official Python SDK as a process that does one kind of work, to be measured beside our client.

Usage: `call_1_0.py URL BINDING LOAD AT_ONCE SECONDS` with the bearer token in
LEGATION_BENCH_TOKEN; see `xtask callers`.
"""

import asyncio
import os
import sys
import time

import grpc
import httpx

from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.auth import AuthInterceptor, CredentialService
from a2a.helpers import new_text_message
from a2a.types import Role, SendMessageRequest, TaskState

WARM_UP = 0.5
CHUNKS = 1000


class Token(CredentialService):
    async def get_credentials(self, security_scheme_name, context):
        return os.environ['LEGATION_BENCH_TOKEN']


async def send(client):
    message = new_text_message('x' * 256, role=Role.ROLE_USER)
    async for event in client.send_message(SendMessageRequest(message=message)):
        assert event.task.status.state == TaskState.TASK_STATE_COMPLETED
    return 1


async def stream(client):
    message = new_text_message(f'chunks {CHUNKS}', role=Role.ROLE_USER)
    chunks = 0
    async for event in client.send_message(SendMessageRequest(message=message)):
        chunks += event.WhichOneof('payload') == 'artifact_update'
    assert chunks == CHUNKS, chunks
    return chunks


async def work(client, call, at_once, seconds):
    end = time.monotonic() + seconds

    async def caller():
        done = 0
        while time.monotonic() < end:
            done += await call(client)
        return done

    return sum(await asyncio.gather(*(caller() for _ in range(at_once))))


async def main(url, binding, load, at_once, seconds):
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        config = ClientConfig(
            streaming=load == 'chunks',
            httpx_client=http,
            grpc_channel_factory=grpc.aio.insecure_channel,
            supported_protocol_bindings=[binding],
        )
        client = ClientFactory(config).create(card, [AuthInterceptor(Token())])
        call = stream if load == 'chunks' else send
        await work(client, call, int(at_once), WARM_UP)
        print('begin', flush=True)
        print(await work(client, call, int(at_once), float(seconds)), flush=True)
        sys.stdin.read()


asyncio.run(main(*sys.argv[1:]))
