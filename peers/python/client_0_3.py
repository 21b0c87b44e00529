"""The last Python SDK of A2A 0.3 as a client of the server, over every binding.

Usage: `client_0_3.py URL` with the bearer token in LEGATION_BENCH_TOKEN. The server's
default agent is the scripted one, which does what the first words of a message say; the
one at `a2a/agents/echo` gives back what it is sent.
Prints `pass NAME` or `fail NAME: reason` for every check; exits with 1 when one failed.
"""

import asyncio
import base64
import os
import sys
import uuid

import grpc
import httpx

from a2a.client import (
    A2ACardResolver,
    AuthInterceptor,
    ClientConfig,
    ClientFactory,
    CredentialService,
)
from a2a.client.errors import A2AClientHTTPError, A2AClientJSONRPCError
from a2a.types import (
    DataPart,
    FilePart,
    FileWithBytes,
    FileWithUri,
    Message,
    MessageSendConfiguration,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskIdParams,
    TaskQueryParams,
    TaskState,
    TaskStatusUpdateEvent,
    TextPart,
)
from a2a.utils import get_artifact_text, get_message_text

from runner import CHECK_LIMIT, all_pass, collect, equal


# Errors as (JSON-RPC code, status over REST, status over gRPC). The SDK shows nothing else of them.
TASK_NOT_FOUND = (-32001, 404, grpc.StatusCode.NOT_FOUND)
TASK_NOT_CANCELABLE = (-32002, 409, grpc.StatusCode.UNIMPLEMENTED)
UNSUPPORTED_OPERATION = (-32004, 501, grpc.StatusCode.UNIMPLEMENTED)
INVALID_PARAMS = (-32602, 422, grpc.StatusCode.INVALID_ARGUMENT)


class Token(CredentialService):
    """The same token for whatever scheme the card names."""

    async def get_credentials(self, security_scheme_name, context):
        return os.environ['LEGATION_BENCH_TOKEN']


def with_token(details):
    """Adds the token to a call's metadata: over gRPC the SDK leaves its interceptors out."""
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    metadata.add('authorization', f"Bearer {os.environ['LEGATION_BENCH_TOKEN']}")
    return details._replace(metadata=metadata)


class TokenOfUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation, details, request):
        return await continuation(with_token(details), request)


class TokenOfStreams(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation, details, request):
        return await continuation(with_token(details), request)


class Peer:
    """One binding of one agent, as the SDK's clients see it."""

    def __init__(self, card, binding, stranger):
        self.card = card
        self.binding = binding
        self.http = stranger
        self.in_metadata = []
        self.stranger = self.client(False, [], stranger)
        self.in_metadata = [TokenOfUnary(), TokenOfStreams()]
        # The interceptor sends a token only where the card asks for one it can give.
        known = ([AuthInterceptor(Token())], stranger)
        if binding == 'HTTP+JSON':
            # Over this binding the SDK leaves interceptors out.
            token = os.environ['LEGATION_BENCH_TOKEN']
            headers = {'Authorization': f'Bearer {token}'}
            known = ([], httpx.AsyncClient(timeout=CHECK_LIMIT, headers=headers))
        self.unary = self.client(False, *known)
        self.streaming = self.client(True, *known)

    def client(self, streaming, interceptors, http):
        config = ClientConfig(
            streaming=streaming,
            httpx_client=http,
            grpc_channel_factory=self.channel,
            supported_transports=[self.binding],
        )
        return ClientFactory(config).create(self.card, interceptors=interceptors)

    def channel(self, url):
        """Connects to an address of the card, which is a URL of HTTP."""
        target = url.removeprefix('http://')
        return grpc.aio.insecure_channel(target, interceptors=self.in_metadata)

    async def answers(self, *said, **options):
        """Sends a message and returns what comes back at once."""
        return await collect(self.unary.send_message(message(*said), **options))

    async def send(self, *said, at_once=False):
        """Sends a message and returns the task that comes back."""
        options = MessageSendConfiguration(blocking=not at_once)
        answers = await self.answers(*said, configuration=options)
        equal('the answer is', type(answers[0]), tuple)
        return answers[0][0]

    async def stream(self, *said):
        """Sends a message and returns the events that follow."""
        return updates(await collect(self.streaming.send_message(message(*said))))

    def subscribe(self, task):
        """Returns the events of a task from now on, each with the task as it is then."""
        return self.streaming.resubscribe(TaskIdParams(id=task.id))

    async def get(self, task, **options):
        return await self.unary.get_task(TaskQueryParams(id=task.id, **options))

    async def cancel(self, task):
        return await self.unary.cancel_task(TaskIdParams(id=task.id))

    async def refuses(self, error, call):
        """Checks that a call fails with an error of the protocol."""
        code, status, grpc_status = error
        try:
            await call
        except A2AClientJSONRPCError as refusal:
            equal('the code is', refusal.error.code, code)
        except A2AClientHTTPError as refusal:
            equal('the status is', refusal.status_code, status)
        except grpc.aio.AioRpcError as refusal:
            equal('the status is', refusal.code(), grpc_status)
        else:
            raise AssertionError(f'was answered, not refused with {code}')


def message(content, to=None, context_id=None):
    """A message of a text or of parts; `to` is the task it goes to."""
    parts = [Part(TextPart(text=content))] if isinstance(content, str) else content
    return Message(
        role=Role.user,
        parts=parts,
        message_id=str(uuid.uuid4()),
        task_id=to.id if to else None,
        context_id=context_id,
    )


def in_state(task, wanted):
    equal('the state is', task.status.state, wanted)


def unknown_task():
    return Task(id=str(uuid.uuid4()), context_id='', status={'state': TaskState.unknown})


def updates(events):
    """What was sent: a task, a message or an update for each event of the client."""
    return [event if isinstance(event, Message) else event[1] or event[0] for event in events]


async def card(peer):
    equal('the version is', peer.card.protocol_version.rsplit('.', 1)[0], '0.3')
    interfaces = {peer.card.preferred_transport: peer.card.url}
    for interface in peer.card.additional_interfaces or []:
        interfaces[interface.transport] = interface.url
    equal(f'{peer.binding} is among the transports:', peer.binding in interfaces, True)
    equal('streaming is', peer.card.capabilities.streaming, True)
    equal('a name is there:', bool(peer.card.name), True)
    equal('a skill is there:', bool(peer.card.skills), True)
    first = next(iter(peer.card.security[0]))
    scheme = peer.card.security_schemes[first].root
    equal('the scheme is', (scheme.type, scheme.scheme.lower()), ('http', 'bearer'))


async def card_places(peer):
    """The older well-known path leads to a card of the same agent, too."""
    root = str(httpx.URL(peer.card.url).join('/'))
    older = await A2ACardResolver(peer.http, root, '/.well-known/agent.json').get_agent_card()
    equal('the agent is', older.name, peer.card.name)


async def extended_card(peer):
    """A known caller is shown a skill that the public card has not."""
    public = [skill.id for skill in peer.card.skills]
    extended = await peer.unary.get_card()
    more = [skill.id for skill in extended.skills if skill.id not in public]
    equal('there is more:', [skill for skill in more if skill.endswith('/hidden')], ['tck/hidden'])


async def refuses_without_token(peer):
    try:
        await collect(peer.stranger.send_message(message('tck-complete-task')))
    except A2AClientHTTPError as refusal:
        equal('the status is', refusal.status_code, 401)
    except grpc.aio.AioRpcError as refusal:
        equal('the status is', refusal.code(), grpc.StatusCode.UNAUTHENTICATED)
    else:
        raise AssertionError('a stranger was answered')


async def send(peer):
    task = await peer.send('tck-complete-task')
    in_state(task, TaskState.completed)
    equal('the status says', get_message_text(task.status.message), 'Hello from TCK')
    equal('the status is of', task.status.message.context_id, task.context_id)
    # Over REST and gRPC the SDK reads no time.
    timed = peer.binding == 'JSONRPC'
    equal('the time is known:', bool(task.status.timestamp), timed)
    equal('the first message is', get_message_text(task.history[0]), 'tck-complete-task')
    equal('it is of', (task.history[0].role, task.history[0].task_id), (Role.user, task.id))


async def send_answered_by_message(peer):
    [answer] = await peer.answers('tck-message-response')
    equal('the answer is', type(answer), Message)
    equal('the text is', get_message_text(answer), 'Direct message response')
    equal('the role is', answer.role, Role.agent)
    equal('a context is there:', bool(answer.context_id), True)


async def artifacts(peer):
    # Over REST and gRPC the SDK takes the bytes themselves for text that is base64.
    content = b'Generated file content'
    encoded = (base64.b64encode(content) if peer.binding == 'JSONRPC' else content).decode()
    named = {'name': 'output.txt', 'mime_type': 'text/plain'}
    wanted = {
        'tck-artifact-text': TextPart(text='Generated text content'),
        'tck-artifact-file': FilePart(file=FileWithBytes(bytes=encoded, **named)),
        'tck-artifact-file-url': FilePart(
            file=FileWithUri(uri='https://example.com/output.txt', **named)
        ),
        'tck-artifact-data': DataPart(data={'key': 'value', 'count': 42}),
    }
    for text, part in wanted.items():
        task = await peer.send(text)
        equal('the artifacts are', len(task.artifacts), 1)
        equal(f'{text} brings', bare(task.artifacts[0].parts), [part])


def bare(parts):
    """The parts with no metadata instead of an empty one: the SDK's codecs differ in this."""
    for part in parts:
        part.root.metadata = part.root.metadata or None
    return [part.root for part in parts]


async def rejects_and_fails(peer):
    in_state(await peer.send('tck-reject-task'), TaskState.rejected)
    in_state(await peer.send('tck-task-failure'), TaskState.failed)


async def context(peer):
    first = await peer.send('tck-complete-task')
    second = await peer.send('tck-complete-task', None, first.context_id)
    equal('the context is', second.context_id, first.context_id)
    equal('it is another task:', second.id != first.id, True)
    chosen = str(uuid.uuid4())
    task = await peer.send('tck-complete-task', None, chosen)
    equal('the chosen context is', task.context_id, chosen)


async def stream(peer):
    events = await peer.stream('tck-stream-artifact-chunked')
    tasks = [event for event in events if isinstance(event, Task)]
    equal('tasks among the events:', tasks, [events[0]])
    chunks = [event for event in events if isinstance(event, TaskArtifactUpdateEvent)]
    # The client lays later chunks into the artifact of the first, so only the last is its own.
    equal('the last chunk is', get_artifact_text(chunks[-1].artifact), 'chunk-2')
    equal('appended are', [bool(chunk.append) for chunk in chunks], [False, True])
    equal('last is', [bool(chunk.last_chunk) for chunk in chunks], [False, True])
    states = [event for event in events if isinstance(event, TaskStatusUpdateEvent)]
    in_state(states[-1], TaskState.completed)
    equal('only the end is final:', [e for e in events if getattr(e, 'final', 0)], events[-1:])
    stored = await peer.get(tasks[0])
    equal('stored is', get_artifact_text(stored.artifacts[0], ''), 'chunk-1 chunk-2')


async def stream_answered_by_message(peer):
    events = await peer.stream('tck-message-response')
    equal('the events are', [type(event) for event in events], [Message])


async def get(peer):
    task = await peer.send('tck-artifact-text')
    equal('the stored task is', await peer.get(task), task)
    equal('with one message:', len((await peer.get(task, history_length=1)).history), 1)
    await peer.refuses(TASK_NOT_FOUND, peer.get(unknown_task()))


async def cancel(peer):
    task = await peer.send('tck-cancel', at_once=True)
    in_state(await peer.cancel(task), TaskState.canceled)
    in_state(await peer.get(task), TaskState.canceled)
    await peer.refuses(TASK_NOT_CANCELABLE, peer.cancel(task))
    await peer.refuses(TASK_NOT_FOUND, peer.cancel(unknown_task()))


async def resubscribe(peer):
    task = await peer.send('tck-cancel', at_once=True)
    events = peer.subscribe(task)
    first, update = await anext(events)
    equal('the first event is of', (first.id, update), (task.id, None))
    await peer.cancel(task)
    rest = updates(await collect(events))
    in_state(rest[-1], TaskState.canceled)
    equal('the last is final:', rest[-1].final, True)
    ended = updates(await collect(peer.subscribe(task)))
    in_state(ended[-1], TaskState.canceled)


async def input_required(peer):
    task = await peer.send('tck-input-required')
    in_state(task, TaskState.input_required)
    equal('the question is', get_message_text(task.status.message), 'Input required by TCK')
    done = await peer.send('tck-complete-task', task)
    equal('the task is', (done.id, done.context_id), (task.id, task.context_id))
    in_state(done, TaskState.completed)
    said = [get_message_text(m) for m in done.history if m.role == Role.user]
    equal('the user said', said, ['tck-input-required', 'tck-complete-task'])
    await peer.refuses(UNSUPPORTED_OPERATION, peer.send('tck-complete-task', task))


async def input_required_streamed(peer):
    events = await peer.stream('tck-input-required')
    in_state(events[-1], TaskState.input_required)
    equal('the question is final:', events[-1].final, True)
    answered = await peer.stream('tck-stream-artifact-text', events[0])
    in_state(answered[-1], TaskState.completed)
    equal('the answer is final:', answered[-1].final, True)


async def refusals(peer):
    await peer.refuses(INVALID_PARAMS, peer.answers([]))
    await peer.refuses(TASK_NOT_FOUND, peer.answers('tck-complete-task', unknown_task()))
    task = await peer.send('tck-input-required')
    elsewhere = peer.answers('tck-complete-task', task, str(uuid.uuid4()))
    await peer.refuses(INVALID_PARAMS, elsewhere)
    await peer.refuses(TASK_NOT_FOUND, peer.stream('tck-complete-task', unknown_task()))


async def parts_come_back(peer):
    """What is sent to the agent that says it again comes back as it was."""
    encoded = base64.b64encode(bytes(range(256))).decode()
    root = str(httpx.URL(peer.card.url).join('/a2a/agents/echo'))
    echo = Peer(await A2ACardResolver(peer.http, root).get_agent_card(), peer.binding, peer.http)
    sent = [
        TextPart(text='Grüße, 世界\u2028\n', metadata={'from': 'me'}),
        FilePart(file=FileWithBytes(bytes=encoded, name='all.bin', mime_type='x/y')),
        FilePart(file=FileWithBytes(bytes='AAE=')),
        FilePart(file=FileWithUri(uri='https://example.com/a?b=c#d', name='a')),
        DataPart(data={'list': [1, 2.5, None, True, {'': []}], 'a_b': {'cD': 'e'}}),
        DataPart(data={}, metadata={'empty': {}}),
    ]
    task = await echo.send([Part(part) for part in sent])
    equal('came back', bare(task.artifacts[0].parts), sent)
    equal('kept is', bare(task.history[0].parts), sent)


CHECKS = [
    card,
    card_places,
    refuses_without_token,
    extended_card,
    send,
    send_answered_by_message,
    artifacts,
    rejects_and_fails,
    context,
    stream,
    stream_answered_by_message,
    get,
    cancel,
    resubscribe,
    input_required,
    input_required_streamed,
    refusals,
    parts_come_back,
]


async def main(url):
    async with httpx.AsyncClient(timeout=CHECK_LIMIT) as http:
        found = await A2ACardResolver(http, url).get_agent_card()
        peers = [Peer(found, binding, http) for binding in ('JSONRPC', 'HTTP+JSON', 'GRPC')]
        return await all_pass(CHECKS, peers)


if __name__ == '__main__':
    sys.exit(0 if asyncio.run(main(sys.argv[1])) else 1)
