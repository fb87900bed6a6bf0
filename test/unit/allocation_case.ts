// The cases of test/vectors/metallb-allocation.json, and what they expect of one service.
import assert from 'node:assert/strict';
import type { AllocationError } from '../../src/allocation/types.js';
import type { ObjectKey } from '../../src/kubernetes/types.js';
import { parseRange, rangeContains } from '../../src/metallb/ranges.js';
import { familyOf, parseAddress } from '../../src/net/address.js';
import { readJson } from '../native/vector_files.js';

export interface RawPool {
  readonly name: string;
  readonly labels?: Record<string, string>;
  readonly spec: unknown;
}

export interface RawNamespace {
  readonly name: string;
  readonly labels: Record<string, string>;
}

export interface RawService {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly spec: Record<string, unknown>;
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly object[] } };
}

export interface Outcome {
  readonly addresses?: readonly string[];
  readonly anyFrom?: readonly string[];
  readonly families?: readonly string[];
  readonly none?: true;
  readonly pool?: string;
  readonly error?: AllocationError;
  readonly sameAs?: ObjectKey;
}

export interface Expectation extends Outcome {
  readonly warning?: boolean;
  readonly others?: readonly (Outcome & { readonly service: ObjectKey })[];
  readonly unchanged?: readonly ObjectKey[];
  readonly poolStatus?: readonly (Record<string, number | string> & { readonly pool: string })[];
  readonly total?: number | string;
  readonly metrics?: readonly { readonly metric: string; readonly pool: string; readonly value: number | null }[];
}

export interface Step {
  readonly action: 'apply-service' | 'delete-service' | 'replace-pools' | 'restart-controller';
  readonly service?: RawService;
  readonly pools?: readonly RawPool[];
  readonly expect: Expectation;
}

export interface Case {
  readonly name: string;
  readonly pools: readonly RawPool[];
  readonly namespaces?: readonly RawNamespace[];
  readonly options?: { readonly lbClass: string };
  readonly steps: readonly Step[];
}

/** What an object says that its service has. */
export interface Shown {
  readonly addresses: readonly string[];
  readonly pool: string | null;
}

export const { cases } = readJson('metallb-allocation.json') as { cases: readonly Case[] };

export const keyOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): ObjectKey =>
  `${namespace}/${name}`;

export function checkOutcome(
  key: ObjectKey,
  { addresses, pool }: Shown,
  expect: Outcome,
  pools: readonly RawPool[],
  shownBy: (key: ObjectKey) => Shown,
): void {
  if (expect.none) assert.deepEqual(addresses, [], key);
  if (expect.addresses !== undefined) assert.deepEqual(addresses, expect.addresses, key);
  if (expect.pool !== undefined) assert.equal(pool, expect.pool, key);
  if (expect.sameAs !== undefined) assert.deepEqual(addresses, shownBy(expect.sameAs).addresses, key);
  if (expect.anyFrom === undefined) return;
  const ranges = expect.anyFrom
    .flatMap((from) => (pools.find(({ name }) => name === from)?.spec as { addresses: string[] })?.addresses ?? [from])
    .map(parseRange);
  const parsed = addresses.map(parseAddress);
  for (const address of parsed)
    assert.ok(
      ranges.some((range) => rangeContains(range, address)),
      `${key} has ${address}`,
    );
  const families = parsed.map((address) => (familyOf(address) === 'ipv4' ? 'IPv4' : 'IPv6'));
  assert.deepEqual(families, expect.families, key);
}
