// What serve: loopback says when it may not, cannot, or should not work.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { Netns, netnsSkip } from './serve_netns.js';

const skip = netnsSkip();

const withNetns = (name: string, body: (ns: Netns) => Promise<void>) =>
  test(name, { skip, timeout: 60_000 }, async () => {
    const ns = new Netns();
    try {
      ns.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'peer0');
      await body(ns);
    } finally {
      await ns.close();
    }
  });

withNetns('without CAP_NET_ADMIN: which capability, and the way out', async (ns) => {
  const agent = ns.agent('setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin');
  for (const reply of [
    await agent.call('setAddresses', ['192.0.2.10']),
    await agent.call('both', [], [ns.ref('eth0')]),
  ]) {
    assert.equal(reply.error?.code, 'ERR_NO_CAP_NET_ADMIN');
    assert.match(reply.error!.message, /CAP_NET_ADMIN.*serve: none/);
  }
  assert.deepEqual(ns.loopback(), []);
});

withNetns('with the capability of another user namespace only: the same error, and nothing on record', async (ns) => {
  const agent = ns.agent('unshare', '--user', '--map-root-user');
  assert.equal((await agent.call('setAddresses', ['192.0.2.10'])).error?.code, 'ERR_NO_CAP_NET_ADMIN');
  assert.deepEqual(JSON.parse(readFileSync(ns.stateFile, 'utf8')).addresses, []);
  assert.deepEqual(ns.loopback(), []);
});

withNetns('read-only /proc/sys: says so, and puts no address on lo', async (ns) => {
  const agent = ns.agent(
    'unshare',
    '--mount',
    'sh',
    '-c',
    'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"',
    'sh',
  );
  const reply = await agent.call('both', ['192.0.2.10'], [ns.ref('eth0')]);
  assert.equal(reply.error?.code, 'ERR_SYSTEM');
  assert.match(reply.error!.message, /arp_ignore is mounted read-only.*set it to 1/);
  assert.deepEqual(ns.loopback(), []);
});

withNetns('without iproute2: the package to install', async (ns) => {
  const agent = ns.agent('unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /usr/sbin && exec "$@"', 'sh');
  await agent.ok('path', '/nonexistent');
  const reply = await agent.call('setAddresses', ['192.0.2.10']);
  assert.equal(reply.error?.code, 'ERR_TOOL_MISSING');
  assert.match(reply.error!.message, /apt install iproute2/);
});

withNetns('an "ip" that cannot be started', async (ns) => {
  mkdirSync(`${ns.directory}/bin`);
  writeFileSync(`${ns.directory}/bin/ip`, '');
  const agent = ns.agent('unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /usr/sbin && exec "$@"', 'sh');
  await agent.ok('path', `${ns.directory}/bin`);
  const reply = await agent.call('setAddresses', ['192.0.2.10']);
  assert.equal(reply.error?.code, 'ERR_SYSTEM');
  assert.match(reply.error!.message, /^"ip" could not be started: /);
});

withNetns('an "ip" that fails: its message is passed on', async (ns) => {
  mkdirSync(`${ns.directory}/bin`);
  writeFileSync(`${ns.directory}/bin/ip`, '#!/bin/sh\necho out of order >&2\nexit 1\n', { mode: 0o755 });
  const agent = ns.agent();
  await agent.ok('path', `${ns.directory}/bin`);
  const reply = await agent.call('setAddresses', ['192.0.2.10']);
  assert.equal(reply.error?.code, 'ERR_SYSTEM');
  assert.equal(reply.error!.message, 'the addresses of lo cannot be read: out of order');
});

withNetns('a state file in use by a running process is not taken over', async (ns) => {
  const first = ns.agent();
  await first.ok('setAddresses', ['192.0.2.10']);
  const second = ns.agent();
  const open = await second.call('open');
  assert.equal(open.error?.code, 'ERR_ALREADY_RUNNING');
  const clean = await second.call('cleanUp');
  assert.equal(clean.error?.code, 'ERR_ALREADY_RUNNING');
  assert.match(clean.error!.message, /--force/);
  assert.deepEqual(ns.loopback(), ['192.0.2.10/32']);
  assert.deepEqual(await second.ok('cleanUp', { force: true }), { removed: ['192.0.2.10'], restored: [], kept: [] });
});

withNetns('a state file of another namespace is not undone here, and replaced by a start', async (ns) => {
  const other = new Netns();
  try {
    const agent = other.agent();
    await agent.ok('setAddresses', ['192.0.2.10']);
    await agent.kill();
    mkdirSync(dirname(ns.stateFile));
    writeFileSync(ns.stateFile, readFileSync(other.stateFile));
    const here = ns.agent();
    const reply = await here.call('cleanUp');
    assert.match(reply.error!.message, /another network namespace/);
    await here.ok('setAddresses', ['192.0.2.11']);
    assert.deepEqual(JSON.parse(readFileSync(ns.stateFile, 'utf8')).addresses, ['192.0.2.11']);
  } finally {
    await other.close();
  }
});

withNetns('a state file of an earlier boot has nothing left to undo', async (ns) => {
  const agent = ns.agent();
  await agent.ok('setAddresses', ['192.0.2.10']);
  await agent.kill();
  const state = JSON.parse(readFileSync(ns.stateFile, 'utf8'));
  writeFileSync(ns.stateFile, JSON.stringify({ ...state, bootId: 'earlier' }));
  const later = ns.agent();
  await later.ok('setAddresses', ['192.0.2.10']);
  assert.deepEqual(await later.ok('foreign'), ['192.0.2.10']);
  assert.deepEqual(await later.ok('cleanUp'), { removed: [], restored: [], kept: [] });
  assert.deepEqual(ns.loopback(), ['192.0.2.10/32']);
});

withNetns('a damaged state file stops cleanup, not the speaker', async (ns) => {
  mkdirSync(dirname(ns.stateFile));
  writeFileSync(ns.stateFile, '{"version":1');
  const agent = ns.agent();
  assert.match((await agent.call('cleanUp')).error!.message, /is damaged/);
  await agent.ok('setAddresses', ['192.0.2.10']);
  assert.deepEqual(ns.loopback(), ['192.0.2.10/32']);
});

withNetns('a state file that cannot be written keeps changes from being made', async (ns) => {
  writeFileSync(dirname(ns.stateFile), 'a file where a directory should be');
  const reply = await ns.agent().call('setAddresses', ['192.0.2.10']);
  assert.equal(reply.error?.code, 'ERR_SYSTEM');
  assert.match(reply.error!.message, /--state-file/);
  assert.deepEqual(ns.loopback(), []);
});
