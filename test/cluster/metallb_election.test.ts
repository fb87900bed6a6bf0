// A sample of MetalLB's cases of election (test/vectors/metallb-election.json) with real speakers: the objects of a case on a real API
// server, its nodes played by those of the bed. Who may announce is who answers; where nobody may, nobody does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bed } from '../../src/lab/kubernetes/bed.js';
import { NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { assigned } from '../../src/lab/kubernetes/objects.js';
import { NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio } from '../../src/lab/kubernetes/workloads.js';
import { readJson } from '../native/vector_files.js';
import { withBed } from './harness/bed.js';
import { SpeakerEyes } from './harness/speaker_eyes.js';

/** Every third case; unit tests run them all. */
const EVERY = 3;
const ALWAYS = /dies|excluded|unavailable|shared address|flap-back|cordoned|not ready/;
/** Objects of several kinds are seen in no certain order; and so long nobody may answer where nobody should. */
const SEEN_MS = 400;
const SILENCE_MS = 1_000;

interface Case {
  readonly name: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly conditions: readonly object[];
    readonly unschedulable?: boolean;
  }[];
  readonly members: readonly string[] | null;
  readonly advertisements: readonly { readonly name: string; readonly spec: object }[];
  readonly pools: readonly { readonly name: string; readonly spec: object }[];
  readonly service: { readonly namespace: string; readonly name: string; readonly spec: object };
  readonly endpointSlices: readonly { readonly endpoints: readonly { readonly nodeName?: string }[] }[];
  readonly addresses?: readonly string[];
  readonly options?: object;
  readonly previousOwner?: string;
  readonly expect: {
    readonly eligible?: readonly string[];
    readonly mayAnnounce: boolean;
    readonly owner?: string;
  };
}

/** What the bed can play: as many nodes as it has, by flags that it has, from the beginning. */
const isPlayable = ({ nodes, options, previousOwner, addresses }: Case) =>
  nodes.length <= NODE_NAMES.length && options === undefined && previousOwner === undefined && addresses !== undefined;

class Stage {
  /** The node of the bed that plays a node of the case. */
  private players = new Map<string, NodeName>();
  private readonly applied: string[] = [];

  constructor(
    private readonly bed: Bed,
    private readonly arpeggio: Arpeggio,
  ) {}

  player(name: string): NodeName {
    const found = this.players.get(name);
    assert.ok(found, `the case has no node ${name}`);
    return found;
  }

  /** Nodes first, and the service last: what decides has been seen by then. */
  async set({ nodes, members, advertisements, pools, service, endpointSlices, addresses = [] }: Case): Promise<void> {
    const { api } = this.bed;
    this.players = new Map(nodes.map(({ name }, index) => [name, NODE_NAMES[index] as NodeName]));
    for (const [index, node] of NODE_NAMES.entries()) {
      const role = nodes[index];
      // A node that the case does not have can do nothing.
      const conditions = role?.conditions ?? [{ type: 'NetworkUnavailable', status: 'True' }];
      await this.setNode(node, role?.labels ?? {}, conditions, role?.unschedulable ?? false);
      const lives = role !== undefined && (members === null || members.includes(role.name));
      if (!lives && role !== undefined) await this.arpeggio.speaker(node).stop('SIGKILL');
    }
    const metallb = (kind: string, { name, spec }: { name: string; spec: object }) =>
      this.apply({ apiVersion: 'metallb.io/v1beta1', kind, metadata: { name, namespace: NAMESPACE }, spec });
    for (const pool of pools) await metallb('IPAddressPool', pool);
    for (const advertisement of advertisements) await metallb('L2Advertisement', advertisement);
    const { namespace, name, spec, ...metadata } = service;
    for (const [index, { endpoints }] of endpointSlices.entries())
      await this.apply({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { namespace, name: `${name}-${index}`, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        ports: [{ port: 80, protocol: 'TCP', name: 'tcp-80' }],
        endpoints: endpoints.map((endpoint) =>
          endpoint.nodeName === undefined ? endpoint : { ...endpoint, nodeName: this.player(endpoint.nodeName) },
        ),
      });
    await delay(SEEN_MS);
    const path = await this.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace, name, ...metadata },
      spec: { ...spec, clusterIP: undefined, clusterIPs: undefined },
    });
    await api.patch(`${path}/status`, assigned(...addresses));
  }

  async clear(): Promise<void> {
    for (const path of this.applied.splice(0).reverse()) await this.bed.api.delete(path);
    await this.bed.api.eventually('nothing is answered', async () => (await this.answering()).length === 0);
    // An address that comes back before its record is gone, and all know that, goes to its former owner.
    const eyes = new SpeakerEyes(this.bed);
    await this.bed.api.eventually('nothing is recorded', async () => (await eyes.recorded()).length === 0);
    await delay(SEEN_MS);
    for (const node of NODE_NAMES)
      if (!this.arpeggio.speaker(node).isRunning) {
        await this.arpeggio.speaker(node).start();
        await this.bed.api.eventually(
          `${node} is ready`,
          async () => (await this.arpeggio.speaker(node).status()).state === 'ready',
        );
      }
  }

  async answering(): Promise<string[]> {
    const running = [...this.arpeggio.speakers].filter(([, { isRunning }]) => isRunning);
    const all = await Promise.all(running.map(([, speaker]) => speaker.status()));
    return all.flatMap(({ node, addresses }) =>
      addresses.filter(({ answering }) => answering).map(({ address }) => `${node} ${address}`),
    );
  }

  private async apply(object: { metadata: object; kind: string; apiVersion: string; [field: string]: unknown }) {
    const path = await this.bed.api.pathOf(object);
    await this.bed.api.apply(JSON.parse(JSON.stringify(object)));
    this.applied.push(path);
    return path;
  }

  private async setNode(
    node: NodeName,
    labels: Readonly<Record<string, string>>,
    conditions: readonly object[],
    unschedulable: boolean,
  ): Promise<void> {
    const { api } = this.bed;
    const path = `/api/v1/nodes/${node}`;
    const { metadata } = await api.get(path);
    const none = Object.fromEntries(Object.keys(metadata.labels ?? {}).map((key) => [key, null]));
    await api.patch(path, { metadata: { labels: { ...none, ...labels } }, spec: { unschedulable } });
    await api.patch(`${path}/status`, { status: { conditions } });
  }
}

test('MetalLB’s cases of election, by who answers', async (t) => {
  await withBed(t, {}, async (bed) => {
    const arpeggio = await Arpeggio.install(bed, { controllers: [], configuration: [] });
    const stage = new Stage(bed, arpeggio);
    const { cases } = readJson('metallb-election.json') as { cases: Case[] };
    const playable = cases.filter(isPlayable);
    const sample = playable.filter(({ name }, index) => index % EVERY === 0 || ALWAYS.test(name));
    const counts = { answered: 0, silent: 0 };
    for (const each of sample) {
      const { name, expect, addresses = [] } = each;
      await stage.set(each);
      if (expect.mayAnnounce) {
        const owners = await arpeggio.settled(addresses);
        for (const owner of Object.values(owners)) {
          const may = expect.eligible?.map((node) => stage.player(node));
          assert.ok(may === undefined || may.includes(owner as NodeName), `${name}: ${owner} answers`);
          if (expect.owner !== undefined) assert.equal(owner, stage.player(expect.owner), name);
        }
        counts.answered += 1;
      } else {
        await delay(SILENCE_MS);
        assert.deepEqual(await stage.answering(), [], name);
        counts.silent += 1;
      }
      await stage.clear();
    }
    t.diagnostic(`${sample.length} of ${cases.length} cases: ${JSON.stringify(counts)}`);
    assert.ok(counts.answered >= 20 && counts.silent >= 6, JSON.stringify(counts));
    await arpeggio.stop();
  });
});
