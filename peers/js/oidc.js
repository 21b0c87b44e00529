// An OpenID Connect provider that others wrote issues the tokens, and the server decides about them.
//
//     node oidc.js SERVER
//
// ISSUER_PORT is where the server looks for the issuer, and AUDIENCE whom its tokens have to be for.

import { Provider } from "oidc-provider";
import { generateKeyPairSync } from "node:crypto";

const server = process.argv[2];
const port = Number(process.env.ISSUER_PORT);
const audience = process.env.AUDIENCE;
const issuer = `http://127.0.0.1:${port}`;
const client = { id: "the-client", secret: "the-secret-of-the-client-of-the-tests" };

function key(kid, kind) {
  const options = kind === "RSA" ? { modulusLength: 2048 } : { namedCurve: "P-256" };
  const { privateKey } = generateKeyPairSync(kind === "RSA" ? "rsa" : "ec", options);
  const alg = kind === "RSA" ? "RS256" : "ES256";
  return { ...privateKey.export({ format: "jwk" }), kid, alg, use: "sig" };
}

// Signs with the first key of the kind that is asked for.
function start(keys, alg) {
  const server = (_, resource) => ({
    scope: "read send",
    audience: resource.replace("urn:opaque:", ""),
    accessTokenTTL: 300,
    ...(resource.startsWith("urn:opaque:")
      ? { accessTokenFormat: "opaque" }
      : { accessTokenFormat: "jwt", jwt: { sign: { alg } } }),
  });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    jwks: { keys },
    scopes: ["read", "send"],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: { enabled: true, getResourceServerInfo: server },
    },
  });
  return new Promise((resolve) => {
    const listening = provider.listen(port, "127.0.0.1", () => resolve(listening));
  });
}

async function stop(listening) {
  listening.closeAllConnections();
  await new Promise((resolve) => listening.close(resolve));
}

function form(path, fields) {
  const basic = Buffer.from(`${client.id}:${client.secret}`).toString("base64");
  const headers = { authorization: `Basic ${basic}` };
  return fetch(`${issuer}${path}`, { method: "POST", headers, body: new URLSearchParams(fields) });
}

async function token(resource, scope) {
  const answer = await form("/token", { grant_type: "client_credentials", resource, scope });
  const { access_token: token, ...rest } = await answer.json();
  if (!token) throw new Error(`no token: ${JSON.stringify(rest)}`);
  return token;
}

function send(token) {
  const headers = { "a2a-version": "1.0", "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const message = { messageId: "m-1", role: "ROLE_USER", parts: [{ text: "hi" }] };
  const body = JSON.stringify({ message });
  return fetch(`${server}/a2a/agents/echo/message:send`, { method: "POST", headers, body });
}

async function expect(status, token) {
  const answer = await send(token);
  const body = await answer.text();
  if (answer.status !== status) throw new Error(`${answer.status} instead of ${status}: ${body}`);
  return { challenge: answer.headers.get("www-authenticate") ?? "", body };
}

async function check(name, run) {
  try {
    await run();
    console.log(`pass ${name}`);
  } catch (error) {
    console.log(`fail ${name}: ${String(error.message ?? error).replaceAll("\n", " ")}`);
  }
}

const old = [key("rsa-1", "RSA"), key("ec-1", "EC")];
let listening = await start(old, "RS256");

await check("a client finds the issuer by the refusal", async () => {
  const { challenge } = await expect(401);
  const place = /resource_metadata="([^"]+)"/.exec(challenge)?.[1];
  const metadata = await (await fetch(place)).json();
  if (!metadata.authorization_servers.includes(issuer)) throw new Error(JSON.stringify(metadata));
  if (metadata.resource !== `${server}/a2a/agents/echo`) throw new Error(metadata.resource);
});
const signed = await token(audience, "read send");
await check("a signed token is known", () => expect(200, signed));
await check("a signed token without the scope may not send", async () => {
  const { challenge } = await expect(403, await token(audience, "read"));
  if (!challenge.includes('error="insufficient_scope", scope="send"')) throw new Error(challenge);
});
await check("a signed token for another audience is refused", async () =>
  expect(401, await token("urn:another", "read send")));
await check("a signed token that was changed is refused", () =>
  expect(401, signed.replace(/.{8}$/, "AAAAAAAA")));
await check("a token that is asked about is known", async () =>
  expect(200, await token(`urn:opaque:${audience}`, "read send")));
await check("a token that is asked about without the scope may not send", async () =>
  expect(403, await token(`urn:opaque:${audience}`, "read")));
await check("a revoked token is refused", async () => {
  const revoked = await token(`urn:opaque:${audience}`, "read send");
  const answer = await form("/token/revocation", { token: revoked });
  if (!answer.ok) throw new Error(`not revoked: ${answer.status}`);
  await expect(401, revoked);
});
await check("a token that nobody issued is refused", () => expect(401, "nobodys-token"));

// Keys of an unknown name are fetched at most once in 30 s.
await stop(listening);
await new Promise((resolve) => setTimeout(resolve, 31_000));
listening = await start([key("ec-2", "EC"), ...old], "ES256");
await check("a new key is found, and the old one still counts", async () => {
  await expect(200, await token(audience, "read send"));
  await expect(200, signed);
});
await stop(listening);
await check("what is signed needs no issuer at the moment", () => expect(200, signed));
await check("without the issuer nobody is let in by its word", () => expect(503, "opaque-and-new"));
process.exit(0);
