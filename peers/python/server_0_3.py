"""The official Python SDK as a server of 0.3, with every binding.

Usage: `server_0_3.py ORIGIN GRPC`; see `serving.py`.
"""

import asyncio
import sys

import httpx

from a2a.grpc.a2a_pb2_grpc import add_A2AServiceServicer_to_server
from a2a.server.agent_execution import AgentExecutor
from a2a.server.apps import A2ARESTFastAPIApplication, A2AStarletteApplication
from a2a.server.request_handlers import DefaultRequestHandler, GrpcHandler
from a2a.server.tasks import (
    BasePushNotificationSender,
    InMemoryPushNotificationConfigStore,
    InMemoryTaskStore,
    TaskUpdater,
)
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    AgentSkill,
    FilePart,
    FileWithBytes,
    Part,
    TextPart,
)
from a2a.utils import new_agent_text_message, new_task

from serving import serve


def text(words):
    return Part(root=TextPart(text=words))


class Agent(AgentExecutor):
    """Does what the first word of a message says."""

    async def execute(self, context, event_queue):
        word, _, rest = context.get_user_input().partition(' ')
        if word == 'direct':
            await event_queue.enqueue_event(new_agent_text_message(rest))
            return
        if not context.current_task:
            await event_queue.enqueue_event(new_task(context.message))
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        says = lambda words: updater.new_agent_message([text(words)])
        match word:
            case 'count':
                await updater.start_work()
                for number in range(int(rest)):
                    part = text(f'{number} ')
                    await updater.add_artifact([part], artifact_id='count', append=number > 0)
                    await asyncio.sleep(0.005)
            case 'ask':
                await updater.requires_input(says('what?'), final=True)
                return
            case 'slow':
                await updater.start_work()
                await asyncio.sleep(600)
            case 'fail':
                await updater.failed(says('as told'))
                return
            case 'file':
                content = FileWithBytes(
                    bytes='AAH+/w==', name='four.bin', mime_type='application/x-four'
                )
                await updater.add_artifact([Part(root=FilePart(file=content))], artifact_id='file')
            case _:
                await updater.add_artifact([text(rest)], artifact_id='echo')
        await updater.complete()

    async def cancel(self, context, event_queue):
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


def main(origin, grpc_address):
    addresses = {
        'JSONRPC': f'{origin}/rpc',
        'HTTP+JSON': f'{origin}/rest',
        'GRPC': grpc_address,
    }
    card = AgentCard(
        name='Python SDK 0.3',
        description='Does what the first word says',
        version='1',
        url=addresses['JSONRPC'],
        preferred_transport='JSONRPC',
        additional_interfaces=[
            AgentInterface(url=url, transport=binding) for binding, url in addresses.items()
        ],
        capabilities=AgentCapabilities(streaming=True, push_notifications=True),
        default_input_modes=['text/plain'],
        default_output_modes=['text/plain'],
        skills=[AgentSkill(id='obey', name='Obey', description='Obeys', tags=['test'])],
        supports_authenticated_extended_card=True,
    )
    more = AgentSkill(id='more', name='More', description='Only here', tags=['test'])
    extended = card.model_copy(update={'skills': [*card.skills, more]})
    webhooks = InMemoryPushNotificationConfigStore()
    handler = DefaultRequestHandler(
        Agent(),
        InMemoryTaskStore(),
        push_config_store=webhooks,
        push_sender=BasePushNotificationSender(httpx.AsyncClient(), webhooks),
    )
    app = A2ARESTFastAPIApplication(card, handler, extended).build(rpc_url='/rest')
    A2AStarletteApplication(card, handler, extended).add_routes_to_app(app, rpc_url='/rpc')
    services = GrpcHandler(card, handler)
    asyncio.run(serve(app, lambda server: add_A2AServiceServicer_to_server(services, server)))


if __name__ == '__main__':
    main(*sys.argv[1:])
