// The client of the API server, over real TLS: what it sends, what it tries again, how it names what went wrong.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { ApiClient } from '../../src/kubernetes/api_client.js';
import { type ApiError, isAlreadyExists, isConflict, isGone, isNotFound } from '../../src/kubernetes/api_error.js';
import { json, pause, SILENT, status, TestServer } from './kubernetes_server.js';

let server: TestServer;
let client: ApiClient;

before(async () => {
  server = await TestServer.start();
});
after(() => server.close());
beforeEach(async () => {
  server.reset();
  client = await ApiClient.connect({ kubeconfig: server.kubeconfig, log: SILENT });
});
afterEach(() => client.close());

const ok = (response: ServerResponse) => {
  json(response, 200, { done: true });
  return undefined;
};
const failure = async (work: Promise<unknown>): Promise<ApiError> => {
  try {
    await work;
  } catch (error) {
    return error as ApiError;
  }
  return assert.fail('it should have failed');
};

test('verbs, query, body and content type arrive as asked', async () => {
  server.fault('other', ok, 5);
  assert.deepEqual(await client.get('/api/v1/pods/x', { query: { fieldManager: 'a b' } }), { done: true });
  await client.create('/api/v1/pods', { a: 1 });
  await client.replace('/api/v1/pods/x', { a: 2 });
  await client.patch('/api/v1/pods/x/status', { a: 'ü' });
  await client.delete('/api/v1/pods/x');
  const sent = server.seen.map(({ method, path, contentType, body }) => [method, path, contentType, body]);
  assert.deepEqual(sent, [
    ['GET', '/api/v1/pods/x', '', ''],
    ['POST', '/api/v1/pods', 'application/json', '{"a":1}'],
    ['PUT', '/api/v1/pods/x', 'application/json', '{"a":2}'],
    ['PATCH', '/api/v1/pods/x/status', 'application/merge-patch+json', '{"a":"ü"}'],
    ['DELETE', '/api/v1/pods/x', '', ''],
  ]);
  assert.equal(server.seen[0]!.query.get('fieldManager'), 'a b');
  assert.equal(new Set(server.seen.map(({ socket }) => socket)).size, 1, 'one connection serves all');
  assert.equal(client.namespace, 'here');
  assert.equal(client.server, server.url);
});

test('an answer that refuses becomes an ApiError with status and reason', async () => {
  server.fault('other', (response) => void status(response, 409, 'Conflict'));
  const conflict = await failure(client.replace('/x', {}));
  assert.ok(isConflict(conflict) && !isAlreadyExists(conflict) && !isNotFound(conflict));
  assert.deepEqual([conflict.code, conflict.status, conflict.reason], ['ERR_API', 409, 'Conflict']);
  assert.match(conflict.message, /^PUT \/x: HTTP status 409: test: Conflict$/);
  server.fault('other', (response) => void status(response, 409, 'AlreadyExists'));
  assert.ok(isAlreadyExists(await failure(client.create('/x', {}))));
  assert.ok(isNotFound(await failure(client.get('/x'))));
  server.fault('other', (response) => void status(response, 403, 'Forbidden'));
  assert.match((await failure(client.get('/x'))).message, /Forbidden; grant it with a Role/);
  server.fault('other', (response) => void response.writeHead(502).end('<html>bad gateway</html>'));
  assert.match((await failure(client.get('/x'))).message, /HTTP status 502: <html>bad gateway/);
  server.fault('other', (response) => void status(response, 410, 'Expired'));
  assert.ok(isGone(await failure(client.get('/x'))));
});

test('429 is tried again after Retry-After, also a create; 5xx only what is idempotent', async () => {
  const later = (code: number) => (response: ServerResponse) =>
    void status(response, code, 'TooManyRequests', { 'retry-after': '1' });
  server.fault('other', later(429));
  server.fault('other', ok);
  assert.deepEqual(await client.create('/x', {}), { done: true });
  const [first, second] = server.seen;
  assert.ok(second!.atMs - first!.atMs >= 990, 'Retry-After is honoured');
  server.fault('other', later(503));
  server.fault('other', ok);
  assert.deepEqual(await client.get('/x'), { done: true });
  server.fault('other', later(503));
  assert.equal((await failure(client.create('/x', {}))).status, 503);
  server.fault('other', later(429));
  const refused = await failure(client.get('/x', { timeoutMs: 500 }));
  assert.deepEqual([refused.status, refused.retryAfterMs], [429, 1000], 'not beyond the time given');
  server.fault('other', later(429));
  assert.equal((await failure(client.get('/x', { retry: false }))).status, 429);
});

test('a silent, cut off or unreadable answer is an error within the time given', async () => {
  server.fault('other', () => undefined);
  const silent = await failure(client.get('/x', { timeoutMs: 100 }));
  assert.deepEqual([silent.status, silent.reason], [0, 'Timeout']);
  server.fault('other', (response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"a":');
    setTimeout(() => response.socket?.destroy(), 20);
    return undefined;
  });
  assert.equal((await failure(client.get('/x'))).reason, 'Truncated');
  server.fault('other', (response) => void response.writeHead(200).end('{"a":'));
  assert.equal((await failure(client.get('/x'))).reason, 'Malformed');
});

test('abort and close end what is under way', async () => {
  server.fault('other', () => undefined, 2);
  const controller = new AbortController();
  const first = failure(client.get('/x', { signal: controller.signal }));
  setTimeout(() => controller.abort(), 50);
  assert.equal((await first).reason, 'Aborted');
  const second = failure(client.get('/x'));
  setTimeout(() => client.close(), 50);
  assert.equal((await second).reason, 'Aborted');
  assert.equal((await failure(client.get('/x'))).reason, 'Aborted');
});

test('a kept connection that the server has closed is no error', async () => {
  server.fault('other', ok);
  await client.get('/x');
  server.fault('other', (response) => void response.socket?.destroy());
  server.fault('other', ok);
  assert.deepEqual(await client.get('/x'), { done: true });
  server.fault('other', (response) => void response.socket?.destroy());
  assert.equal((await failure(client.create('/x', {}))).reason, 'Unreachable', 'nobody knows whether it was created');
});

test('a token that is no longer accepted is read again, at once', async () => {
  server.fault('other', ok, 3);
  await client.get('/x');
  server.token = 'second';
  server.writeKubeconfig();
  assert.deepEqual(await client.get('/x'), { done: true });
  assert.equal(server.seen.length, 2, 'the change of the file was seen before the request');
  server.token = 'third';
  const refused = await failure(client.get('/x'));
  assert.deepEqual([refused.status, refused.reason], [401, 'Unauthorized']);
  assert.equal(server.seen.length, 4, 'once more with fresh credentials, not for ever');
  server.writeKubeconfig();
  assert.deepEqual(await client.get('/x'), { done: true });
});

test('a token of an exec plugin, kept until it is refused, is asked for again', async () => {
  const file = join(server.directory, 'credential');
  const write = (token: string) => writeFileSync(file, JSON.stringify({ kind: 'ExecCredential', status: { token } }));
  write('one');
  server.token = 'one';
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'cat', args: [file] };
  server.writeKubeconfig({ user: { token: undefined, exec } });
  server.fault('other', ok, 2);
  await client.get('/x');
  write('two');
  server.token = 'two';
  assert.deepEqual(await client.get('/x'), { done: true });
  assert.deepEqual(
    server.seen.map(({ authorization }) => authorization),
    ['Bearer one', 'Bearer one', 'Bearer two'],
  );
});

test('a new authority takes effect; a kubeconfig that is broken for a moment does not', async () => {
  server.fault('other', ok, 3);
  await client.get('/x');
  await server.down();
  await server.listen(1);
  const refused = await failure(client.get('/x'));
  assert.equal(refused.reason, 'Untrusted');
  assert.match(refused.message, /certificate-authority/);
  server.writeKubeconfig({ ca: server.caFile(1) });
  assert.deepEqual(await client.get('/x'), { done: true });
  writeFileSync(server.kubeconfig, '{ "clusters": [');
  assert.deepEqual(await client.get('/x'), { done: true });
  await server.down();
  await server.listen(0);
});

test('nobody listens: the error says where', async () => {
  await server.down();
  const refused = await failure(client.get('/x'));
  assert.deepEqual([refused.status, refused.reason], [0, 'Unreachable']);
  assert.match(refused.message, /ECONNREFUSED 127\.0\.0\.1/);
  await server.listen(0);
});

test('in a pod: the service account, its token read again when the volume is swapped', async () => {
  const root = mkdtempSync(join(tmpdir(), 'arpeggio-pod-'));
  const mount = join(root, 'var/run/secrets/kubernetes.io/serviceaccount');
  const version = (name: string, token: string) => {
    mkdirSync(join(mount, name), { recursive: true });
    writeFileSync(join(mount, name, 'token'), token);
    writeFileSync(join(mount, name, 'namespace'), 'metallb-system');
    copyFileSync(server.caFile(), join(mount, name, 'ca.crt'));
    symlinkSync(name, join(mount, 'next'));
    renameSync(join(mount, 'next'), join(mount, '..data'));
  };
  const environment = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: new URL(server.url).port };
  Object.assign(process.env, environment);
  try {
    const connect = () => ApiClient.connect({ log: SILENT, root, environment });
    await assert.rejects(connect(), /service account's .*token cannot be read.*automountServiceAccountToken/);
    version('..v1', 'one');
    for (const name of ['token', 'namespace', 'ca.crt']) symlinkSync(`..data/${name}`, join(mount, name));
    const pod = await connect();
    assert.equal(pod.namespace, 'metallb-system');
    server.token = 'one';
    server.fault('other', ok, 2);
    await pod.get('/x');
    version('..v2', 'two');
    server.token = 'two';
    await pod.get('/x');
    assert.equal(server.seen.length, 2);
    pod.close();
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name];
    rmSync(root, { recursive: true });
  }
});

test('what is missing for a connection is said', async () => {
  const connect = (kubeconfig: string | null, environment: NodeJS.ProcessEnv) =>
    ApiClient.connect({ kubeconfig, log: SILENT, environment });
  const file = join(server.directory, 'other');
  await assert.rejects(
    connect(null, { HOME: server.directory }),
    /KUBECONFIG is not set, and there is no .*\.kube\/config/,
  );
  await assert.rejects(connect(file, {}), /named with --kubeconfig\) does not exist/);
  await assert.rejects(connect(null, { KUBECONFIG: file }), /named in KUBECONFIG\) does not exist/);
  writeFileSync(file, 'clusters: [}');
  await assert.rejects(connect(file, {}), /cannot be used: /);
  writeFileSync(file, '{}');
  await assert.rejects(connect(file, {}), /current-context is missing.*use-context/);
  writeFileSync(file, 'current-context: x\ncontexts: [{name: x, context: {cluster: y, user: z}}]');
  await assert.rejects(connect(file, {}), /"x" names no cluster/);
  const { code } = await failure(connect(file, {}));
  assert.equal(code, 'ERR_KUBECONFIG');
});

test('many requests at once warn of no leak', async () => {
  const warnings: string[] = [];
  const listener = (warning: Error) => warnings.push(warning.message);
  process.on('warning', listener);
  server.token = 'first';
  server.writeKubeconfig();
  server.fault('other', ok, 30);
  const controller = new AbortController();
  await Promise.all(Array.from({ length: 30 }, () => client.get('/x', { signal: controller.signal })));
  await pause(20);
  process.off('warning', listener);
  assert.deepEqual(warnings, []);
});
