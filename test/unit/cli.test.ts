import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { describeError } from '../../src/cli/cli_error.js';
import { progressText } from '../../src/cli/drain.js';
import { ArpeggioError } from '../../src/errors.js';
import type { CommandHandlers, DrainProgress, MoveOrder } from '../../src/status/commands.js';
import { createStatusServer, type StatusServer } from '../../src/status/server.js';
import { sampleStatus } from './status_sample.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const PACKAGE = fileURLToPath(new URL('../../../package.json', import.meta.url));

const directory = mkdtempSync(join(tmpdir(), 'arpeggio-cli-'));
const socket = join(directory, 'arpeggio.sock');
const absent = join(directory, 'absent.sock');
let server: StatusServer;

/** What the speaker's next answers on draining say is left; the last one stays. */
let left: number[] = [0];
let movedTo: string | null = null;

const progress = (): DrainProgress => {
  const owned = (left.length > 1 ? left.shift() : left[0]) ?? 0;
  return { node: 'host-a', state: owned === 0 ? 'drained' : 'draining', owned };
};
const moveProgress = ({ address, node }: MoveOrder) => ({
  address,
  owners: [{ interface: 'eth0', node: movedTo }],
  done: movedTo === node,
});
const commands: CommandHandlers = {
  drain: progress,
  drainProgress: progress,
  undrain: () => ({ node: 'host-a', state: 'ready', owned: 1 }),
  move: (order) => {
    if (order.node === 'host-x') throw new ArpeggioError('ERR_REFUSED', 'there is no node "host-x"');
    return moveProgress(order);
  },
  moveProgress,
};

before(async () => {
  const handlers = { status: () => sampleStatus(), health: () => ({ ok: true, reason: null }) };
  server = await createStatusServer({ socket, listen: null, handlers, commands });
});
after(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

function arpeggio(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test('--version is the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8'));
  assert.deepEqual(await arpeggio('--version'), { code: 0, stdout: `${version}\n`, stderr: '' });
});

test('--help lists the commands and shows examples, of commands too', async () => {
  const { code, stdout } = await arpeggio('--help');
  assert.equal(code, 0);
  for (const command of ['run', 'speaker', 'status', 'drain', 'undrain', 'move', 'cleanup', 'lab'])
    assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
  assert.match(stdout, /^Examples:$/m);
  const help = await arpeggio('cleanup', '--help');
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^Examples:$/m);
});

test('a wrong command line is exit code 2, with a suggestion', async () => {
  const command = await arpeggio('stauts');
  assert.equal(command.code, 2);
  assert.match(command.stderr, /unknown command 'stauts'\n\(Did you mean status\?\)/);
  const option = await arpeggio('status', '--jsno');
  assert.equal(option.code, 2);
  assert.match(option.stderr, /unknown option '--jsno'\n\(Did you mean --json\?\)/);
  assert.equal((await arpeggio('status', 'extra')).code, 2);
  assert.equal((await arpeggio()).code, 2);
});

test('status for people and for machines', async () => {
  const text = await arpeggio('status', '--socket', socket);
  assert.equal(text.code, 0);
  assert.match(text.stdout, /^192\.0\.2\.10 +host-a +yes +owned +3m12s/m);
  const json = await arpeggio('status', '--json', '--socket', socket);
  assert.deepEqual(JSON.parse(json.stdout), sampleStatus());
});

test('status without a speaker: a sentence, no stack, exit code 1', async () => {
  const { code, stdout, stderr } = await arpeggio('status', '--socket', absent);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /^arpeggio: no speaker serves .*absent\.sock; start one .* \[ERR_STATUS_UNREACHABLE\]\n$/);
});

async function firstOutput(child: ChildProcess, count: number, from: 'stdout' | 'stderr'): Promise<string[]> {
  const lines: string[] = [];
  for await (const chunk of child[from]!) {
    lines.push(...String(chunk).trimEnd().split('\n'));
    if (lines.length >= count) break;
  }
  return lines;
}

test('status --watch repeats, and goes on without a speaker', async () => {
  const watching = spawn(process.execPath, [MAIN, 'status', '--watch', '--json', '--socket', socket]);
  const waiting = spawn(process.execPath, [MAIN, 'status', '--watch', '--socket', absent]);
  const [lines, complaints] = await Promise.all([
    firstOutput(watching, 2, 'stdout'),
    firstOutput(waiting, 2, 'stderr'),
  ]);
  for (const line of lines.slice(0, 2)) assert.deepEqual(JSON.parse(line), sampleStatus());
  for (const line of complaints.slice(0, 2)) assert.match(line, /^arpeggio: no speaker serves/);
  waiting.kill('SIGINT');
  await once(waiting, 'exit');
  // The reader is gone: the next write fails, and that ends it quietly.
  if (watching.exitCode === null) await once(watching, 'exit');
  assert.equal(watching.exitCode, 0);
});

test('cleanup with nothing to do succeeds; with a speaker running it refuses', async () => {
  const stateFile = join(directory, 'serve.json');
  const clean = await arpeggio('cleanup', '--state-file', stateFile, '--socket', absent);
  assert.deepEqual(clean, { code: 0, stdout: 'nothing to clean up\n', stderr: '' });
  const refused = await arpeggio('cleanup', '--state-file', stateFile, '--socket', socket);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /a speaker is running \(node host-a, process 42\).*--force \[ERR_ALREADY_RUNNING\]/);
  assert.equal((await arpeggio('cleanup', '--state-file', stateFile, '--socket', socket, '--force')).code, 0);
});

test('drain waits until nothing is left, and tells what changes', async () => {
  left = [3, 3, 3, 1, 1, 0];
  const done = await arpeggio('drain', '--socket', socket);
  assert.deepEqual(done, {
    code: 0,
    stdout:
      'host-a is draining: 3 service IPs left\nhost-a is draining: 1 service IP left\nhost-a is drained: it owns nothing\n',
    stderr: '',
  });
  assert.equal(progressText({ node: 'a', state: 'draining', owned: 2 }), 'a is draining: 2 service IPs left');
});

test('drain ends with 1 when something is left after the timeout, with 0 when it should not wait', async () => {
  left = [2];
  const late = await arpeggio('drain', '--timeout', '250ms', '--socket', socket);
  assert.deepEqual([late.code, late.stdout], [1, 'host-a is draining: 2 service IPs left\n']);
  assert.match(late.stderr, /^arpeggio: host-a still owns 2 service IPs: no other node/);
  assert.equal((await arpeggio('drain', '--no-wait', '--socket', socket)).code, 0);
  const wrong = await arpeggio('drain', '--timeout', '30', '--socket', socket);
  assert.deepEqual([wrong.code, /"30" is no duration/.test(wrong.stderr)], [2, true], wrong.stderr);
  const nobody = await arpeggio('drain', '--socket', absent);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /\[ERR_STATUS_UNREACHABLE\]/);
});

test('undrain', async () => {
  const { code, stdout } = await arpeggio('undrain', '--socket', socket);
  assert.deepEqual([code, stdout], [0, 'host-a takes part again; it owns 1 service IP\n']);
});

test('move: done, not done in time, refused', async () => {
  movedTo = 'host-b';
  const done = await arpeggio('move', '192.0.2.10', 'host-b', '--socket', socket);
  assert.deepEqual(done, { code: 0, stdout: 'host-b owns 192.0.2.10\n', stderr: '' });
  const late = await arpeggio('move', '192.0.2.10', 'host-c', '--timeout', '150ms', '--socket', socket);
  assert.equal(late.code, 1);
  assert.match(late.stderr, /^arpeggio: 192\.0\.2\.10 is not with host-c: host-b owns it on eth0;/);
  const asked = await arpeggio('move', '192.0.2.10', 'host-c', '--no-wait', '--socket', socket);
  assert.deepEqual([asked.code, asked.stdout], [0, '192.0.2.10 is asked for host-c\n']);
  const refused = await arpeggio('move', '192.0.2.10', 'host-x', '--socket', socket);
  assert.deepEqual([refused.code, refused.stderr], [1, 'arpeggio: there is no node "host-x" [ERR_REFUSED]\n']);
  assert.equal((await arpeggio('move', '192.0.2.10')).code, 2);
});

test('errors as text and exit code', () => {
  assert.deepEqual(
    describeError(new ArpeggioError('ERR_CONFIG', 'a.yaml:1:1: node: wrong\na.yaml:2:1: x: unknown key')),
    {
      text: 'a.yaml:1:1: node: wrong\na.yaml:2:1: x: unknown key',
      exitCode: 2,
    },
  );
  assert.deepEqual(describeError(new ArpeggioError('ERR_INVALID_ARGUMENT', 'no')), {
    text: 'arpeggio: no [ERR_INVALID_ARGUMENT]',
    exitCode: 2,
  });
  assert.equal(describeError(new ArpeggioError('ERR_SYSTEM', 'no')).exitCode, 1);
  const unexpected = describeError(new TypeError('oops'));
  assert.match(unexpected.text, /unexpected error.*\nTypeError: oops\n +at /s);
  assert.equal(unexpected.exitCode, 1);
  assert.match(describeError('thrown text').text, /thrown text$/);
});
