/**
 * The generations of the JavaScript SDK behind one face.
 *
 * What is said and what is answered has the form of the 0.3 types here; parts are plain
 * objects such as `{text}` or `{raw, name, mimeType}`.
 */

import { randomUUID } from 'node:crypto';

/** Loads an alias of package.json, to speak that version of the protocol. */
export async function load(alias, version) {
  const [types, client] = await Promise.all([import(alias), import(`${alias}/client`)]);
  // The types of the SDK's own generation, whatever goes over the wire.
  const modern = 'TaskState' in types;
  return { alias, version, client, types, modern, say: modern ? sayIn1_0(types) : sayIn0_3 };
}

function sayIn0_3(parts, { to, contextId, atOnce }) {
  const message = { kind: 'message', messageId: randomUUID(), role: 'user', contextId };
  return {
    message: { ...message, taskId: to?.id, parts: parts.map(partIn0_3) },
    configuration: { blocking: !atOnce },
  };
}

function partIn0_3({ text, data, raw, url, name, mimeType }) {
  if (text !== undefined) return { kind: 'text', text };
  if (data !== undefined) return { kind: 'data', data };
  const content = raw === undefined ? { uri: url } : { bytes: raw };
  return { kind: 'file', file: { ...content, name, mimeType } };
}

const sayIn1_0 = (types) => (parts, { to, contextId = '', atOnce = false }) => {
  const message = { messageId: randomUUID(), role: types.Role.ROLE_USER, contextId };
  const rest = { metadata: undefined, extensions: [], referenceTaskIds: [] };
  return {
    tenant: '',
    message: { ...message, taskId: to?.id ?? '', parts: parts.map(partIn1_0), ...rest },
    configuration: { acceptedOutputModes: [], returnImmediately: atOnce },
    metadata: undefined,
  };
};

function partIn1_0({ name = '', mimeType = '', ...content }) {
  const [[$case, value]] = Object.entries(content);
  const bytes = $case === 'raw' ? Buffer.from(value, 'base64') : value;
  return { content: { $case, value: bytes }, filename: name, mediaType: mimeType };
}

/** The plain form of a part that was answered. */
export function part({ content, text, data, file = {}, filename, mediaType }) {
  const { bytes, uri, name = filename, mimeType = mediaType } = file;
  const plain = { text, data, raw: bytes, url: uri, name, mimeType };
  if (content) {
    const { $case, value } = content;
    plain[$case] = $case === 'raw' ? value.toString('base64') : value;
  }
  const present = ([, value]) => value !== undefined && value !== '';
  return Object.fromEntries(Object.entries(plain).filter(present));
}

/** The name of a task's state. */
export function state(types, { status }) {
  const name = String(types.TaskState?.[status.state] ?? status.state);
  // REST of 0.3 has the protobuf names, with a British spelling.
  const plain = name.replace('TASK_STATE_', '').toLowerCase().replace('_', '-');
  return plain.replace('cancelled', 'canceled');
}

/** An answer with its kind. */
export function answer(types, { kind, ...answered }) {
  if (types.TaskState) return { kind: 'messageId' in answered ? 'message' : 'task', ...answered };
  return { kind, ...answered };
}

/** An event of a stream with its kind. */
export function event(sent) {
  if (sent.kind) return sent;
  // The newer types have `{payload: {$case, value}}`; 0.3.7 reads no protobuf JSON and shows
  // `{statusUpdate: value}` as it came.
  const { $case, value } = sent.payload ?? {};
  const [kind, inner] = $case ? [$case, value] : Object.entries(sent)[0];
  return { kind: kind.replace('Update', '-update'), ...inner };
}
