// serve: loopback stops the kernel from answering for addresses on lo, and gives the sysctls back as they were.
import assert from 'node:assert/strict';
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

const values = (ns: Netns, name: string) => [ns.sysctl(name, 'arp_ignore'), ns.sysctl(name, 'arp_announce')];

withNetns('sysctls are set on the interfaces given, also where the name has a dot', async (ns) => {
  ns.run('ip', 'link', 'add', 'eth0.100', 'type', 'veth', 'peer', 'name', 'peer0.100');
  const agent = ns.agent();
  await agent.ok('both', ['192.0.2.10'], [ns.ref('eth0'), ns.ref('eth0.100')]);
  assert.deepEqual(values(ns, 'eth0'), [1, 2]);
  assert.deepEqual(values(ns, 'eth0.100'), [1, 2]);
  assert.deepEqual(values(ns, 'peer0'), [0, 0]);
  await agent.ok('setInterfaces', [ns.ref('eth0')]);
  assert.deepEqual(values(ns, 'eth0'), [1, 2]);
  assert.deepEqual(values(ns, 'eth0.100'), [0, 0], 'restored where no longer used');
});

withNetns('the original values survive several restarts and a renaming', async (ns) => {
  ns.setSysctl('eth0', 'arp_announce', 1);
  for (let start = 0; start < 3; start += 1) {
    const agent = ns.agent();
    await agent.ok('setInterfaces', [ns.ref('eth0')]);
    assert.deepEqual(values(ns, 'eth0'), [1, 2]);
    await agent.kill();
  }
  ns.run('ip', 'link', 'set', 'eth0', 'name', 'lan0');
  assert.deepEqual(await ns.agent().ok('cleanUp'), {
    removed: [],
    restored: [
      { interfaceName: 'lan0', sysctl: 'arp_ignore', value: 0 },
      { interfaceName: 'lan0', sysctl: 'arp_announce', value: 1 },
    ],
    kept: [],
  });
  assert.deepEqual(values(ns, 'lan0'), [0, 1]);
});

withNetns('a value that serves as well is left alone, one that does not is replaced', async (ns) => {
  ns.setSysctl('eth0', 'arp_ignore', 2);
  ns.setSysctl('peer0', 'arp_ignore', 4);
  const agent = ns.agent();
  await agent.ok('setInterfaces', [ns.ref('eth0'), ns.ref('peer0')]);
  assert.deepEqual(values(ns, 'eth0'), [2, 2]);
  assert.deepEqual(values(ns, 'peer0'), [1, 2]);
  await agent.ok('cleanup');
  assert.deepEqual(values(ns, 'eth0'), [2, 0]);
  assert.deepEqual(values(ns, 'peer0'), [4, 0]);
});

withNetns('a value that somebody changed afterwards is kept by cleanup', async (ns) => {
  const agent = ns.agent();
  await agent.ok('setInterfaces', [ns.ref('eth0')]);
  ns.setSysctl('eth0', 'arp_ignore', 8);
  assert.deepEqual(await agent.ok('cleanup'), {
    removed: [],
    restored: [{ interfaceName: 'eth0', sysctl: 'arp_announce', value: 0 }],
    kept: [{ interfaceName: 'eth0', sysctl: 'arp_ignore', value: 8 }],
  });
  assert.deepEqual(values(ns, 'eth0'), [8, 0]);
});

withNetns('a value that somebody spoils is set again, and cleanup restores the first one', async (ns) => {
  ns.setSysctl('eth0', 'arp_announce', 1);
  const agent = ns.agent();
  await agent.ok('setInterfaces', [ns.ref('eth0')]);
  ns.setSysctl('eth0', 'arp_announce', 0);
  await agent.ok('setInterfaces', [ns.ref('eth0')]);
  assert.deepEqual(values(ns, 'eth0'), [1, 2]);
  await agent.ok('cleanup');
  assert.deepEqual(values(ns, 'eth0'), [0, 1]);
});

withNetns('an interface that is deleted and made again is set again; one that is gone needs nothing', async (ns) => {
  const agent = ns.agent();
  await agent.ok('setInterfaces', [ns.ref('eth0')]);
  const gone = ns.ref('eth0');
  ns.run('ip', 'link', 'del', 'eth0');
  await agent.ok('setInterfaces', [gone]);
  ns.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'peer0');
  ns.setSysctl('eth0', 'arp_announce', 1);
  await agent.ok('setInterfaces', [ns.ref('eth0')]);
  assert.deepEqual(values(ns, 'eth0'), [1, 2]);
  await agent.ok('cleanup');
  assert.deepEqual(values(ns, 'eth0'), [0, 1]);
});

/** Whether an ARP request for the address, sent from the other namespace, is answered. */
function answered(client: Netns, address: string): boolean {
  client.run('sh', '-c', `ping -c 1 -W 1 ${address} >/dev/null 2>&1 || true`);
  return / lladdr /.test(client.run('ip', 'neigh', 'show', address));
}

withNetns('the kernel answers ARP for an address on lo before, and no longer after', async (ns) => {
  const client = new Netns();
  try {
    ns.run('ip', 'link', 'set', 'peer0', 'netns', client.name);
    for (const [where, name, address] of [
      [ns, 'eth0', '198.51.100.1/24'],
      [client, 'peer0', '198.51.100.2/24'],
    ] as const) {
      where.run('ip', 'addr', 'add', address, 'dev', name);
      where.run('ip', 'link', 'set', name, 'up');
    }
    const agent = ns.agent();
    const links = [{ name: 'lo', addresses: [['198.51.100.10', 32]] }];
    const check = () => agent.ok('kernelAnswers', links, ['eth0', 'gone0'], ['198.51.100.10']) as Promise<unknown[]>;
    await agent.ok('setAddresses', ['198.51.100.10']);
    assert.equal(answered(client, '198.51.100.10'), true);
    assert.equal((await check()).length, 2, 'an interface that is gone has no value, and is warned about to be safe');
    await agent.ok('setInterfaces', [ns.ref('eth0')]);
    client.run('ip', 'neigh', 'flush', 'all');
    assert.equal(answered(client, '198.51.100.10'), false);
    assert.equal(
      ((await check()) as { interfaceName: string }[]).some((a) => a.interfaceName === 'eth0'),
      false,
    );
  } finally {
    await client.close();
  }
});
