/**
 * A generation of the JavaScript SDK as a server, with every binding.
 *
 *     node server.js ALIAS ORIGIN GRPC
 *
 * ALIAS is one of package.json; ORIGIN and GRPC are the addresses of the card, where a wire listens
 * that callers come through. Ports are chosen freely and printed as one line of JSON. Ends with its
 * standard input.
 */

import { Server, ServerCredentials } from '@grpc/grpc-js';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import express from 'express';

const [alias, origin, grpcAddress] = process.argv.slice(2);
const [types, sdk, http, grpc] = await Promise.all(
  ['', '/server', '/server/express', '/server/grpc'].map((part) => import(alias + part)),
);
const modern = 'TaskState' in types;
const NO_CALLER = http.UserBuilder.noAuthentication;

const card = {
  name: alias,
  description: 'Does what the first word says',
  version: '1',
  capabilities: { streaming: true, pushNotifications: true },
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [{ id: 'obey', name: 'Obey', description: 'Obeys', tags: ['test'] }],
};
const addresses = {
  JSONRPC: `${origin}/rpc`,
  'HTTP+JSON': `${origin}/rest`,
  GRPC: grpcAddress,
};
const more = { id: 'more', name: 'More', description: 'Only here', tags: ['test'] };

/** The SDK of 1.0: its types are those of protobuf, which are read from JSON. */
function of1_0() {
  const { AgentEvent } = sdk;
  const supportedInterfaces = ['1.0', '0.3'].flatMap((protocolVersion) =>
    Object.entries(addresses).map(([protocolBinding, url]) => ({ url, protocolBinding, protocolVersion })),
  );
  card.capabilities.extendedAgentCard = true;
  const read = (extra) => types.AgentCard.fromJSON({ ...card, supportedInterfaces, ...extra });
  const upper = (state) => `TASK_STATE_${state.toUpperCase().replace('-', '_')}`;
  const message = ({ taskId = '', contextId = '' }, part) =>
    types.Message.fromJSON({ messageId: randomUUID(), role: 'ROLE_AGENT', parts: [part], taskId, contextId });
  return {
    card: read({}),
    extended: read({ skills: [...card.skills, more] }),
    text: ({ userMessage }) => userMessage.parts[0].content.value,
    direct: (part) => AgentEvent.message(message({}, part)),
    begun: ({ taskId, contextId, userMessage }) => {
      const task = { id: taskId, contextId, status: { state: upper('submitted') } };
      return AgentEvent.task({ ...types.Task.fromJSON(task), history: [userMessage] });
    },
    state: ({ taskId, contextId }, state, part) => {
      const status = types.TaskStatus.fromJSON({ state: upper(state), timestamp: new Date().toISOString() });
      if (part) status.message = message({ taskId, contextId }, part);
      return AgentEvent.statusUpdate({ taskId, contextId, status, metadata: undefined });
    },
    chunk: ({ taskId, contextId }, artifactId, part, append) =>
      AgentEvent.artifactUpdate(
        types.TaskArtifactUpdateEvent.fromJSON({
          taskId, contextId, append, artifact: { artifactId, parts: [part] },
        }),
      ),
  };
}

/** The SDK of 0.3, whose types are the JSON of that version. */
function of0_3() {
  const old = ({ text, raw, filename: name, mediaType: mimeType }) =>
    text === undefined ? { kind: 'file', file: { bytes: raw, name, mimeType } } : { kind: 'text', text };
  const message = (ids, part) => ({
    kind: 'message', messageId: randomUUID(), role: 'agent', parts: [old(part)], ...ids,
  });
  Object.assign(card, {
    protocolVersion: '0.3.0',
    url: addresses.JSONRPC,
    preferredTransport: 'JSONRPC',
    additionalInterfaces: Object.entries(addresses).map(([transport, url]) => ({ transport, url })),
    supportsAuthenticatedExtendedCard: true,
  });
  return {
    card,
    extended: { ...card, skills: [...card.skills, more] },
    text: ({ userMessage }) => userMessage.parts[0].text,
    direct: (part) => message({}, part),
    begun: ({ taskId: id, contextId, userMessage }) => ({
      kind: 'task', id, contextId, status: { state: 'submitted' }, history: [userMessage],
    }),
    state: ({ taskId, contextId }, state, part) => ({
      kind: 'status-update', taskId, contextId,
      status: {
        state,
        timestamp: new Date().toISOString(),
        message: part && message({ taskId, contextId }, part),
      },
      final: !['submitted', 'working'].includes(state),
    }),
    chunk: ({ taskId, contextId }, artifactId, part, append) => ({
      kind: 'artifact-update', taskId, contextId, append, artifact: { artifactId, parts: [part].map(old) },
    }),
  };
}

const say = modern ? of1_0() : of0_3();

/** Does what the first word of a message says. */
class Agent {
  #cancelled = new Map();

  async execute(context, bus) {
    const [word, ...words] = say.text(context).split(' ');
    const rest = words.join(' ');
    if (word === 'direct') {
      bus.publish(say.direct({ text: rest }));
      bus.finished();
      return;
    }
    if (!context.task) bus.publish(say.begun(context));
    bus.publish(say.state(context, ...(await this.#obey(word, rest, context, bus))));
    bus.finished();
  }

  /** Returns how the task ends. */
  async #obey(word, rest, context, bus) {
    const add = (id, part, append) => bus.publish(say.chunk(context, id, part, append));
    switch (word) {
      case 'count':
        bus.publish(say.state(context, 'working'));
        for (let number = 0; number < Number(rest); number += 1) {
          add('count', { text: `${number} ` }, number > 0);
          await pause(5);
        }
        return ['completed'];
      case 'ask':
        return ['input-required', { text: 'what?' }];
      case 'slow':
        bus.publish(say.state(context, 'working'));
        await new Promise((resolve) => this.#cancelled.set(context.taskId, resolve));
        return ['canceled'];
      case 'fail':
        return ['failed', { text: 'as told' }];
      case 'file':
        add('file', { raw: 'AAH+/w==', filename: 'four.bin', mediaType: 'application/x-four' }, false);
        return ['completed'];
      default:
        add('echo', { text: rest }, false);
        return ['completed'];
    }
  }

  async cancelTask(taskId) {
    this.#cancelled.get(taskId)?.();
  }
}

const webhooks = new sdk.InMemoryPushNotificationStore();
const requestHandler = new sdk.DefaultRequestHandler(
  say.card,
  new sdk.InMemoryTaskStore(),
  new Agent(),
  undefined,
  webhooks,
  new sdk.DefaultPushNotificationSender(webhooks),
  async () => say.extended,
);
const options = { requestHandler, userBuilder: NO_CALLER, legacyCompat: { enabled: modern } };

const app = express();
const cards = { agentCardProvider: requestHandler, ...(modern && { legacyCompat: { enabled: true } }) };
app.use('/.well-known/agent-card.json', http.agentCardHandler(cards));
app.use('/rpc', http.jsonRpcHandler(options));
app.use('/rest', http.restHandler(options));

const services = new Server();
services.addService(grpc.A2AService, grpc.grpcService(options));
if (modern) {
  const legacy = await import(`${alias}/compat/v0_3/server/grpc`);
  services.addService(legacy.LegacyA2AService, legacy.legacyGrpcService(options));
}
const credentials = ServerCredentials.createInsecure();
services.bindAsync('127.0.0.1:0', credentials, (error, grpcPort) => {
  if (error) throw error;
  const listening = app.listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ http: listening.address().port, grpc: grpcPort }));
  });
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
