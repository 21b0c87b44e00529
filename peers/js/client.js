/**
 * A release of the official JavaScript SDK as a client of the server, over both HTTP bindings.
 *
 * Usage: `client.js SDK VERSION URL` with the bearer token in LEGATION_BENCH_TOKEN: SDK is an
 * alias of package.json, VERSION what it shall speak. The server's default agent is the
 * scripted one, which does what the first words of a message say; the one at `a2a/agents/echo`
 * gives back what it is sent.
 * Prints `pass NAME` or `fail NAME: reason` for every check; exits with 1 when one failed.
 */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { answer, event, load, part, state } from './sdk.js';

/** Milliseconds a check may take; the slowest thing the scripted agent does takes none. */
const CHECK_LIMIT = 20_000;

/** One binding of one agent, as the SDK's clients see it. */
class Peer {
  constructor(sdk, binding, url) {
    Object.assign(this, { sdk, binding, url });
  }

  /** Finds the card at a URL that ends with a slash. */
  static async connect(sdk, binding, url) {
    const peer = new Peer(sdk, binding, url);
    const headers = async () => ({ Authorization: `Bearer ${process.env.LEGATION_BENCH_TOKEN}` });
    const authorized = { headers, shouldRetryWithHeaders: async () => undefined };
    const { createAuthenticatingFetchWithRetry: authorize } = sdk.client;
    peer.client = await peer.clientWith(authorize(fetch, authorized));
    return peer;
  }

  async clientWith(fetchImpl) {
    const { version, client } = this.sdk;
    const card = await new client.DefaultAgentCardResolver().resolve(this.url);
    // A newer SDK takes the newest interface there is.
    const wanted = ({ protocolVersion }) => protocolVersion === version;
    card.supportedInterfaces &&= card.supportedInterfaces.filter(wanted);
    const name = { JSONRPC: 'JsonRpcTransportFactory', 'HTTP+JSON': 'RestTransportFactory' };
    const legacyCompat = { enabled: version === '0.3' };
    const transport = new client[name[this.binding]]({ fetchImpl, legacyCompat });
    return new client.ClientFactory({ transports: [transport] }).createFromAgentCard(card);
  }

  /** Sends a text or parts and returns what comes back. */
  async send(content, options = {}) {
    const answered = await this.client.sendMessage(this.sdk.say(parts(content), options));
    return answer(this.sdk.types, answered);
  }

  /** Sends a text and returns the events that follow. */
  async stream(content, options = {}) {
    return collect(this.client.sendMessageStream(this.sdk.say(parts(content), options)));
  }

  /** Returns the events of a task from now on. */
  subscribe({ id }) {
    return this.client.resubscribeTask({ tenant: '', id });
  }

  get({ id }, historyLength) {
    return this.client.getTask({ tenant: '', id, historyLength });
  }

  cancel({ id }) {
    return this.client.cancelTask({ tenant: '', id });
  }

  is(of, wanted) {
    assert.equal(state(this.sdk.types, of), wanted);
  }

  /** Whether names of files and the `append` of chunks get lost in the SDK itself. */
  get loses() {
    const { alias, version } = this.sdk;
    return this.binding === 'HTTP+JSON' && version === '0.3' && alias !== 'a2a-js-0.3.7';
  }

  /** Parts, without what this SDK loses. */
  plain(parts) {
    return parts.map(({ name, ...plain }) => (name && !this.loses ? { name, ...plain } : plain));
  }
}

function parts(content) {
  return typeof content === 'string' ? [{ text: content }] : content;
}

async function collect(events) {
  const collected = [];
  for await (const sent of events) collected.push(event(sent));
  return collected;
}

function text(message) {
  return message.parts.map((of) => part(of).text).join('');
}

/** Checks that a call fails; `wanted` names the error or its code. */
async function refuses(wanted, call) {
  const refused = await call.then(() => undefined, (error) => error);
  assert(refused, `was answered, not refused with ${wanted}`);
  const code = refused.errorResponse?.error.code;
  assert.match(`${refused.constructor.name} ${refused.name} ${refused.message} ${code}`, wanted);
}

// In a stream the older SDKs see an error's code and no class.
const TASK_NOT_FOUND = /TaskNotFound|-32001/;
const TASK_NOT_CANCELABLE = /TaskNotCancelable/;
const UNSUPPORTED_OPERATION = /UnsupportedOperation/;
const INVALID_PARAMS = /-32602|RequestMalformed/;

const CHECKS = {
  async card({ client, sdk }) {
    const card = await client.getAgentCard();
    const version = client.protocolVersion ?? card.protocolVersion;
    assert.equal(version.slice(0, 3), sdk.version);
    assert.equal(card.capabilities.streaming, true);
    assert(card.name && card.skills.length > 0);
  },

  async refuses_without_token(peer) {
    let last;
    const stranger = await peer.clientWith(async (...call) => (last = await fetch(...call)));
    await assert.rejects(stranger.sendMessage(peer.sdk.say(parts('hello'), {})));
    assert.equal(last.status, 401);
  },

  async send(peer) {
    const task = await peer.send('tck-complete-task');
    assert.equal(task.kind, 'task');
    peer.is(task, 'completed');
    assert.equal(text(task.status.message), 'Hello from TCK');
    assert.equal(task.status.message.contextId, task.contextId);
    assert(!Number.isNaN(Date.parse(task.status.timestamp)), 'no time');
    assert.equal(text(task.history[0]), 'tck-complete-task');
  },

  async send_answered_by_message(peer) {
    const answered = await peer.send('tck-message-response');
    assert.equal(answered.kind, 'message');
    assert.equal(text(answered), 'Direct message response');
    assert(answered.contextId, 'no context');
  },

  async artifacts(peer) {
    const named = { name: 'output.txt', mimeType: 'text/plain' };
    const raw = Buffer.from('Generated file content').toString('base64');
    const wanted = {
      'tck-artifact-text': { text: 'Generated text content' },
      'tck-artifact-file': { ...named, raw },
      'tck-artifact-file-url': { ...named, url: 'https://example.com/output.txt' },
      'tck-artifact-data': { data: { key: 'value', count: 42 } },
    };
    for (const [script, content] of Object.entries(wanted)) {
      const { artifacts } = await peer.send(script);
      assert.equal(artifacts.length, 1);
      assert.deepEqual(peer.plain(artifacts[0].parts.map(part)), peer.plain([content]), script);
    }
  },

  async rejects_and_fails(peer) {
    peer.is(await peer.send('tck-reject-task'), 'rejected');
    peer.is(await peer.send('tck-task-failure'), 'failed');
  },

  async context(peer) {
    const first = await peer.send('tck-complete-task');
    const second = await peer.send('tck-complete-task', { contextId: first.contextId });
    assert.equal(second.contextId, first.contextId);
    assert.notEqual(second.id, first.id);
  },

  async stream(peer) {
    const events = await peer.stream('tck-stream-artifact-chunked');
    const [task, ...updates] = events;
    assert.equal(task.kind, 'task');
    assert(updates.every(({ kind }) => kind.endsWith('-update')), 'not only updates follow');
    const chunks = updates.filter(({ kind }) => kind === 'artifact-update');
    assert.deepEqual(chunks.map(({ artifact }) => text(artifact)), ['chunk-1 ', 'chunk-2']);
    assert.deepEqual(chunks.map(({ append }) => Boolean(append)), [false, !peer.loses]);
    assert.deepEqual(chunks.map(({ lastChunk }) => Boolean(lastChunk)), [false, true]);
    peer.is(events.at(-1), 'completed');
    const [stored] = (await peer.get(task)).artifacts;
    assert.equal(text(stored), 'chunk-1 chunk-2');
  },

  async stream_answered_by_message(peer) {
    const events = await peer.stream('tck-message-response');
    assert.deepEqual(events.map(({ kind }) => kind), ['message']);
    assert.equal(text(events[0]), 'Direct message response');
  },

  async get(peer) {
    const task = await peer.send('tck-artifact-text');
    const stored = await peer.get(task);
    assert.deepEqual([stored.id, stored.contextId], [task.id, task.contextId]);
    peer.is(stored, 'completed');
    assert.deepEqual(stored.artifacts[0].parts.map(part), task.artifacts[0].parts.map(part));
    assert.equal((await peer.get(task, 1)).history.length, 1);
    await refuses(TASK_NOT_FOUND, peer.get({ id: randomUUID() }));
  },

  async cancel(peer) {
    const task = await peer.send('tck-cancel', { atOnce: true });
    peer.is(await peer.cancel(task), 'canceled');
    peer.is(await peer.get(task), 'canceled');
    await refuses(TASK_NOT_CANCELABLE, peer.cancel(task));
  },

  async subscribe(peer) {
    const task = await peer.send('tck-cancel', { atOnce: true });
    const events = peer.subscribe(task);
    const first = event((await events.next()).value);
    assert.deepEqual([first.kind, first.id], ['task', task.id]);
    await peer.cancel(task);
    peer.is((await collect(events)).at(-1), 'canceled');
    const again = collect(peer.subscribe(task));
    if (peer.sdk.version === '1.0') await refuses(UNSUPPORTED_OPERATION, again);
    else peer.is((await again).at(-1), 'canceled');
    await refuses(TASK_NOT_FOUND, collect(peer.subscribe({ id: randomUUID() })));
  },

  async input_required(peer) {
    const task = await peer.send('tck-input-required');
    peer.is(task, 'input-required');
    assert.equal(text(task.status.message), 'Input required by TCK');
    const done = await peer.send('tck-complete-task', { to: task });
    assert.deepEqual([done.id, done.contextId], [task.id, task.contextId]);
    peer.is(done, 'completed');
    await refuses(UNSUPPORTED_OPERATION, peer.send('tck-complete-task', { to: task }));
  },

  async input_required_streamed(peer) {
    const events = await peer.stream('tck-input-required');
    peer.is(events.at(-1), 'input-required');
    const answered = await peer.stream('tck-stream-artifact-text', { to: events[0] });
    peer.is(answered.at(-1), 'completed');
  },

  async refusals(peer) {
    await refuses(INVALID_PARAMS, peer.send([]));
    const to = { id: randomUUID() };
    await refuses(TASK_NOT_FOUND, peer.send('hello', { to }));
    await refuses(TASK_NOT_FOUND, peer.stream('hello', { to }));
  },

  async parts_come_back(peer) {
    const echo = await Peer.connect(peer.sdk, peer.binding, `${peer.url}a2a/agents/echo/`);
    const raw = Buffer.from([...Array(256).keys()]).toString('base64');
    const sent = [
      { text: 'Grüße, 世界\u2028\n' },
      { raw, name: 'all.bin', mimeType: 'x/y' },
      { raw: 'AAE=' },
      { url: 'https://example.com/a?b=c#d', name: 'a' },
      { data: { list: [1, 2.5, null, true, { '': [] }], a_b: { cD: 'e' } } },
    ];
    const { artifacts } = await echo.send(sent);
    assert.deepEqual(peer.plain(artifacts[0].parts.map(part)), peer.plain(sent));
  },
};

async function passes(name, check, peer) {
  let limit;
  const late = new Promise((_, reject) => {
    limit = setTimeout(() => reject(new Error('took too long')), CHECK_LIMIT);
  });
  try {
    await Promise.race([check(peer), late]);
    console.log(`pass ${name}`);
    return true;
  } catch (error) {
    console.log(`fail ${name}: ${String(error).replaceAll(/\s+/g, ' ')}`);
    return false;
  } finally {
    clearTimeout(limit);
  }
}

const [alias, version, url] = process.argv.slice(2);
const sdk = await load(alias, version);
let failed = false;
for (const binding of ['JSONRPC', 'HTTP+JSON']) {
  const peer = await Peer.connect(sdk, binding, `${url}/`);
  for (const [name, check] of Object.entries(CHECKS)) {
    failed = !(await passes(`${binding} ${name}`, check, peer)) || failed;
  }
}
// Streams left open by a check that failed must not keep the process.
process.exit(failed ? 1 : 0);
