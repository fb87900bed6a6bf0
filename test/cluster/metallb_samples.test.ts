// The samples of MetalLB's documentation and configsamples (metallb-samples/, unchanged) do what is documented there: controller and
// speakers as deploy/base has them, clients that ask through real ARP, NDP and kube-proxy.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LabClient } from '../../src/lab/client.js';
import type { Bed } from '../../src/lab/kubernetes/bed.js';
import type { ApiObject } from '../../src/lab/kubernetes/lab_api.js';
import { NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { CLIENT_NAMES, NODE_NAMES, type NodeName, POD_NAMES, podAddresses } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio, advertisement, type Owners, pool } from '../../src/lab/kubernetes/workloads.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import { withBed } from './harness/bed.js';
import { SpeakerEyes } from './harness/speaker_eyes.js';

const SAMPLES = new URL('../../../test/cluster/metallb-samples/', import.meta.url);
const program = (name: string) => fileURLToPath(new URL(`../../src/lab/programs/${name}.js`, import.meta.url));
/** The networks of the samples: clients reach them on their own segment. Nodes need no address there. */
const NETWORKS = ['192.168.10.0/24', '192.168.1.0/24', '192.168.20.0/24', '42.176.25.64/30', '1.2.3.4/32'];
const NETWORKS6 = ['fc00:f853:ccd:e799::/124'];
/** Long enough to see that nobody answers. */
const SILENCE_MS = 2_000;
const SEEN_MS = 500;

class Cluster {
  readonly eyes: SpeakerEyes;

  constructor(
    readonly bed: Bed,
    readonly arpeggio: Arpeggio,
  ) {
    this.eyes = new SpeakerEyes(bed);
  }

  /** Applies samples and objects for as long as `look` takes. */
  async with(samples: readonly string[], objects: readonly ApiObject[], look: () => Promise<void>): Promise<void> {
    const { api } = this.bed;
    const applied: ApiObject[] = [];
    try {
      for (const object of objects) applied.push(await api.apply(object));
      for (const name of samples)
        applied.push(...(await api.applyYaml(readFileSync(new URL(`${name}.yaml`, SAMPLES), 'utf8'))));
      await look();
    } finally {
      for (const object of applied.reverse())
        if (object.kind !== 'Namespace') await api.delete(await api.pathOf(object));
      await api.eventually('nothing is answered any more', async () => (await this.answering()).length === 0);
      // An address that comes back before its record is released goes to its former owner.
      await api.eventually('nothing is recorded any more', async () => (await this.eyes.recorded()).length === 0);
      await delay(SEEN_MS);
    }
  }

  /** Addresses that some speaker answers for. */
  async answering(): Promise<string[]> {
    const running = [...this.arpeggio.speakers.values()].filter(({ isRunning }) => isRunning);
    const all = await Promise.all(running.map((speaker) => speaker.status()));
    return all.flatMap(({ addresses }) => addresses.filter(({ answering }) => answering).map(({ address }) => address));
  }

  /** Nobody answers, and nobody comes to that within two seconds. */
  async silent(): Promise<void> {
    await this.bed.api.eventually('nobody answers', async () => (await this.answering()).length === 0);
    await delay(SILENCE_MS);
    assert.deepEqual(await this.answering(), []);
  }

  /** Both clients reach the web servers behind all addresses; resolves with who answers for them. */
  async serves(addresses: readonly string[]): Promise<Owners> {
    const owners = await this.arpeggio.settled(addresses);
    for (const client of CLIENT_NAMES)
      for (const address of addresses) {
        const { pod } = await this.bed.api.eventually(`${client} reaches ${address}`, () =>
          this.bed.curl(client, address),
        );
        assert.match(pod, /^pod-/);
      }
    return owners;
  }

  /** Why a service has no address, as an event says. */
  refusal(name: string): Promise<string> {
    return this.bed.api.eventually(`${name} is refused`, async () => {
      const events = await this.bed.api.list('/api/v1/namespaces/default/events', {
        fieldSelector: `involvedObject.name=${name},reason=AllocationFailed,type=Warning`,
      });
      return events[0]?.message;
    });
  }

  async addressIn(namespace: string, name: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/services/${name}`;
    return this.bed.api.eventually(`${namespace}/${name} has an address`, async () => {
      const { status } = await this.bed.api.get(path);
      return status.loadBalancer?.ingress?.[0]?.ip as string | undefined;
    });
  }

  async label(node: NodeName, labels: Readonly<Record<string, string | null>>): Promise<void> {
    await this.bed.api.patch(`/api/v1/nodes/${node}`, { metadata: { labels } });
    // Nodes and services are seen in no certain order, and who owns an address by then keeps it.
    await delay(SEEN_MS);
  }

  /** These speakers end at once, and the others have to do; then they start again. */
  async without(nodes: readonly NodeName[], look: () => Promise<void>): Promise<void> {
    await Promise.all(nodes.map((node) => this.arpeggio.speaker(node).stop('SIGKILL')));
    await look();
    for (const node of nodes) await this.arpeggio.speaker(node).start();
    for (const node of nodes)
      await this.bed.api.eventually(`${node} is ready`, async () => {
        return (await this.arpeggio.speaker(node).status()).state === 'ready';
      });
  }
}

const service = (name: string, metadata: object = {}): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', ...metadata },
  spec: { type: 'LoadBalancer', selector: { app: 'nginx' }, ports: [{ port: 80, targetPort: 80 }] },
});

/** The web servers of the samples listen on port 80, their name server on 53. */
async function prepare(bed: Bed): Promise<void> {
  for (const name of POD_NAMES) {
    const host = bed.host(name);
    const echo = [process.execPath, program('echo_server'), name, '53', ...podAddresses(name)];
    for (const argv of [[process.execPath, program('http_server'), name, '80'], echo])
      await new Promise<void>((resolve, reject) => {
        const { exited } = host.spawn(argv, () => resolve());
        exited.then(() => reject(new Error(`${argv.join(' ')} ended`)), reject);
      });
  }
  const routes = [...NETWORKS, ...NETWORKS6].map((network) => `route add ${network} dev eth0`);
  await Promise.all(CLIENT_NAMES.map((client) => bed.host(client).batch(routes)));
  await pods(bed, 'nginx');
}

async function pods(bed: Bed, app: string): Promise<void> {
  for (const name of POD_NAMES)
    await bed.api.patch(`/api/v1/namespaces/default/pods/${name}`, { metadata: { labels: { app } } });
}

/** A network of its own with an interface eth3 of node-a and of client-1. */
async function secondNetwork(bed: Bed): Promise<void> {
  const end = (host: string) => `link add to-${host} type veth peer name eth3 netns ${bed.host(host).namespace}`;
  await bed.network.onSwitch('switch-1', [
    'link add br3 type bridge stp_state 0',
    'link set br3 up',
    ...['node-a', 'client-1'].flatMap((host) => [end(host), `link set to-${host} master br3 up`]),
  ]);
  for (const [host, address] of [
    ['node-a', '192.168.40.2/24'],
    ['client-1', '192.168.40.1/24'],
  ] as const)
    await bed.host(host).batch([`addr add ${address} dev eth3`, 'link set eth3 up']);
}

async function pools(t: TestContext, cluster: Cluster): Promise<void> {
  const { bed, arpeggio } = cluster;
  await t.test('a pool, an advertisement, a deployment and its service', () =>
    cluster.with(['pool-and-advertisement', 'deployment'], [], async () => {
      const addresses = await arpeggio.addresses('nginx', 1);
      assert.match(addresses[0]!, /^192\.168\.10\.\d+$/);
      await cluster.serves(addresses);
      await bed.api.eventually('events tell it', async () => {
        const events = await bed.api.list('/api/v1/namespaces/default/events', {
          fieldSelector: 'involvedObject.name=nginx',
        });
        const reasons = events.map(({ reason }) => reason);
        return ['IPAllocated', 'nodeAssigned'].every((reason) => reasons.includes(reason));
      });
    }),
  );

  await t.test('two families: both from a pool that has both, requested by annotation', () => {
    const annotations = { 'metallb.io/loadBalancerIPs': '192.168.10.77,fc00:f853:ccd:e799::7' };
    const both = service('both', { annotations });
    both.spec.ipFamilyPolicy = 'RequireDualStack';
    const any = service('any');
    any.spec.ipFamilyPolicy = 'PreferDualStack';
    return cluster.with(['pool-and-advertisement'], [both, any], async () => {
      assert.deepEqual(await arpeggio.addresses('both'), ['192.168.10.77', 'fc00:f853:ccd:e799::7']);
      await cluster.serves([...(await arpeggio.addresses('both')), ...(await arpeggio.addresses('any'))]);
    });
  });

  await t.test('namespaces and selectors of services', async () => {
    for (const [name, labels] of Object.entries({
      'namespace-a': {},
      'namespace-c': { foo: 'bar' },
      'namespace-d': {},
    }))
      await bed.api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
    const inside = (namespace: string, app: string) => service(app, { namespace, labels: { app } });
    const services = ['namespace-a', 'namespace-c', 'namespace-d', 'default'].flatMap((namespace) => [
      inside(namespace, 'bar'),
      inside(namespace, 'other'),
    ]);
    await cluster.with(['service-allocation', 'cheap-and-expensive'], services, async () => {
      for (const { metadata } of services) {
        const isMeant = metadata.name === 'bar' && ['namespace-a', 'namespace-c'].includes(metadata.namespace);
        const address = await cluster.addressIn(metadata.namespace, metadata.name);
        assert.match(
          address,
          isMeant ? /^192\.168\.20\./ : /^192\.168\.10\./,
          `${metadata.namespace} ${metadata.name}`,
        );
        if (isMeant) assert.doesNotMatch(address, /\.(0|255)$/);
      }
    });
  });

  await t.test('a pool that is not assigned by itself', () =>
    cluster.with(
      ['cheap-and-expensive', 'deployment'],
      [advertisement('all'), service('dear', { annotations: { 'metallb.io/address-pool': 'expensive' } })],
      async () => {
        const [cheap, dear] = [await arpeggio.addresses('nginx', 1), await arpeggio.addresses('dear', 1)];
        assert.match(cheap[0]!, /^192\.168\.10\./);
        assert.match(dear[0]!, /^42\.176\.25\.6[4-7]$/);
        await cluster.serves([...cheap, ...dear]);
      },
    ),
  );

  await t.test('an address that is asked for', async () => {
    await cluster.with(
      ['requested-address'],
      [pool('first-pool', ['192.168.1.240-192.168.1.250']), advertisement('all')],
      async () => {
        assert.match(await cluster.refusal('nginx'), /192\.168\.1\.100/);
        await bed.api.apply(pool('first-pool', ['192.168.1.240-192.168.1.250', '192.168.1.100/32']));
        assert.deepEqual(await arpeggio.addresses('nginx', 1), ['192.168.1.100']);
        await cluster.serves(['192.168.1.100']);
      },
    );
  });

  await t.test('a pool that is asked for', async () => {
    const wanted = pool('production-public-ips', ['42.176.25.64/30']);
    await cluster.with(
      ['requested-pool'],
      [pool('any', ['192.168.10.0/24']), wanted, advertisement('all')],
      async () => {
        const [address] = await arpeggio.addresses('nginx', 1);
        assert.match(address!, /^42\.176\.25\.6[4-7]$/);
        await cluster.serves([address!]);
      },
    );
  });

  await t.test('two services on one address', async () => {
    await pods(bed, 'dns');
    const clients = [new LabClient(bed.host('client-1'), 53), new LabClient(bed.host('client-2'), 53)];
    try {
      await cluster.with(['sharing'], [pool('shared', ['1.2.3.4/32']), advertisement('all')], async () => {
        for (const name of ['dns-service-tcp', 'dns-service-udp'])
          assert.deepEqual(await arpeggio.addresses(name, 1), ['1.2.3.4']);
        await arpeggio.settled(['1.2.3.4']);
        for (const client of clients) {
          await bed.api.eventually('TCP is served', async () => (await client.tcp('1.2.3.4')) === null);
          await client.stream('1.2.3.4');
          assert.notEqual(await client.firstEcho('1.2.3.4', monotonicMs(), 5_000), null, 'UDP is served');
        }
        // The same key does not help where both want one port.
        const third = service('third', { annotations: { 'metallb.io/allow-shared-ip': 'key-to-share-1.2.3.4' } });
        third.spec.loadBalancerIP = '1.2.3.4';
        third.spec.ports = [{ port: 53, targetPort: 53, protocol: 'UDP' }];
        await bed.api.apply(third);
        assert.match(await cluster.refusal('third'), /port/);
        await bed.api.delete('/api/v1/namespaces/default/services/third');
      });
    } finally {
      await Promise.all(clients.map((client) => client.stop()));
      await pods(bed, 'nginx');
    }
  });
}

async function nodes(t: TestContext, cluster: Cluster): Promise<void> {
  const { bed, arpeggio } = cluster;
  const [first, second] = ['192.168.10.16', '192.168.10.32'];
  /** A service of a pool that has one address. */
  const alone = (name: string, address: string): ApiObject[] => [
    pool(name, [`${address}/32`], { autoAssign: false }),
    service(name, { annotations: { 'metallb.io/address-pool': name } }),
  ];
  for (const [node, hostname] of [
    ['node-a', 'NodeA'],
    ['node-b', 'NodeB'],
    ['node-c', 'NodeC'],
  ] as const)
    await cluster.label(node, { 'kubernetes.io/hostname': hostname });

  await t.test('only the pools that an advertisement lists', () =>
    cluster.with(['pool-by-list'], [...alone('first-pool', first), ...alone('other-pool', second)], async () => {
      await cluster.serves([first]);
      assert.deepEqual(await cluster.addressIn('default', 'other-pool'), second);
      assert.deepEqual(await cluster.answering(), [first]);
    }),
  );

  await t.test('two of three nodes', () =>
    cluster.with(['two-nodes'], alone('first-pool', first), async () => {
      const before = (await cluster.serves([first]))[first] as NodeName;
      assert.ok(['node-a', 'node-b'].includes(before), before);
      const other = before === 'node-a' ? 'node-b' : 'node-a';
      await cluster.without([before], async () => assert.deepEqual(await cluster.serves([first]), { [first]: other }));
      await cluster.without(['node-a', 'node-b'], () => cluster.silent());
      await cluster.serves([first]);
    }),
  );

  await t.test('one node', () =>
    cluster.with(['one-node'], alone('second-pool', second), async () => {
      assert.deepEqual(await cluster.serves([second]), { [second]: 'node-c' });
    }),
  );

  await t.test('one node for all pools', async () => {
    await cluster.label('node-b', { 'kubernetes.io/hostname': 'kind-control-plane' });
    await cluster.with(
      ['node-selector'],
      [...alone('first-pool', first), ...alone('second-pool', second)],
      async () => {
        assert.deepEqual(await cluster.serves([first, second]), { [first]: 'node-b', [second]: 'node-b' });
      },
    );
    await cluster.label('node-b', { 'kubernetes.io/hostname': 'NodeB' });
  });

  await t.test('some interfaces', () =>
    cluster.with(['interfaces'], alone('third-pool', first), async () => {
      await cluster.serves([first]);
      const path = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/servicel2statuses`;
      await bed.api.eventually('it is announced on the one interface that there is', async () => {
        const [status] = await bed.api.list(path);
        return JSON.stringify(status?.status?.interfaces) === '[{"name":"eth0"}]';
      });
    }),
  );

  await t.test('one interface of one node', async () => {
    const address = '192.168.40.16';
    await cluster.with(['node-and-interface'], alone('fourth-pool', address), async () => {
      assert.deepEqual(await cluster.addressIn('default', 'fourth-pool'), address);
      await cluster.silent();
      await secondNetwork(bed);
      assert.deepEqual(await arpeggio.settled([address]), { [address]: 'node-a' });
      await bed.api.eventually('client-1 reaches it', () => bed.curl('client-1', address));
      const [link] = await bed.host('node-a').query<{ address: string }[]>('link', 'show', 'eth3');
      assert.equal((await bed.host('client-1').neighbour(address))?.lladdr, link?.address);
      await bed.host('client-2').batch([`route add ${address} dev eth0`]);
      await assert.rejects(bed.curl('client-2', address, 1000), 'not on eth0');
    });
    await bed.network.onSwitch('switch-1', ['link del to-node-a', 'link del to-client-1']);
  });

  await t.test('preferred nodes', async () => {
    await cluster.label('node-a', { role: 'lb' });
    await cluster.label('node-b', { role: 'lb', 'node-role': 'edge' });
    await cluster.label('node-c', { 'node-role': 'edge' });
    await cluster.with(['prefer-edge'], alone('production-pool', first), async () => {
      assert.deepEqual(await cluster.serves([first]), { [first]: 'node-b' });
      await cluster.without(['node-b'], async () =>
        assert.deepEqual(await cluster.serves([first]), { [first]: 'node-a' }),
      );
      // Here MetalLB would move it back; see docs/migrate-from-metallb.md.
      assert.deepEqual(await cluster.serves([first]), { [first]: 'node-a' });
    });
    await cluster.label('node-b', { 'node-role': null });
    // Another address: who owned one a moment ago may keep it.
    await cluster.with(['prefer-edge-all-eligible'], alone('production-pool', second), async () => {
      assert.deepEqual(await cluster.serves([second]), { [second]: 'node-c' });
      await cluster.without(['node-c'], async () => {
        assert.notEqual((await cluster.serves([second]))[second], 'node-c');
      });
    });
  });
}

test('MetalLB’s samples do what its documentation says', async (t) => {
  await withBed(t, {}, async (bed) => {
    await prepare(bed);
    const arpeggio = await Arpeggio.install(bed, { configuration: [] });
    const cluster = new Cluster(bed, arpeggio);
    await pools(t, cluster);
    await nodes(t, cluster);
    assert.ok(NODE_NAMES.every((node) => arpeggio.speaker(node).isRunning));
    await arpeggio.stop();
  });
});
