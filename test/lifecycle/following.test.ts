// Outcome: clients that ignore gratuitous frames follow an address to another node within 50 ms, by the directed requests
// to those that the node has heard asking; and the node knows how many did.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Host } from '../../src/lab/host.js';
import type { Network } from '../../src/lab/netns.js';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import { arp, hexIpv4, hexMac } from '../net/harness/frames.js';
import { withNetwork } from '../net/harness/network.js';
import { type Frame, Wire } from '../net/harness/wire.js';
import { OTHER_SERVICE, type PeerNode, PeersBed, SERVICE } from './peers_bed.js';

const SERVICE6 = '2001:db8::10';
const BOTH = [SERVICE, SERVICE6];
const FOLLOWED_MS = 50;
const NOT_FOLLOWED_MS = 300;
const FINAL_MS = 3000;
const CLIENT_MAC = '02:00:00:00:00:09';
const ASKER_MAC = '02:00:00:00:00:0a';

/** BASELINES.md: with these a client keeps its entry whatever is announced. */
const DEAF_TO_ANNOUNCEMENTS = {
  'net.ipv4.conf.eth0.drop_gratuitous_arp': '1',
  'net.ipv6.conf.eth0.drop_unsolicited_na': '1',
};

const SPEC: NetworkSpec = {
  switches: [{ name: 'switch' }],
  hosts: [
    { name: 'alpha', interfaces: [{ switch: 'switch' }] },
    { name: 'beta', interfaces: [{ switch: 'switch' }] },
    { name: 'client', interfaces: [{ switch: 'switch', mac: CLIENT_MAC }] },
    {
      name: 'linux',
      interfaces: [{ switch: 'switch', addresses: ['192.0.2.101/24', '2001:db8::101/64'] }],
      sysctls: DEAF_TO_ANNOUNCEMENTS,
    },
  ],
};

const SEND = `
import socket, sys
for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", (address, 9))
`;

/** A Linux client, and when its kernel learnt a MAC. */
class LinuxClient {
  private readonly learnt: { line: string; atMs: number }[] = [];

  constructor(private readonly host: Host) {
    host.spawn(['ip', '-o', 'monitor', 'neigh'], (line) => this.learnt.push({ line, atMs: performance.now() }));
  }

  async uses(mac: string): Promise<void> {
    for (let turn = 0; turn < 100; turn += 1) {
      await this.host.exec(['python3', '-c', SEND, ...BOTH]);
      const entries = await Promise.all(BOTH.map((address) => this.host.neighbour(address)));
      if (entries.every((entry) => entry?.lladdr === mac)) return;
      await delay(20);
    }
    assert.fail(`the client does not resolve to ${mac}`);
  }

  async follows(mac: string, sinceMs: number): Promise<number> {
    for (;;) {
      const times = BOTH.map(
        (address) =>
          this.learnt.find(
            ({ line, atMs }) => atMs >= sinceMs && line.startsWith(`${address} `) && line.includes(`lladdr ${mac}`),
          )?.atMs,
      );
      if (times.every((time) => time !== undefined)) return Math.max(...times) - sinceMs;
      assert.ok(performance.now() < sinceMs + FINAL_MS, `the client does not follow to ${mac}`);
      await delay(2);
    }
  }
}

function onBed(name: string, body: (bed: PeersBed, network: Network, context: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    await withNetwork(t, SPEC, async (network) => body(await PeersBed.open(network), network, t));
  });
}

/** Has the node announce and ask; returns after how long the client followed. All that are asked confirm. */
async function followed(client: LinuxClient, node: PeerNode, wanted: number): Promise<number> {
  const sinceMs = performance.now();
  await node.does('announce', BOTH, wanted);
  const tookMs = await client.follows(node.mac, sinceMs);
  let report = await node.event('confirmed');
  // On a busy machine not all had answered after 100 ms.
  if (!report.final) report = await node.event('confirmed');
  const { cause, number, clients, confirmed, final } = report;
  assert.deepEqual([cause, number, confirmed, final], ['announce', wanted, clients, true]);
  assert.ok(clients >= BOTH.length);
  return tookMs;
}

onBed('a client that ignores announcements follows the directed requests, and confirms it', async (bed, network) => {
  const [owner, heir] = [bed.start('alpha'), bed.start('beta')];
  await owner.publish({ watched: BOTH, answered: BOTH });
  await heir.publish({ watched: BOTH, answered: [] });
  await heir.event('port-opened');
  const client = new LinuxClient(network.host('linux'));
  await client.uses(owner.mac);
  await owner.publish({ watched: BOTH, answered: [] });
  await heir.publish({ watched: BOTH, answered: BOTH });
  await heir.does('announce', BOTH, 0);
  await delay(NOT_FOLLOWED_MS);
  for (const address of BOTH)
    assert.equal((await network.host('linux').neighbour(address))?.lladdr, owner.mac, address);

  let tookMs = await followed(client, heir, 7);
  // On a machine that does other things as well one round may be late: back and forth again.
  for (let attempt = 0; attempt < 2 && tookMs > FOLLOWED_MS; attempt += 1) {
    for (const [from, to] of [[heir, owner] as const, [owner, heir] as const]) {
      await from.publish({ watched: BOTH, answered: [] });
      await to.publish({ watched: BOTH, answered: BOTH });
      tookMs = await followed(client, to, 8);
    }
  }
  assert.ok(tookMs <= FOLLOWED_MS, `${tookMs} ms`);
  const { drops } = await heir.counters();
  assert.ok(drops.confirmation! >= 2);
});

onBed('what is handed over is answered, but no longer announced, and nobody is asked to follow', async (bed) => {
  const owner = bed.start('alpha');
  const watched = [SERVICE, OTHER_SERVICE];
  await owner.publish({ watched, answered: watched });
  await owner.event('port-opened');
  for (const address of watched) await bed.answeredBy(owner, address, FINAL_MS);
  // One round of requests and three announcements are still to come.
  await owner.does('announce', watched, 6);
  await owner.publish({ watched, answered: watched, quiet: [SERVICE] });
  await bed.answeredBy(owner, SERVICE, FINAL_MS);
  bed.wire.clear();
  await owner.does('announce', watched, 7);
  await bed.answeredBy(owner, SERVICE, FINAL_MS);
  await delay(FOLLOWED_MS);
  const told = bed.wire.captured((frame) => isArpRequest(frame) && frame.hex.slice(12, 24) === hexMac(owner.mac));
  const types = new Set(told.map((frame) => `${spaOf(frame)} ${frame.type}`));
  const other = hexIpv4(OTHER_SERVICE);
  assert.deepEqual([...types].sort(), [`${other} broadcast`, `${other} host`]);

  // It was not taken over: what is still to come is sent.
  await owner.publish({ watched, answered: watched });
  bed.wire.clear();
  await delay(NOT_FOLLOWED_MS + FOLLOWED_MS);
  assert.ok(bed.wire.captured((frame) => isArpRequest(frame) && spaOf(frame) === hexIpv4(SERVICE)).length > 0);
});

onBed('after a takeover of the thread itself such a client has followed, without JavaScript', async (bed, network) => {
  const { owner, heir } = await bed.pair();
  await owner.publish({ watched: BOTH, answered: BOTH });
  await heir.publish({ watched: BOTH, answered: [], plans: { [owner.incarnation]: BOTH } });
  const client = new LinuxClient(network.host('linux'));
  await client.uses(owner.mac);
  await heir.block(1000);
  const sinceMs = performance.now();
  await owner.process.stop('SIGKILL', 0);
  const tookMs = await client.follows(heir.mac, sinceMs);
  const { number, afterMs } = await heir.event('took');
  assert.ok(tookMs <= 200 + FOLLOWED_MS, `${tookMs} ms, taken over after ${afterMs} ms`);
  let report = await heir.event('confirmed');
  if (!report.final) report = await heir.event('confirmed');
  assert.deepEqual([report.cause, report.number, report.final], ['took', number, true]);
  assert.equal(report.confirmed, report.clients);
});

onBed('a client that is gone is asked four times and counted as unconfirmed', async (bed) => {
  const [owner, heir] = [bed.start('alpha'), bed.start('beta')];
  await owner.publish({ watched: [SERVICE], answered: [SERVICE] });
  await heir.publish({ watched: [SERVICE], answered: [] });
  await heir.event('port-opened');
  await bed.answeredBy(owner, SERVICE, FINAL_MS);
  await owner.does('publish', { watched: [SERVICE], answered: [] });
  await heir.publish({ watched: [SERVICE], answered: [SERVICE] });
  bed.wire.clear();
  await heir.does('announce', [SERVICE], 5);
  const first = await heir.event('confirmed');
  assert.deepEqual([first.number, first.clients, first.confirmed, first.final], [5, 1, 0, false]);
  const last = await heir.event('confirmed', FINAL_MS);
  assert.deepEqual([last.number, last.clients, last.confirmed, last.final], [5, 1, 0, true]);
  const asked = bed.wire.captured(({ hex, type }) => type === 'host' && hex.slice(24, 44) === '08060001080006040001');
  assert.equal(asked.length, 4);
});

const MANY = 10_000;
const CLIENTS = 1000;
/** Of the clients so many ask again later than the others. */
const LATE = 100;
const QUESTIONS = 300;
const serviceOf = (index: number) => `10.0.${index >> 8}.${index & 255}`;
const clientOf = (index: number) => `10.9.${index >> 8}.${index & 255}`;
const isArpRequest = ({ hex }: Frame) => hex.slice(24, 28) === '0806' && hex.slice(40, 44) === '0001';
const spaOf = ({ hex }: Frame) => hex.slice(56, 64);
const tpaOf = ({ hex }: Frame) => hex.slice(76, 84);

/** A node that answers `count` addresses; CLIENTS clients have asked it, each for one of them, the last ones again. */
async function crowd(bed: PeersBed, count: number): Promise<PeerNode> {
  const node = bed.start('beta');
  await node.does('many', count);
  await node.event('port-opened');
  const ask = (index: number) => {
    const tpa = serviceOf((index * count) / CLIENTS);
    return bed.wire.send(arp({ sha: CLIENT_MAC, spa: clientOf(index), tpa }));
  };
  for (let index = 0; index < CLIENTS; index += 1) await ask(index);
  // The journal tells seconds apart.
  await delay(1100);
  for (let index = CLIENTS - LATE; index < CLIENTS; index += 1) await ask(index);
  bed.wire.clear();
  return node;
}

onBed('the most recent clients are asked first, none before its address is announced to all', async (bed) => {
  const node = await crowd(bed, 2 * CLIENTS);
  await node.does('announceMany', 2 * CLIENTS, 3);
  assert.equal((await node.event('confirmed')).clients, CLIENTS);
  // By then python has seen all of it.
  assert.equal((await node.event('confirmed', FINAL_MS)).final, true);
  const recent = new Set(Array.from({ length: LATE }, (_, index) => hexIpv4(clientOf(CLIENTS - 1 - index))));
  const announced = new Set<string>();
  const asked: string[] = [];
  for (const frame of bed.wire.captured(isArpRequest)) {
    if (frame.type === 'broadcast') announced.add(spaOf(frame));
    if (frame.type !== 'host' || asked.length === CLIENTS) continue;
    assert.ok(announced.has(spaOf(frame)), `${spaOf(frame)} was not announced yet`);
    asked.push(tpaOf(frame));
  }
  assert.equal(new Set(asked).size, CLIENTS);
  assert.deepEqual(new Set(asked.slice(0, LATE)), recent);
});

onBed(
  '10,000 addresses with 1,000 clients delay answers no more than their announcements do',
  async (bed, network, context) => {
    const node = await crowd(bed, MANY);
    await bed.wire.close();
    // Only answers are to be heard: python would be late with 30,000 announcements before them.
    for (const name of ['alpha', 'client', 'linux']) {
      const { port } = network.host(name).interface();
      await network.onSwitch('switch', [`link set ${port} type bridge_slave bcast_flood off`]);
    }
    const asker = await Wire.open(network.host('linux'), 'eth0', [0x0806]);
    const listener = await Wire.open(network.host('linux'), 'eth0', [0x0806]);
    const measured: Record<string, number[]> = {};
    for (const [name, announce] of [
      ['nothing', async () => {}],
      ['announced', () => node.does('announceMany', MANY, 0)],
      ['followed', () => node.does('announceMany', MANY, 4)],
    ] as const) {
      listener.clear();
      const asked = new Map<string, number>();
      await announce();
      for (let question = 0; question < QUESTIONS; question += 1) {
        const spa = `10.8.${question >> 8}.${question & 255}`;
        asked.set(hexIpv4(spa), await asker.send(arp({ sha: ASKER_MAC, spa, tpa: serviceOf(5) })));
        await delay(1);
      }
      await delay(2000);
      // To a MAC that the switch has learnt here.
      const isAnswer = ({ hex }: Frame) => hex.slice(0, 12) === hexMac(ASKER_MAC) && hex.slice(40, 44) === '0002';
      const answers = new Map(listener.captured(isAnswer).map((frame) => [tpaOf(frame), frame.ns]));
      measured[name] = [...asked]
        .map(([spa, ns]) => ((answers.get(spa) ?? Number.POSITIVE_INFINITY) - ns) / 1e6)
        .sort((a, b) => a - b);
    }
    const quantile = (name: string, share: number) => measured[name]![Math.floor((QUESTIONS - 1) * share)]!;
    for (const name of Object.keys(measured)) {
      const [median, p90, p99, slowest] = [0.5, 0.9, 0.99, 1].map((share) => quantile(name, share).toFixed(2));
      context.diagnostic(`${name}: answers after ${median} ms median, ${p90} p90, ${p99} p99, ${slowest} at most`);
    }
    // Of the machine's own noise there is more in the tail than of ours.
    assert.ok(quantile('followed', 0.5) < 1 + 2 * quantile('announced', 0.5));
    assert.ok(quantile('followed', 1) < Number.POSITIVE_INFINITY, 'a question was not answered');
  },
);
