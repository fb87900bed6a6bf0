// Flags of `arpeggio controller`, and what the probes of its pod are told.
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { controllerSettings } from '../../src/cli/run_controller.js';
import type { ControllerStatus } from '../../src/controller/controller.js';
import { serveHealth } from '../../src/controller/health_server.js';
import { ArpeggioError } from '../../src/errors.js';

test('what is not given, or empty as in a manifest, is the default', () => {
  const defaults = {
    namespace: null,
    lbClass: null,
    leaderElect: true,
    identity: hostname(),
    healthPort: null,
    kubeconfig: null,
    logLevel: 'info',
  };
  assert.deepEqual(controllerSettings({ logLevel: 'info' }), defaults);
  const empty = { namespace: '', lbClass: '', leaderElect: '', identity: '', healthPort: '', kubeconfig: '' };
  assert.deepEqual(controllerSettings({ ...empty, logLevel: 'info' }), defaults);
});

test('flags, with MetalLB’s names of log levels', () => {
  const settings = controllerSettings({ lbClass: 'x', leaderElect: 'false', healthPort: '7473', logLevel: 'all' });
  assert.deepEqual(
    [settings.lbClass, settings.leaderElect, settings.healthPort, settings.logLevel],
    ['x', false, 7473, 'trace'],
  );
});

test('mistakes name the flag and its variable', () => {
  const refused = (flag: string) => (error: unknown) =>
    error instanceof ArpeggioError && error.code === 'ERR_INVALID_ARGUMENT' && error.message.startsWith(flag);
  assert.throws(() => controllerSettings({ leaderElect: 'yes' }), refused('--leader-elect (ARPEGGIO_LEADER_ELECT)'));
  assert.throws(() => controllerSettings({ healthPort: '70000' }), refused('--health-port (ARPEGGIO_HEALTH_PORT)'));
  assert.throws(() => controllerSettings({ logLevel: 'loud' }), refused('--log-level'));
});

test('ready is who gives addresses, or knows who does', async (t) => {
  let status: ControllerStatus = { leading: false, leader: null, term: null };
  const server = await serveHealth(0, () => status);
  t.after(() => server.close());
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${server.port}${path}`)).status;
  assert.deepEqual([await ask('/healthz'), await ask('/readyz'), await ask('/')], [200, 503, 404]);
  status = { leading: false, leader: 'other', term: null };
  assert.equal(await ask('/readyz'), 200);
  status = { leading: true, leader: 'me', term: { running: false, services: 0, pending: 0 } };
  assert.equal(await ask('/readyz'), 503);
  status = { leading: true, leader: 'me', term: { running: true, services: 0, pending: 0 } };
  assert.equal(await ask('/readyz'), 200);
  await assert.rejects(
    serveHealth(server.port, () => status),
    (error: ArpeggioError) => error.code === 'ERR_SYSTEM' && /--health-port/.test(error.message),
  );
});
