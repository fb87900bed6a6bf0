// Networks without root, and machines where there can be none.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { toolEnvironment } from '../../src/lab/command.js';
import { requireNetworks } from './harness/network.js';

const compiled = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const ENTER = compiled('../../src/lab/enter.js');
const CLI = compiled('../../src/cli/main.js');
const HARNESS_TEST = compiled('harness.test.js');

// May do no more than an ordinary user; but to map root, the kernel wants CAP_SETFCAP of root (user_namespaces(7)).
const POWERLESS = ['setpriv', '--bounding-set=-all,+setfcap', '--inh-caps=-all'];
// As on a machine whose administrator forbids namespaces; in one of its own, so that it ends with the command.
const FORBIDDEN = [
  'unshare',
  '--user',
  '--map-root-user',
  'sh',
  '-c',
  'echo 0 > /proc/sys/user/max_user_namespaces; echo 0 > /proc/sys/user/max_net_namespaces; exec "$@"',
  'sh',
];

function run(argv: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const [program = '', ...args] = argv;
  // The runner of this file marks its children, which then would report to it.
  const { NODE_TEST_CONTEXT: _, ...inherited } = toolEnvironment();
  return spawnSync(program, args, { encoding: 'utf8', env: { ...inherited, ...environment }, timeout: 60_000 });
}

test('who has no privileges gets namespaces of its own, with the exit code of the command', (t) => {
  if (!requireNetworks(t)) return;
  const script = 'ip netns add mine && ip netns list && exit 42';
  const { status, stdout, stderr } = run([...POWERLESS, process.execPath, ENTER, '--', 'sh', '-c', script]);
  assert.equal(stderr, '');
  assert.equal(stdout, 'mine\n');
  assert.equal(status, 42);
  assert.doesNotMatch(run(['ip', 'netns', 'list']).stdout, /^mine$/m);
});

test('the network tests run there just the same', (t) => {
  if (!requireNetworks(t)) return;
  const runner = [process.execPath, '--test', '--test-reporter=tap', HARNESS_TEST];
  const { status, stdout } = run([...POWERLESS, process.execPath, ENTER, '--', ...runner]);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^# skipped 0$/m);
  assert.doesNotMatch(stdout, /^# pass 0$/m);
});

test('where the kernel forbids namespaces, enter says so and runs nothing', (t) => {
  if (!requireNetworks(t)) return;
  const { status, stdout, stderr } = run([...FORBIDDEN, process.execPath, ENTER, '--', 'echo', 'ran']);
  assert.match(stderr, /^unavailable: .*unshare/);
  assert.equal(stdout, '');
  assert.equal(status, 77);
});

test('there the lab is skipped loudly, never passed', (t) => {
  if (!requireNetworks(t)) return;
  const { status, stdout, stderr } = run([...FORBIDDEN, process.execPath, CLI, 'lab', '--json']);
  assert.match(stderr, /SKIPPED.*unavailable: .*unshare/);
  assert.equal(JSON.parse(stdout).type, 'unavailable');
  assert.equal(status, 77);
});

test('there network tests are skipped by name, and with CI=true they fail', (t) => {
  if (!requireNetworks(t)) return;
  const runner = [...FORBIDDEN, process.execPath, '--test', '--test-reporter=tap', HARNESS_TEST];
  const skipped = run(runner, { CI: '' });
  assert.equal(skipped.status, 0, skipped.stdout);
  assert.match(skipped.stdout, /^# pass 0$/m);
  assert.match(skipped.stdout, /SKIPPED a Linux client resolves .*: needs network namespaces: .*unshare/);
  const failed = run(runner, { CI: 'true' });
  assert.equal(failed.status, 1);
  assert.match(failed.stdout, /^# pass 0$/m);
  assert.doesNotMatch(failed.stdout, /^# fail 0$/m);
});
