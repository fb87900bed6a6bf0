import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ArpeggioError } from '../../src/errors.js';
import { command, fetchStatus } from '../../src/status/client.js';
import type { CommandHandlers, DrainProgress } from '../../src/status/commands.js';
import { parseListenAddress } from '../../src/status/listen_address.js';
import type { StatusHandlers } from '../../src/status/routes.js';
import { createStatusServer as create, type StatusServer, type StatusServerOptions } from '../../src/status/server.js';
import { sampleStatus } from './status_sample.js';

const directory = mkdtempSync(join(tmpdir(), 'arpeggio-status-'));
const servers: { close(): unknown }[] = [];

after(async () => {
  // A test that failed must not keep the others from being reported.
  await Promise.all(servers.map((server) => server.close()));
  rmSync(directory, { recursive: true });
});

async function createStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const server = await create(options);
  servers.push(server);
  return server;
}

let count = 0;
const socketPath = () => join(directory, 'run', `${++count}.sock`);

const healthy: StatusHandlers = { status: () => sampleStatus(), health: () => ({ ok: true, reason: null }) };

function ask(socketPath: string, path: string, method = 'GET', body = '') {
  return new Promise<{ code: number; text: string; headers: Record<string, unknown> }>((resolve, reject) => {
    request({ socketPath, path, method, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ code: response.statusCode!, text, headers: response.headers }));
    })
      .on('error', reject)
      .end(body);
  });
}

/** Leaves a socket behind as a crash does. */
function crashed(path: string): void {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  assert.ok(existsSync(path));
}

test('the status comes back as it was given, from a socket for owner and group', async () => {
  const socket = socketPath();
  const server = await createStatusServer({ socket, listen: null, handlers: healthy });
  assert.equal(statSync(socket).mode & 0o777, 0o660);
  const { status, text } = await fetchStatus({ socket });
  assert.deepEqual(status, sampleStatus());
  assert.deepEqual(JSON.parse(text), sampleStatus());
  await server.close();
  assert.equal(existsSync(socket), false);
});

test('routes, methods and health', async () => {
  const socket = socketPath();
  let health = { ok: true, reason: null as string | null };
  let broken = false;
  const server = await createStatusServer({
    socket,
    listen: null,
    handlers: {
      status: () => {
        if (broken) throw new Error('out of order');
        return sampleStatus();
      },
      health: () => health,
    },
  });
  const healthz = await ask(socket, '/healthz');
  assert.deepEqual([healthz.code, JSON.parse(healthz.text)], [200, { ok: true, reason: null }]);
  health = { ok: false, reason: 'the table has expired' };
  const ill = await ask(socket, '/healthz?verbose');
  assert.equal((await ask(socket, '/livez')).code, 200);
  assert.deepEqual([ill.code, JSON.parse(ill.text).reason], [503, 'the table has expired']);
  const head = await ask(socket, '/api/v1/status', 'HEAD');
  assert.deepEqual([head.code, head.text], [200, '']);
  const post = await ask(socket, '/api/v1/status', 'POST');
  assert.deepEqual([post.code, post.headers.allow, JSON.parse(post.text).error.code], [405, 'GET, HEAD', 405]);
  for (const path of ['/', '/metrics', '/constructor']) {
    const other = await ask(socket, path);
    assert.deepEqual([other.code, other.headers['content-type']], [404, 'application/json']);
    assert.match(JSON.parse(other.text).error.message, /\/api\/v1\/status or \/healthz/);
  }
  broken = true;
  const failed = await ask(socket, '/api/v1/status');
  assert.deepEqual([failed.code, JSON.parse(failed.text)], [500, { error: { code: 500, message: 'out of order' } }]);
  await assert.rejects(fetchStatus({ socket }), {
    code: 'ERR_STATUS_UNREACHABLE',
    message: /HTTP status 500.*out of order/,
  });
  await server.close();
});

function commandsOf(calls: string[]): CommandHandlers {
  const progress: DrainProgress = { node: 'host-a', state: 'draining', owned: 3 };
  return {
    drain: () => {
      calls.push('drain');
      return progress;
    },
    undrain: () => {
      calls.push('undrain');
      return { ...progress, state: 'ready' };
    },
    drainProgress: () => progress,
    move: ({ address, node }) => {
      calls.push(`move ${address} ${node}`);
      if (node === 'nobody') throw new ArpeggioError('ERR_REFUSED', 'there is no node "nobody"');
      return { address, owners: [], done: false };
    },
    moveProgress: ({ address }) => ({ address, owners: [], done: true }),
  };
}

test('commands by POST, their progress by GET, on the socket', async () => {
  const socket = socketPath();
  const calls: string[] = [];
  const server = await createStatusServer({ socket, listen: null, handlers: healthy, commands: commandsOf(calls) });
  const drained = await ask(socket, '/api/v1/drain', 'POST');
  assert.deepEqual([drained.code, JSON.parse(drained.text)], [200, { node: 'host-a', state: 'draining', owned: 3 }]);
  assert.equal((await ask(socket, '/api/v1/undrain', 'POST')).code, 200);
  const order = { address: '192.0.2.10', node: 'host-b' };
  assert.deepEqual(await command('POST', '/api/v1/move', { socket, body: order }), {
    address: '192.0.2.10',
    owners: [],
    done: false,
  });
  assert.deepEqual(calls.splice(0), ['drain', 'undrain', 'move 192.0.2.10 host-b']);

  assert.equal((await command<DrainProgress>('GET', '/api/v1/drain', { socket })).owned, 3);
  const progress = await command<{ done: boolean }>('GET', '/api/v1/move?address=192.0.2.10&node=host-b', { socket });
  assert.equal(progress.done, true);
  const get = await ask(socket, '/api/v1/undrain');
  assert.deepEqual([get.code, get.headers.allow], [405, 'POST']);
  const both = await ask(socket, '/api/v1/drain', 'DELETE');
  assert.deepEqual([both.code, both.headers.allow], [405, 'GET, HEAD, POST']);
  assert.deepEqual(calls, [], 'asking changes nothing');
  await server.close();
});

test('a command that is refused says why; a wrong one what it takes', async () => {
  const socket = socketPath();
  const server = await createStatusServer({ socket, listen: null, handlers: healthy, commands: commandsOf([]) });
  const refused = command('POST', '/api/v1/move', { socket, body: { address: '192.0.2.10', node: 'nobody' } });
  await assert.rejects(refused, { code: 'ERR_REFUSED', message: 'there is no node "nobody"' });
  for (const body of ['', 'null', '{', '{"address": 1, "node": "a"}', '[]']) {
    const answer = await ask(socket, '/api/v1/move', 'POST', body);
    assert.equal(answer.code, 400, body);
    assert.match(JSON.parse(answer.text).error.message, /^a move takes/);
  }
  assert.equal((await ask(socket, '/api/v1/move', 'POST', 'x'.repeat(5_000))).code, 413);
  await assert.rejects(command('GET', '/api/v1/other', { socket }), {
    code: 'ERR_STATUS_UNREACHABLE',
    message: /HTTP status 404.*same version/,
  });
  await server.close();
});

test('TCP takes no command', async () => {
  const calls: string[] = [];
  const listen = { host: '127.0.0.1', port: 0 };
  const server = await createStatusServer({
    socket: socketPath(),
    listen,
    handlers: healthy,
    commands: commandsOf(calls),
  });
  for (const path of ['drain', 'undrain', 'move']) {
    for (const method of ['POST', 'GET']) {
      const response = await fetch(`http://127.0.0.1:${server.listen!.port}/api/v1/${path}`, { method });
      assert.equal(response.status, 403);
      assert.match(JSON.stringify(await response.json()), /on the unix socket only/);
    }
  }
  assert.deepEqual(calls, []);
  await server.close();
});

test('a socket that a dead process left is replaced, one in use is not', async () => {
  const socket = socketPath();
  await (await createStatusServer({ socket, listen: null, handlers: healthy })).close();
  crashed(socket);
  await assert.rejects(fetchStatus({ socket }), { code: 'ERR_STATUS_UNREACHABLE', message: /is gone without/ });
  const server = await createStatusServer({ socket, listen: null, handlers: healthy });
  await assert.rejects(createStatusServer({ socket, listen: null, handlers: healthy }), {
    code: 'ERR_ALREADY_RUNNING',
    message: /^a speaker \(node host-a, process 42\) already listens on .*; stop it first/,
  });
  assert.equal((await fetchStatus({ socket })).status.node, 'host-a', 'the first one still answers');
  await server.close();
});

test('somebody else on the socket, who is no speaker', async () => {
  const socket = join(directory, 'other.sock');
  const other = createServer((_, response) => response.end('hello'));
  servers.push(other);
  await new Promise<void>((resolve) => other.listen(socket, resolve));
  await assert.rejects(createStatusServer({ socket, listen: null, handlers: healthy }), {
    code: 'ERR_ALREADY_RUNNING',
    message: /^another process already listens/,
  });
  await assert.rejects(fetchStatus({ socket }), { code: 'ERR_STATUS_UNREACHABLE', message: /same version/ });
  other.close();
});

test('a file that is no socket is never deleted', async () => {
  const socket = join(directory, 'precious');
  writeFileSync(socket, 'keep me');
  await assert.rejects(createStatusServer({ socket, listen: null, handlers: healthy }), {
    code: 'ERR_INVALID_ARGUMENT',
  });
  assert.equal(readFileSync(socket, 'utf8'), 'keep me');
  await assert.rejects(createStatusServer({ socket: join(socket, 'x.sock'), listen: null, handlers: healthy }), {
    code: 'ERR_SYSTEM',
    message: /cannot be served on/,
  });
});

test('a path too long for a socket', async () => {
  await assert.rejects(
    createStatusServer({ socket: join(directory, 'x'.repeat(100)), listen: null, handlers: healthy }),
    {
      code: 'ERR_INVALID_ARGUMENT',
      message: /at most 107 bytes/,
    },
  );
});

test('loopback TCP beside the socket; a port in use fails and leaves no socket', async () => {
  const socket = socketPath();
  const server = await createStatusServer({ socket, listen: { host: '127.0.0.1', port: 0 }, handlers: healthy });
  const { host, port } = server.listen!;
  const response = await fetch(`http://${host}:${port}/api/v1/status`);
  assert.deepEqual(await response.json(), sampleStatus());
  const second = socketPath();
  await assert.rejects(createStatusServer({ socket: second, listen: { host, port }, handlers: healthy }), {
    code: 'ERR_ALREADY_RUNNING',
    message: /another process listens on 127\.0\.0\.1:/,
  });
  assert.equal(existsSync(second), false);
  await server.close();
});

test('only loopback addresses are listened on', () => {
  assert.deepEqual(parseListenAddress('127.0.0.1:9180'), { host: '127.0.0.1', port: 9180 });
  assert.deepEqual(parseListenAddress('[::1]:0'), { host: '::1', port: 0 });
  assert.deepEqual(parseListenAddress('localhost:80'), { host: 'localhost', port: 80 });
  for (const text of ['0.0.0.0:9180', '[::]:9180', '192.0.2.1:80', '127.evil.example:80'])
    assert.throws(() => parseListenAddress(text), { code: 'ERR_INVALID_ARGUMENT', message: /not a loopback/ });
  for (const text of ['', '9180', '127.0.0.1', '127.0.0.1:65536', '::1:80'])
    assert.throws(() => parseListenAddress(text), { code: 'ERR_INVALID_ARGUMENT', message: /write it like/ });
});

test('no speaker: what to do about it', async () => {
  await assert.rejects(fetchStatus({ socket: join(directory, 'absent.sock') }), {
    code: 'ERR_STATUS_UNREACHABLE',
    message: /arpeggio run.*--socket/,
  });
});

test('a speaker that does not answer in time, or hangs up', async () => {
  const silent = join(directory, 'silent.sock');
  const server = createNetServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(silent, resolve));
  await assert.rejects(fetchStatus({ socket: silent, timeoutMs: 50 }), { message: /did not answer within 50 ms/ });
  server.on('connection', (socket) => socket.destroy());
  await assert.rejects(fetchStatus({ socket: silent }), { code: 'ERR_STATUS_UNREACHABLE', message: /cannot be asked/ });
  server.removeAllListeners('connection');
  server.on('connection', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"node":'));
  await assert.rejects(fetchStatus({ socket: silent }), { code: 'ERR_STATUS_UNREACHABLE' });
  server.close();
});
