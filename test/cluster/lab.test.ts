// `arpeggio lab --kubernetes` as a user runs it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sweepFiles } from '../../src/lab/kubernetes/control_plane.js';
import { KUBERNETES_SCENES } from '../../src/lab/kubernetes/scenes/index.js';
import { sweep } from '../../src/lab/run_record.js';
import {
  ended,
  eventually,
  namespacesOf,
  playedWell,
  processesWith,
  runId,
  startLab,
} from '../net/harness/lab_process.js';
import { requireCluster } from './harness/requirements.js';

const STARTED_TIMEOUT_MS = 90_000;
// Compiled, this file is three directories below the root.
const ROOT = join(import.meta.dirname, '../../..');

const filesOf = (pid: number) => readdirSync(tmpdir()).filter((name) => name.startsWith(`arpeggio-cluster-${pid}-`));

/** Those of its network and those of its control plane. */
const processesOf = (pid: number) =>
  [`arpg-${runId(pid)}`, `/arpeggio-cluster-${pid}-`].flatMap((text) => processesWith(text));

function assertNothingIsLeft(pid: number): Promise<void> {
  assert.deepEqual(namespacesOf(pid), []);
  assert.deepEqual(filesOf(pid), []);
  return eventually('all its processes end', () => processesOf(pid).length === 0);
}

/** A lab that has come as far as its first service. */
async function startedLab(t: TestContext) {
  const lab = startLab('--kubernetes', '--json');
  t.after(() => lab.child.kill('SIGTERM'));
  await eventually('it runs', () => lab.output().includes('creates the service'), STARTED_TIMEOUT_MS);
  assert.notDeepEqual(namespacesOf(lab.pid), []);
  assert.notDeepEqual(filesOf(lab.pid), []);
  return lab;
}

test('every expectation of the Kubernetes lab holds, and nothing is left', async (t) => {
  if (requireCluster(t) === null) return;
  const lab = startLab('--kubernetes', '--json');
  const { lines, summary } = await playedWell(lab);
  assert.deepEqual(
    lines.filter(({ type }) => type === 'scene').map(({ title }) => title),
    KUBERNETES_SCENES.map(({ title }) => title),
  );
  assert.ok(summary.held >= 40, `only ${summary.held} expectations`);
  const actors = new Set(lines.map(({ actor }) => actor));
  for (const actor of ['lab', 'clients', 'kubectl', 'controller', 'node-a']) assert.ok(actors.has(actor), actor);
  await assertNothingIsLeft(lab.pid);
});

test('Ctrl-C in the middle of the Kubernetes lab leaves nothing', async (t) => {
  if (requireCluster(t) === null) return;
  const lab = await startedLab(t);
  lab.child.kill('SIGINT');
  assert.deepEqual(await ended(lab), { code: null, signal: 'SIGINT' });
  await assertNothingIsLeft(lab.pid);
});

test('what a killed Kubernetes lab leaves ends by itself or is swept by the next run', async (t) => {
  if (requireCluster(t) === null) return;
  const lab = await startedLab(t);
  lab.child.kill('SIGKILL');
  await ended(lab);
  await eventually('its processes end with it', () => processesOf(lab.pid).length === 0);
  sweep();
  sweepFiles();
  await assertNothingIsLeft(lab.pid);
});

test('where there is no control plane the lab says how to get one', (t) => {
  if (requireCluster(t) === null) return;
  // As npm installs it: without the scripts that build one, and on a machine that has none in its cache.
  const folder = mkdtempSync(join(tmpdir(), 'arpeggio-package-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['dist/src', 'package.json']) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'cache'));
  const run = (program: string | undefined) => {
    const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), ARPEGGIO_CONTROL_PLANE: program };
    const argv = [join(folder, 'dist/src/cli/main.js'), 'lab', '--kubernetes'];
    return spawnSync(process.execPath, argv, { env, encoding: 'utf8', timeout: 30_000 });
  };
  const without = run(undefined);
  assert.match(without.stderr, /no Kubernetes control plane.*node scripts\/cluster\.mjs.*ARPEGGIO_CONTROL_PLANE/);
  assert.equal(without.status, 1);
  const wrong = run(join(folder, 'package.json'));
  assert.match(wrong.stderr, /ARPEGGIO_CONTROL_PLANE names .*package\.json/);
  assert.equal(wrong.status, 1);
});
