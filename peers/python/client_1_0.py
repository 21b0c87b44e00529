"""The official Python SDK as a client of the server, over every binding of A2A 1.0.

Usage: `client_1_0.py URL` with the bearer token in LEGATION_BENCH_TOKEN. The server's
default agent is the scripted one, which does what the first words of a message say.
Prints `pass NAME` or `fail NAME: reason` for every check; exits with 1 when one failed.
"""

import asyncio
import os
import sys
import uuid

import grpc
import httpx

from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.auth import AuthInterceptor, CredentialService
from a2a.client.errors import A2AClientError
from a2a.helpers import get_artifact_text, get_message_text, new_text_message
from a2a.types import (
    CancelTaskRequest,
    GetExtendedAgentCardRequest,
    GetTaskRequest,
    ListTasksRequest,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import (
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from runner import CHECK_LIMIT, all_pass, collect, equal



class Token(CredentialService):
    """The same token for whatever scheme the card names."""

    async def get_credentials(self, security_scheme_name, context):
        return os.environ['LEGATION_BENCH_TOKEN']


class Peer:
    """One binding of the server, as the SDK's clients see it."""

    def __init__(self, card, binding, http):
        def client(streaming, interceptors):
            config = ClientConfig(
                streaming=streaming,
                httpx_client=http,
                grpc_channel_factory=grpc.aio.insecure_channel,
                supported_protocol_bindings=[binding],
            )
            return ClientFactory(config).create(card, interceptors)

        # The interceptor sends a token only where the card asks for one it can give.
        auth = AuthInterceptor(Token())
        self.card = card
        self.binding = binding
        self.unary = client(False, [auth])
        self.streaming = client(True, [auth])
        self.stranger = client(False, [])

    async def send(self, text, to=None, context_id=None, at_once=False):
        """Sends a text and returns the task that comes back."""
        request = message(text, to, context_id, at_once)
        answers = [answer async for answer in self.unary.send_message(request)]
        equal('the answer is', answers[0].WhichOneof('payload'), 'task')
        return answers[0].task

    def stream(self, text, to=None):
        """Sends a text and returns the events that follow."""
        return self.streaming.send_message(message(text, to))

    def subscribe(self, task):
        """Returns the events of a task from now on."""
        return self.streaming.subscribe(SubscribeToTaskRequest(id=task.id))

    async def get(self, task, **options):
        return await self.unary.get_task(GetTaskRequest(id=task.id, **options))

    async def cancel(self, task):
        return await self.unary.cancel_task(CancelTaskRequest(id=task.id))

    async def list(self, **options):
        return await self.unary.list_tasks(ListTasksRequest(**options))


def message(text, to=None, context_id=None, at_once=False):
    return SendMessageRequest(
        message=new_text_message(
            text,
            role=Role.ROLE_USER,
            task_id=to.id if to else None,
            context_id=context_id,
        ),
        configuration=SendMessageConfiguration(return_immediately=at_once),
    )


def in_state(status, wanted):
    equal('the state is', TaskState.Name(status.state), f'TASK_STATE_{wanted}')


async def refused(call, error):
    try:
        await call
    except error as refusal:
        return refusal
    raise AssertionError(f'was answered, not refused with {error.__name__}')


async def card(peer):
    versions = [
        interface.protocol_version
        for interface in peer.card.supported_interfaces
        if interface.protocol_binding == peer.binding
    ]
    equal('the versions of the binding are', versions, ['1.0', '0.3'])
    equal('streaming is', peer.card.capabilities.streaming, True)
    equal('a name is there:', bool(peer.card.name), True)


async def refuses_without_token(peer):
    call = collect(peer.stranger.send_message(message('tck-complete-task')))
    refusal = await refused(call, A2AClientError)
    word = 'UNAUTHENTICATED' if peer.binding == 'GRPC' else '401'
    equal(f'the refusal says {word}:', word in str(refusal), True)


async def extended_card(peer):
    """A known caller is shown a skill that the public card has not."""
    public = [skill.id for skill in peer.card.skills]
    extended = await peer.unary.get_extended_agent_card(GetExtendedAgentCardRequest())
    more = [skill.id for skill in extended.skills if skill.id not in public]
    equal('there is more:', [skill for skill in more if skill.endswith('/hidden')], ['tck/hidden'])
    call = peer.stranger.get_extended_agent_card(GetExtendedAgentCardRequest())
    refusal = await refused(call, A2AClientError)
    word = 'UNAUTHENTICATED' if peer.binding == 'GRPC' else '401'
    equal(f'the refusal says {word}:', word in str(refusal), True)


async def send(peer):
    task = await peer.send('tck-complete-task')
    in_state(task.status, 'COMPLETED')
    equal('the status says', get_message_text(task.status.message), 'Hello from TCK')
    equal('the status is in context', task.status.message.context_id, task.context_id)
    equal('the time is known:', task.status.HasField('timestamp'), True)
    equal('the first message is', get_message_text(task.history[0]), 'tck-complete-task')


async def send_answered_by_message(peer):
    answers = await collect(peer.unary.send_message(message('tck-message-response')))
    equal('the answer is', answers[0].WhichOneof('payload'), 'message')
    answer = answers[0].message
    equal('the text is', get_message_text(answer), 'Direct message response')
    equal('the role is', Role.Name(answer.role), 'ROLE_AGENT')
    equal('a context is there:', bool(answer.context_id), True)


async def artifacts(peer):
    wanted = {
        'tck-artifact-text': ('text', 'Generated text content', '', ''),
        'tck-artifact-file': ('raw', b'Generated file content', 'output.txt', 'text/plain'),
        'tck-artifact-file-url': (
            'url',
            'https://example.com/output.txt',
            'output.txt',
            'text/plain',
        ),
    }
    for text, content in wanted.items():
        task = await peer.send(text)
        equal('the artifacts are', len(task.artifacts), 1)
        part = task.artifacts[0].parts[0]
        kind = part.WhichOneof('content')
        got = (kind, getattr(part, kind), part.filename, part.media_type)
        equal(f'{text} brings', got, content)
    task = await peer.send('tck-artifact-data')
    data = task.artifacts[0].parts[0].data.struct_value
    equal('the data is', dict(data), {'key': 'value', 'count': 42})


async def rejects_and_fails(peer):
    in_state((await peer.send('tck-reject-task')).status, 'REJECTED')
    in_state((await peer.send('tck-task-failure')).status, 'FAILED')


async def stream(peer):
    events = await collect(peer.stream('tck-stream-artifact-chunked'))
    kinds = [event.WhichOneof('payload') for event in events]
    equal('the first event is', kinds[0], 'task')
    equal('tasks among the events:', kinds.count('task'), 1)
    chunks = [event.artifact_update for event in events if event.HasField('artifact_update')]
    texts = [get_artifact_text(chunk.artifact) for chunk in chunks]
    equal('the chunks are', texts, ['chunk-1 ', 'chunk-2'])
    equal('appended are', [chunk.append for chunk in chunks], [False, True])
    equal('last is', [chunk.last_chunk for chunk in chunks], [False, True])
    in_state(events[-1].status_update.status, 'COMPLETED')
    stored = await peer.get(events[0].task)
    equal('stored is', get_artifact_text(stored.artifacts[0], ''), 'chunk-1 chunk-2')


async def stream_answered_by_message(peer):
    events = await collect(peer.stream('tck-message-response'))
    equal('the events are', [e.WhichOneof('payload') for e in events], ['message'])


async def get(peer):
    task = await peer.send('tck-artifact-text')
    equal('the stored task is', await peer.get(task), task)
    equal('without history:', len((await peer.get(task, history_length=0)).history), 0)
    equal('with one message:', len((await peer.get(task, history_length=1)).history), 1)
    task.id = str(uuid.uuid4())
    await refused(peer.get(task), TaskNotFoundError)


async def list_(peer):
    first = await peer.send('tck-artifact-text')
    context = first.context_id
    second = await peer.send('tck-artifact-text', context_id=context)
    equal('the context is', second.context_id, context)

    whole = await peer.list(context_id=context, include_artifacts=True)
    equal('listed are', [task.id for task in whole.tasks], [second.id, first.id])
    equal('in total', whole.total_size, 2)
    equal('the next page is', whole.next_page_token, '')
    equal('with artifacts:', [len(task.artifacts) for task in whole.tasks], [1, 1])

    page = await peer.list(context_id=context, page_size=1)
    equal('the first page is', [task.id for task in page.tasks], [second.id])
    equal('its size is', (page.page_size, page.total_size), (1, 2))
    equal('without artifacts:', len(page.tasks[0].artifacts), 0)
    token = page.next_page_token
    page = await peer.list(context_id=context, page_size=1, page_token=token)
    equal('the second page is', [task.id for task in page.tasks], [first.id])
    equal('the last page token is', page.next_page_token, '')

    for state, count in ((TaskState.TASK_STATE_COMPLETED, 2), (TaskState.TASK_STATE_WORKING, 0)):
        page = await peer.list(context_id=context, status=state)
        equal(f'{TaskState.Name(state)} are', len(page.tasks), count)


async def cancel(peer):
    task = await peer.send('tck-cancel', at_once=True)
    in_state((await peer.cancel(task)).status, 'CANCELED')
    in_state((await peer.get(task)).status, 'CANCELED')
    await refused(peer.cancel(task), TaskNotCancelableError)


async def subscribe(peer):
    task = await peer.send('tck-cancel', at_once=True)
    events = peer.subscribe(task)
    first = await anext(events)
    equal('the first event is', first.WhichOneof('payload'), 'task')
    equal('its id is', first.task.id, task.id)
    await peer.cancel(task)
    rest = await collect(events)
    in_state(rest[-1].status_update.status, 'CANCELED')
    await refused(collect(peer.subscribe(task)), UnsupportedOperationError)


async def input_required(peer):
    task = await peer.send('tck-input-required')
    in_state(task.status, 'INPUT_REQUIRED')
    equal('the question is', get_message_text(task.status.message), 'Input required by TCK')
    done = await peer.send('tck-complete-task', to=task)
    equal('the task is', (done.id, done.context_id), (task.id, task.context_id))
    in_state(done.status, 'COMPLETED')
    said = [get_message_text(m) for m in done.history if m.role == Role.ROLE_USER]
    equal('the user said', said, ['tck-input-required', 'tck-complete-task'])
    await refused(peer.send('tck-complete-task', to=task), UnsupportedOperationError)


async def input_required_streamed(peer):
    events = await collect(peer.stream('tck-input-required'))
    in_state(events[-1].status_update.status, 'INPUT_REQUIRED')
    task = events[0].task
    followed = peer.subscribe(task)
    in_state((await anext(followed)).task.status, 'INPUT_REQUIRED')
    answered = await collect(peer.stream('tck-stream-artifact-text', to=task))
    in_state(answered[-1].status_update.status, 'COMPLETED')
    rest = await collect(followed)
    in_state(rest[-1].status_update.status, 'COMPLETED')
    brought = [event for event in rest if event.HasField('artifact_update')]
    equal('artifacts followed:', len(brought), 1)


CHECKS = [
    card,
    refuses_without_token,
    extended_card,
    send,
    send_answered_by_message,
    artifacts,
    rejects_and_fails,
    stream,
    stream_answered_by_message,
    get,
    list_,
    cancel,
    subscribe,
    input_required,
    input_required_streamed,
]


async def main(url):
    async with httpx.AsyncClient(timeout=CHECK_LIMIT) as http:
        found = await A2ACardResolver(http, url).get_agent_card()
        peers = [Peer(found, binding, http) for binding in ('JSONRPC', 'HTTP+JSON', 'GRPC')]
        return await all_pass(CHECKS, peers)


if __name__ == '__main__':
    sys.exit(0 if asyncio.run(main(sys.argv[1])) else 1)
