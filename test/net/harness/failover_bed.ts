// Three nodes on two switches, clients on both that send to every address every 2 ms, and what they must have seen.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { NodeService } from '../../../src/lab/arpeggio_node.js';
import { EAGER_RESOLUTION } from '../../../src/lab/client.js';
import { Cluster, type ClusterOptions, type Owners } from '../../../src/lab/cluster.js';
import { monotonicMs } from '../../../src/lab/monotonic.js';
import type { NetworkSpec } from '../../../src/lab/network_spec.js';
import type { Observation } from '../../../src/lab/observation.js';
import type { StreamReport } from '../../../src/lab/programs/protocol.js';
import { clusterSpec, NODE_NAMES } from '../../../src/lab/stage.js';
import { withNetwork } from './network.js';

/** Dual-stack, two for each node. */
export const SERVICES: readonly NodeService[] = ['10', '20', '30'].map((number) => ({
  name: `service-${number}`,
  addresses: [`192.0.2.${number}`, `2001:db8::${number}`],
}));

/** How long an address may be without an owner after one is lost: the goal is 200, this machine may be busy. */
export const OUTAGE_LIMIT_MS = 500;
export interface BedOptions extends Partial<ClusterOptions> {
  readonly spec?: NetworkSpec;
  /** Nodes whose speakers run from the beginning; default all. */
  readonly started?: readonly string[];
  /** What a client sends to; default all addresses. */
  readonly streams?: (client: string) => readonly string[];
  /** Before any speaker runs. */
  readonly prepare?: (cluster: Cluster) => Promise<void>;
}

/** Builds it, waits until each address has its owner and every client is served, and takes it down again. */
export async function withCluster(
  t: TestContext,
  options: BedOptions,
  body: (cluster: Cluster, owners: Owners) => Promise<void>,
): Promise<void> {
  const { spec = clusterSpec(EAGER_RESOLUTION), started = [], streams, prepare = async () => {}, ...rest } = options;
  await withNetwork(t, spec, async (network) => {
    // Nothing is a newcomer that still probes its addresses.
    const settings = { probing: 'none' };
    const hosts = { services: SERVICES, settings, nodes: NODE_NAMES, clients: ['client-1', 'client-2'] };
    const cluster = await Cluster.create(network, { ...hosts, ...rest });
    await prepare(cluster);
    const owners = await cluster.start(...started);
    const addressesOf = (name: string) => streams?.(name) ?? cluster.addresses;
    await Promise.all(cluster.clients.map((client) => client.stream(...addressesOf(client.name))));
    const since = monotonicMs();
    for (const client of cluster.clients) {
      for (const address of addressesOf(client.name)) {
        const echoMs = await client.firstEcho(address, since, 3000);
        assert.notEqual(echoMs, null, `${client.name} gets no answer from ${address}`);
      }
    }
    await body(cluster, owners);
    await cluster.stop();
  });
}

const nodesOf = (report: StreamReport | undefined) => report?.answeredBy.map(({ node }) => node);

/** Asks again and again until it holds. */
export async function eventually(what: string, holds: () => Promise<boolean>, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `not so after ${timeoutMs} ms: ${what}`);
    await delay(20);
  }
}

/** An assertion for each (client, address); the message tells all that the client saw of it. */
function forEach(
  { seen }: Observation,
  what: string,
  check: (report: StreamReport, address: string, about: string) => void,
): void {
  for (const [client, reports] of Object.entries(seen)) {
    for (const [address, report] of Object.entries(reports))
      check(report, address, `${what}: ${client}, ${address}: ${JSON.stringify(report)}`);
  }
}

/** Nobody lost a packet. */
export function assertLossless(observation: Observation, what: string): void {
  forEach(observation, what, ({ sent, lost }, _, about) => {
    assert.ok(sent > 0, about);
    assert.equal(lost, 0, about);
  });
}

/** Every address stayed where it was, and nobody lost a packet. */
export function assertUnmoved(observation: Observation, owners: Owners, what: string): void {
  forEach(observation, what, (report, address, about) => assert.deepEqual(nodesOf(report), [owners[address]], about));
  assertLossless(observation, what);
}

/**
 * Addresses moved exactly as from `before` to `after`: each that changed its owner did so once for every client, all
 * others stayed, and the latter lost nothing.
 */
export function assertMoved(observation: Observation, before: Owners, after: Owners, what: string): void {
  forEach(observation, what, (report, address, about) => {
    const [old, young] = [before[address], after[address]];
    assert.deepEqual(nodesOf(report), old === young ? [old] : [old, young], about);
    if (old === young) assert.equal(report.lost, 0, about);
  });
}

/** The node's addresses, and only they, went to others. */
export function assertTaken(before: Owners, after: Owners, gone: string): void {
  assert.ok(addressesOf(before, gone).length > 0, `${gone} owned nothing`);
  for (const [address, owner] of Object.entries(before)) {
    if (owner !== gone)
      assert.equal(after[address], owner, `${address} moved away from ${owner}, which is still there`);
    else assert.notEqual(after[address], gone, `${address} is still at ${gone}`);
  }
}

export const addressesOf = (owners: Owners, node: string) =>
  Object.keys(owners).filter((address) => owners[address] === node);

/** The node that owns the most. */
export function busiest(owners: Owners): string {
  const nodes = [...new Set(Object.values(owners))];
  return nodes.toSorted((a, b) => addressesOf(owners, b).length - addressesOf(owners, a).length)[0] as string;
}
