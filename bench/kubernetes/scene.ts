// Arpeggio on the bed of the cluster tests, watched by clients that send and by a host that asks.
import { setTimeout as delay } from 'node:timers/promises';
import type { Bed } from '../../src/lab/kubernetes/bed.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import type { StreamReport } from '../../src/lab/programs/protocol.js';
import { Asker, type AskReports } from '../../test/net/harness/asker.js';
import { overlapMs } from '../failover/watch.js';
import { LabApiError } from '../../src/lab/kubernetes/lab_api.js';
import { NAMESPACE } from '../../src/lab/kubernetes/manifests.js';
import { loadBalancer, type ServiceOptions } from '../../src/lab/kubernetes/objects.js';
import { NODE_NAMES, type NodeName } from '../../src/lab/kubernetes/stage.js';
import type { Arpeggio, Owners } from '../../src/lab/kubernetes/workloads.js';

const SERVICES = '/api/v1/namespaces/default/services';
const WRITES = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);
const ANSWERED_TIMEOUT_MS = 30_000;

/** What clients and the asking host saw of some addresses meanwhile. */
export interface Seen {
  /** The longest time without an echo of an address that lost any; 0 where nothing was lost. */
  readonly outageMs: number;
  readonly lost: number;
  readonly overlapMs: number;
  readonly longestWaitMs: number;
  readonly asked: AskReports;
}

export class Scene {
  constructor(
    readonly bed: Bed,
    readonly arpeggio: Arpeggio,
  ) {}

  /** A service with exactly these addresses; of one family where it is one. */
  async create(name: string, addresses: readonly string[], options: ServiceOptions = {}): Promise<void> {
    const annotations = { 'metallb.io/loadBalancerIPs': addresses.join(',') };
    const single = addresses.length === 1 ? { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'] } : {};
    const spec = { ...single, ...options.spec };
    await this.bed.api.create(SERVICES, loadBalancer(name, { ...options, annotations, spec }));
  }

  async remove(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.bed.api.delete(`${SERVICES}/${name}`);
    for (const name of names) {
      await this.bed.api.eventually(`${name} is gone`, async () => {
        const error = await this.bed.api.get(`${SERVICES}/${name}`).catch((reason: unknown) => reason);
        return error instanceof LabApiError && error.status === 404;
      });
    }
  }

  /** From `act` to the first answer of the last of the addresses, asked for every `intervalMs`; `act` tells when to begin. */
  async answeredAfterMs(addresses: readonly string[], intervalMs: number, act: () => Promise<number>): Promise<number> {
    const asker = await Asker.start(this.bed.host('client-2'), addresses, intervalMs);
    try {
      const begun = monotonicMs();
      const from = await act();
      const deadline = monotonicMs() + ANSWERED_TIMEOUT_MS;
      for (;;) {
        const reports = Object.values(await asker.reports(begun, monotonicMs()));
        const first = reports.map(({ answeredBy }) => answeredBy[0]?.sinceMs);
        if (first.every((at) => at !== undefined)) return Math.max(...(first as number[])) - from;
        if (monotonicMs() > deadline) {
          const open = first.filter((at) => at === undefined).length;
          throw new Error(`${open} of ${addresses.length} addresses were not answered within 30 s`);
        }
        await delay(50);
      }
    } finally {
      await asker.stop();
    }
  }

  /** Clients send to the addresses every 2 ms and a host asks for them every 5 ms while `act` happens and `afterMs` more. */
  async during(addresses: readonly string[], act: () => Promise<unknown>, afterMs: number): Promise<Seen> {
    const { clients } = this.bed;
    await Promise.all(clients.map((client) => client.stream(...addresses)));
    const asker = await Asker.start(this.bed.host('client-2'), addresses);
    try {
      // Neighbours are resolved, conntrack knows the streams.
      await delay(800);
      const from = monotonicMs();
      await act();
      await delay(afterMs);
      const to = monotonicMs();
      const reports = await Promise.all(clients.map((client) => client.reports(from, to)));
      const streams: StreamReport[] = reports.flatMap((byAddress) => Object.values(byAddress));
      const asked = await asker.reports(from, to);
      const waits = Object.values(asked).map(({ longestWaitMs }) => longestWaitMs);
      return {
        outageMs: Math.max(0, ...streams.filter(({ lost }) => lost > 0).map(({ longestGapMs }) => longestGapMs)),
        lost: streams.reduce((sum, { lost }) => sum + lost, 0),
        overlapMs: Math.max(0, ...Object.values(asked).map(overlapMs)),
        longestWaitMs: Math.max(0, ...waits),
        asked,
      };
    } finally {
      await asker.stop();
      await Promise.all(clients.map((client) => client.silence()));
    }
  }

  /** The node that owns the most, and what it owns. */
  busiest(owners: Owners): { readonly node: NodeName; readonly owned: readonly string[] } {
    const all = NODE_NAMES.map((node) => ({ node, owned: Object.keys(owners).filter((one) => owners[one] === node) }));
    return all.toSorted((a, b) => b.owned.length - a.owned.length)[0] as { node: NodeName; owned: string[] };
  }

  /** Requests since then, how many of them write, and what they were, the most frequent first. */
  requests(
    sinceMs: number,
    untilMs = Number.POSITIVE_INFINITY,
    component: 'speaker' | 'controller' | null = null,
  ): { readonly all: number; readonly writes: number; readonly kinds: readonly string[] } {
    const ours = this.bed.control
      .audit()
      .filter(
        ({ user, timeMs }) =>
          user.startsWith(`system:serviceaccount:${NAMESPACE}:arpeggio-${component ?? ''}`) &&
          timeMs >= sinceMs &&
          timeMs < untilMs,
      );
    const counts = new Map<string, number>();
    for (const { user, verb, resource } of ours) {
      const kind = `${user.split(':').at(-1)} ${verb} ${resource}`;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    const kinds = [...counts].sort(([, a], [, b]) => b - a).map(([kind, count]) => `${count} ${kind}`);
    return { all: ours.length, writes: ours.filter(({ verb }) => WRITES.has(verb)).length, kinds };
  }
}

/** How many addresses have another owner. */
export const moved = (before: Owners, after: Owners): number =>
  Object.keys(before).filter((address) => before[address] !== after[address]).length;
