// serve: loopback keeps exactly the wanted service IPs on lo, and takes away only what it brought.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Netns, netnsSkip } from './serve_netns.js';

const skip = netnsSkip();
let ns: Netns;

const fresh = { skip, timeout: 60_000 };

before(() => {
  if (!skip) ns = new Netns();
});
after(() => ns?.close());

const withNetns = (name: string, body: (ns: Netns) => Promise<void>) =>
  test(name, fresh, async () => {
    const own = new Netns();
    try {
      await body(own);
    } finally {
      await own.close();
    }
  });

test('addresses come as /32 and /128, go when unwanted, and lo is set up', fresh, async () => {
  const agent = ns.agent();
  await agent.ok('setAddresses', ['192.0.2.10', '2001:db8::10', '192.0.2.11']);
  assert.deepEqual(ns.loopback(), ['192.0.2.10/32', '192.0.2.11/32', '2001:db8::10/128']);
  assert.match(ns.run('ip', 'link', 'show', 'dev', 'lo'), /<LOOPBACK,UP/);
  assert.match(ns.run('ip', '-6', 'addr', 'show', 'dev', 'lo', 'to', '2001:db8::10'), /nodad deprecated/);
  await agent.ok('setAddresses', ['192.0.2.11', '192.0.2.12']);
  assert.deepEqual(ns.loopback(), ['192.0.2.11/32', '192.0.2.12/32']);
  await agent.ok('setAddresses', ['192.0.2.11', '192.0.2.12']);
  assert.deepEqual(ns.loopback(), ['192.0.2.11/32', '192.0.2.12/32']);
  await agent.ok('setAddresses', []);
  assert.deepEqual(ns.loopback(), []);
  await agent.stop();
});

withNetns('an address that was there before is neither claimed nor removed', async (ns) => {
  ns.run('ip', 'addr', 'add', '192.0.2.10/32', 'dev', 'lo');
  ns.run('ip', 'addr', 'add', '2001:db8::10/64', 'dev', 'lo');
  const agent = ns.agent();
  await agent.ok('setAddresses', ['192.0.2.10', '2001:db8::10', '192.0.2.11']);
  assert.deepEqual(await agent.ok('foreign'), ['192.0.2.10', '2001:db8::10']);
  await agent.ok('setAddresses', ['192.0.2.11']);
  assert.deepEqual(await agent.ok('foreign'), []);
  await agent.ok('setAddresses', ['192.0.2.10', '192.0.2.11']);
  await agent.ok('cleanup');
  assert.deepEqual(ns.loopback(), ['192.0.2.10/32', '2001:db8::10/64']);
});

withNetns(
  'an address that somebody removed comes back with the next call, and a foreign one becomes ours',
  async (ns) => {
    ns.run('ip', 'addr', 'add', '192.0.2.10/32', 'dev', 'lo');
    const agent = ns.agent();
    await agent.ok('setAddresses', ['192.0.2.10', '192.0.2.11']);
    ns.run('ip', 'addr', 'del', '192.0.2.10/32', 'dev', 'lo');
    ns.run('ip', 'addr', 'del', '192.0.2.11/32', 'dev', 'lo');
    await agent.ok('setAddresses', ['192.0.2.10', '192.0.2.11']);
    assert.deepEqual(ns.loopback(), ['192.0.2.10/32', '192.0.2.11/32']);
    const report = (await agent.ok('cleanup')) as { removed: string[] };
    assert.deepEqual(report.removed.toSorted(), ['192.0.2.10', '192.0.2.11']);
  },
);

withNetns('quick successive calls end in the last wish', async (ns) => {
  const agent = ns.agent();
  const lists = Array.from({ length: 50 }, (_, index) => [`192.0.2.${index + 1}`]);
  await agent.ok('burst', lists);
  assert.deepEqual(ns.loopback(), ['192.0.2.50/32']);
  const calls = lists.map((list) => agent.call('setAddresses', list));
  await Promise.all(calls);
  assert.deepEqual(ns.loopback(), ['192.0.2.50/32']);
});

withNetns('after a crash the next process knows what is ours, and cleanup undoes all of it', async (ns) => {
  ns.run('ip', 'addr', 'add', '192.0.2.9/32', 'dev', 'lo');
  const first = ns.agent();
  await first.ok('setAddresses', ['192.0.2.9', '192.0.2.10', '2001:db8::10']);
  await first.kill();
  assert.deepEqual(ns.loopback(), ['192.0.2.10/32', '192.0.2.9/32', '2001:db8::10/128'], 'kept without a cleanup');
  const second = ns.agent();
  await second.ok('setAddresses', ['192.0.2.9', '192.0.2.10']);
  assert.deepEqual(await second.ok('foreign'), ['192.0.2.9']);
  assert.deepEqual(ns.loopback(), ['192.0.2.10/32', '192.0.2.9/32']);
  await second.stop();
  const cleaner = ns.agent();
  assert.deepEqual(await cleaner.ok('cleanUp'), { removed: ['192.0.2.10'], restored: [], kept: [] });
  assert.deepEqual(ns.loopback(), ['192.0.2.9/32']);
  assert.equal(existsSync(ns.stateFile), false);
  assert.deepEqual(await cleaner.ok('cleanUp'), { removed: [], restored: [], kept: [] }, 'nothing left to do');
});

withNetns('what is about to be added is on record before it is added', async (ns) => {
  mkdirSync(`${ns.directory}/bin`);
  const copy = `${ns.directory}/at-change.json`;
  writeFileSync(
    `${ns.directory}/bin/ip`,
    `#!/bin/sh\ncase "$*" in *-batch*) cp ${ns.stateFile} ${copy};; esac\nexec /usr/sbin/ip "$@"\n`,
    { mode: 0o755 },
  );
  const agent = ns.agent();
  await agent.ok('path', `${ns.directory}/bin:${process.env.PATH}`);
  await agent.ok('setAddresses', ['192.0.2.10']);
  assert.deepEqual(JSON.parse(readFileSync(copy, 'utf8')).addresses, ['192.0.2.10']);
  await agent.ok('setAddresses', []);
  assert.deepEqual(JSON.parse(readFileSync(copy, 'utf8')).addresses, ['192.0.2.10'], 'and until it is removed');
  assert.deepEqual(JSON.parse(readFileSync(ns.stateFile, 'utf8')).addresses, []);
});

withNetns('10,000 addresses in one go', async (ns) => {
  const agent = ns.agent();
  const addresses = Array.from({ length: 10_000 }, (_, index) =>
    index % 2 === 0 ? `10.1.${index >> 8}.${index & 255}` : `2001:db8::1:${index.toString(16)}`,
  );
  await agent.ok('setAddresses', addresses);
  assert.equal(ns.loopback().length, 10_000);
  // New ones do not wait for thousands of slow removals.
  const kept = addresses.slice(0, 8_000);
  const first = agent.ok('setAddresses', kept);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const second = agent.ok('setAddresses', [...kept, '192.0.2.1']);
  let now = ns.loopback();
  while (!now.includes('192.0.2.1/32')) now = ns.loopback();
  assert.ok(now.length > 8_001, 'removals go on after the addition');
  await Promise.all([first, second]);
  assert.equal(ns.loopback().length, 8_001);
});

withNetns('an address that the kernel refuses does not hold back the others', async (ns) => {
  ns.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6');
  const agent = ns.agent();
  const reply = await agent.call('setAddresses', ['2001:db8::10', '192.0.2.10']);
  assert.equal(reply.error?.code, 'ERR_SYSTEM');
  assert.match(reply.error!.message, /^1 of 2 service IPs could not be put on lo \(2001:db8::10\): /);
  assert.deepEqual(ns.loopback(), ['192.0.2.10/32']);
  assert.deepEqual(JSON.parse(readFileSync(ns.stateFile, 'utf8')).addresses, ['192.0.2.10']);
});

withNetns('nothing is written while there is nothing to undo', async (ns) => {
  const agent = ns.agent();
  await agent.ok('setAddresses', []);
  assert.equal(existsSync(ns.stateFile), false);
});

withNetns('a closed server refuses further calls and leaves the addresses', async (ns) => {
  const agent = ns.agent();
  await agent.ok('setAddresses', ['192.0.2.10']);
  await agent.ok('close');
  assert.equal((await agent.call('setAddresses', [])).error?.code, 'ERR_INVALID_ARGUMENT');
  assert.deepEqual(ns.loopback(), ['192.0.2.10/32']);
});
