"""The official Python SDK as a server, with every binding in 1.0 and, by its compatibility, in 0.3.

Usage: `server_1_0.py ORIGIN GRPC`; see `serving.py`.
"""

import asyncio
import sys

import httpx

from a2a.compat.v0_3 import a2a_v0_3_pb2_grpc
from a2a.compat.v0_3.grpc_handler import CompatGrpcHandler
from a2a.helpers import new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.request_handlers.grpc_handler import GrpcHandler
from a2a.server.routes import (
    create_agent_card_routes,
    create_jsonrpc_routes,
    create_rest_routes,
)
from a2a.server.tasks import (
    BasePushNotificationSender,
    InMemoryPushNotificationConfigStore,
    InMemoryTaskStore,
    TaskUpdater,
)
from a2a.types import a2a_pb2_grpc
from a2a.types.a2a_pb2 import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    Message,
    Part,
    Role,
)
from starlette.applications import Starlette

from serving import serve


class Agent(AgentExecutor):
    """Does what the first word of a message says."""

    async def execute(self, context, event_queue):
        word, _, rest = context.get_user_input().partition(' ')
        if word == 'direct':
            parts = [new_text_part(rest)]
            direct = Message(message_id='direct', role=Role.ROLE_AGENT, parts=parts)
            await event_queue.enqueue_event(direct)
            return
        if not context.current_task:
            task = new_task_from_user_message(context.message)
            task.id, task.context_id = context.task_id, context.context_id
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        says = lambda text: updater.new_agent_message([new_text_part(text)])
        match word:
            case 'count':
                await updater.start_work()
                for number in range(int(rest)):
                    part = new_text_part(f'{number} ')
                    await updater.add_artifact([part], artifact_id='count', append=number > 0)
                    await asyncio.sleep(0.005)
            case 'ask':
                await updater.requires_input(says('what?'))
                return
            case 'slow':
                await updater.start_work()
                await asyncio.sleep(600)
            case 'fail':
                await updater.failed(says('as told'))
                return
            case 'file':
                file = Part(raw=b'\x00\x01\xfe\xff', filename='four.bin', media_type='application/x-four')
                await updater.add_artifact([file], artifact_id='file')
            case _:
                await updater.add_artifact([new_text_part(rest)], artifact_id='echo')
        await updater.complete()

    async def cancel(self, context, event_queue):
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def interface(url, binding, version):
    return AgentInterface(url=url, protocol_binding=binding, protocol_version=version)


def main(origin, grpc_address):
    card = AgentCard(
        name='Python SDK 1',
        description='Does what the first word says',
        version='1',
        supported_interfaces=[
            interface(url, binding, version)
            for version in ('1.0', '0.3')
            for url, binding in (
                (f'{origin}/rpc', 'JSONRPC'),
                (f'{origin}/rest', 'HTTP+JSON'),
                (grpc_address, 'GRPC'),
            )
        ],
        capabilities=AgentCapabilities(
            streaming=True, push_notifications=True, extended_agent_card=True
        ),
        default_input_modes=['text/plain'],
        default_output_modes=['text/plain'],
        skills=[AgentSkill(id='obey', name='Obey', description='Obeys', tags=['test'])],
    )
    extended = AgentCard()
    extended.CopyFrom(card)
    extended.skills.add(id='more', name='More', description='Only here', tags=['test'])
    webhooks = InMemoryPushNotificationConfigStore()
    handler = DefaultRequestHandler(
        Agent(),
        InMemoryTaskStore(),
        card,
        push_config_store=webhooks,
        push_sender=BasePushNotificationSender(httpx.AsyncClient(), webhooks),
        extended_agent_card=extended,
    )
    app = Starlette(
        routes=[
            *create_agent_card_routes(card),
            *create_jsonrpc_routes(handler, '/rpc', enable_v0_3_compat=True),
            *create_rest_routes(handler, enable_v0_3_compat=True, path_prefix='/rest'),
        ]
    )

    def add_services(server):
        a2a_pb2_grpc.add_A2AServiceServicer_to_server(GrpcHandler(handler), server)
        a2a_v0_3_pb2_grpc.add_A2AServiceServicer_to_server(CompatGrpcHandler(handler), server)

    asyncio.run(serve(app, add_services))


if __name__ == '__main__':
    main(*sys.argv[1:])
