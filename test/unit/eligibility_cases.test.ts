// Who may announce a service, and who does, as MetalLB's own tests have it (test/vectors/metallb-election.json).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { announcementOf, preferenceScores } from '../../src/eligibility/announcement.js';
import { lastResort } from '../../src/eligibility/last_resort.js';
import type { Announcement, ClusterView, RefusalCode } from '../../src/eligibility/types.js';
import {
  projectCustomResource,
  projectEndpointSlice,
  projectNode,
  projectService,
} from '../../src/kubernetes/projections.js';
import { judgeConfiguration } from '../../src/metallb/configuration.js';
import type { Address } from '../../src/net/address.js';
import { place } from '../../src/placement/placement.js';

const NAMESPACE = 'metallb-system';

interface Case {
  readonly name: string;
  readonly deviates?: string;
  readonly nodes: readonly { name: string; labels: object; conditions: object[]; unschedulable?: boolean }[];
  readonly members: readonly string[] | null;
  readonly advertisements: readonly { name: string; spec: object }[];
  readonly pools: readonly { name: string; spec: object }[];
  readonly service: { namespace: string; name: string; labels?: object; annotations?: object; spec: object };
  readonly endpointSlices: readonly { endpoints: object[] }[];
  readonly addresses?: readonly string[];
  readonly sweep?: { readonly first: string; readonly last: string };
  readonly options?: { readonly ignoreExcludeLB?: boolean };
  readonly previousOwner?: string;
  readonly expect: {
    readonly eligible?: readonly string[];
    readonly mayAnnounce: boolean;
    readonly reason?: RefusalCode;
    readonly refused?: Record<string, RefusalCode>;
    readonly owner?: string;
    readonly preferenceScores?: Record<string, number>;
    readonly interfaces?: Record<string, 'all' | readonly string[]>;
    readonly advertisements?: readonly string[];
    readonly spread?: { readonly exactlyOneOwner: boolean; readonly leastPerNode: number };
  };
}

/** Compiled tests run from dist/test/unit. */
const FILE = new URL('../../../test/vectors/metallb-election.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(FILE, 'utf8')) as { cases: readonly Case[] };

function projected<T>(result: { value: T } | null): T {
  assert.ok(result);
  return result.value;
}

function viewOf({ nodes, pools, advertisements, options }: Case): ClusterView {
  const custom = (kind: string) => (each: { name: string; spec: object }) =>
    projected(
      projectCustomResource({
        apiVersion: 'metallb.io/v1beta1',
        kind,
        metadata: { namespace: NAMESPACE, name: each.name },
        spec: each.spec,
      }),
    );
  const { configuration, problems } = judgeConfiguration({
    pools: pools.map(custom('IPAddressPool')),
    advertisements: advertisements.map(custom('L2Advertisement')),
    namespaces: [],
    nodes: [],
    namespace: NAMESPACE,
  });
  assert.ok(configuration, JSON.stringify(problems));
  const projectedNodes = nodes.map(({ name, labels, conditions, unschedulable }) =>
    projected(projectNode({ metadata: { name, labels }, spec: { unschedulable }, status: { conditions } })),
  );
  return {
    configuration,
    nodes: new Map(projectedNodes.map((node) => [node.name, node])),
    ignoreExcludeLB: options?.ignoreExcludeLB ?? false,
  };
}

function serviceOf({ service }: Case, addresses: readonly string[]) {
  const { namespace, name, labels, annotations, spec } = service;
  const status = { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } };
  return projected(projectService({ metadata: { namespace, name, labels, annotations }, spec, status }));
}

function slicesOf({ service, endpointSlices }: Case) {
  const { namespace, name } = service;
  return endpointSlices.map(({ endpoints }, index) => {
    const metadata = { namespace, name: `${name}-${index}`, labels: { 'kubernetes.io/service-name': name } };
    return projected(projectEndpointSlice({ metadata, addressType: 'IPv4', endpoints }));
  });
}

function sweepOf({ first, last }: { first: string; last: string }): string[] {
  const start = first.lastIndexOf('.') + 1;
  const [from, to] = [Number(first.slice(start)), Number(last.slice(start))];
  assert.equal(first.slice(0, start), last.slice(0, start));
  return Array.from({ length: to - from + 1 }, (_, index) => `${first.slice(0, start)}${from + index}`);
}

/** As the core does: who owns it and may keep it, keeps it; else placement decides. */
function ownersOf(each: Case, announcements: readonly Announcement[]): Map<Address, string | null> {
  const owners = new Map<Address, string | null>();
  const requests = [];
  for (const { addresses, desired } of announcements) {
    for (const address of addresses) {
      const candidates = aliveOf(each, desired?.nodes ?? []);
      if (each.previousOwner !== undefined && candidates.includes(each.previousOwner)) {
        owners.set(address, each.previousOwner);
        continue;
      }
      const prefer = new Map((desired?.prefer ?? []).map(({ node, weight }) => [node, weight]));
      requests.push({ address, candidates, prefer });
    }
  }
  for (const [address, owner] of place(requests, new Map())) owners.set(address, owner);
  return owners;
}

function aliveOf({ members }: Case, nodes: readonly string[]): readonly string[] {
  return nodes.filter((node) => members === null || members.includes(node));
}

/** With those that are not alive: of several reasons the one that comes first counts, and these two come after it. */
function refusedOf(each: Case, { eligible, refused }: Announcement): Record<string, RefusalCode> {
  const codes = new Map<string, RefusalCode>();
  const later: readonly RefusalCode[] = ['network-unavailable', 'node-excluded', 'no-local-endpoint'];
  for (const { name } of each.nodes) {
    const code = refused.get(name);
    const alive = aliveOf(each, [name]).length > 0;
    if (!alive && (eligible.includes(name) || (code !== undefined && later.includes(code))))
      codes.set(name, 'not-alive');
    else if (code !== undefined) codes.set(name, code);
  }
  return Object.fromEntries(codes);
}

function interfacesOf({ desired }: Announcement, node: string): 'all' | readonly string[] | null {
  if (!desired?.nodes?.includes(node)) return null;
  const scope = desired.scopes?.find(({ nodes }) => nodes === null || nodes.includes(node)) ?? desired;
  return scope.interfaces ?? 'all';
}

function check(each: Case, announcement: Announcement, owner: string | null): void {
  const { expect } = each;
  const alive = aliveOf(each, announcement.eligible);
  assert.equal(alive.length > 0, expect.mayAnnounce);
  assert.equal(owner !== null, expect.mayAnnounce);
  assert.ok(owner === null || alive.includes(owner));
  assert.deepEqual(announcement.desired?.nodes ?? [], announcement.eligible);
  assert.equal(announcement.desired === null, announcement.reason !== null);
  if (expect.eligible) assert.deepEqual(alive, expect.eligible);
  if (expect.reason) assert.equal(announcement.reason, expect.reason);
  if (expect.refused) assert.deepEqual(refusedOf(each, announcement), expect.refused);
  if (expect.advertisements) assert.deepEqual(announcement.advertisements, expect.advertisements);
  if (expect.owner) assert.equal(owner, expect.owner);
  for (const [node, interfaces] of Object.entries(expect.interfaces ?? {})) {
    assert.deepEqual(interfacesOf(announcement, node), interfaces, node);
  }
}

for (const each of cases) {
  test(each.name, () => {
    const view = viewOf(each);
    const slices = slicesOf(each);
    const sets = each.sweep ? sweepOf(each.sweep).map((address) => [address]) : [each.addresses ?? []];
    const services = sets.map((addresses) => serviceOf(each, addresses));
    const announcements = services.map((service) => announcementOf(service, slices, view));
    const owners = ownersOf(each, announcements);
    assert.deepEqual(ownersOf(each, announcements.toReversed()), owners);
    for (const announcement of announcements) {
      for (const address of announcement.addresses) check(each, announcement, owners.get(address) ?? null);
    }
    const [service] = services;
    if (each.expect.preferenceScores)
      assert.deepEqual(Object.fromEntries(preferenceScores(service!, view)), each.expect.preferenceScores);
    if (!each.expect.spread) return;
    assert.equal(owners.size, sets.length);
    for (const { name } of each.nodes) {
      const count = [...owners.values()].filter((owner) => owner === name).length;
      assert.ok(count >= each.expect.spread.leastPerNode, `${name} has ${count}`);
    }
  });
}

test('a cordoned node and one that is not ready may announce, as a last resort', () => {
  for (const [name, cordonOnly] of [
    ['a cordoned node', true],
    ['a node that is not ready', false],
  ] as const) {
    const each = cases.find((one) => one.name === name)!;
    const view = viewOf(each);
    const { eligible } = announcementOf(serviceOf(each, each.addresses!), slicesOf(each), view);
    assert.deepEqual(eligible, ['iris1', 'iris2']);
    assert.deepEqual(lastResort(view.nodes.values(), { drainOnCordon: true }), ['iris2']);
    assert.deepEqual(lastResort(view.nodes.values(), { drainOnCordon: false }), cordonOnly ? [] : ['iris2']);
  }
});

test('all ninety cases are there, each with an address', () => {
  assert.equal(cases.length, 90);
  assert.deepEqual(
    cases.filter(({ addresses, sweep }) => !sweep && addresses?.length !== 1).map(({ name }) => name),
    [],
  );
});
