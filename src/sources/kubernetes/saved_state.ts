// The form in which the last state is kept on disk.
import * as z from 'zod';
import type { DesiredService, DesiredState } from '../../desired/desired.js';
import type { Configuration } from '../../metallb/types.js';
import { parseAddress } from '../../net/address.js';

/** What a restarted speaker goes on with while the API server is away, or the configuration in it is wrong. */
export interface SavedState {
  readonly desired: DesiredState;
  /** The last valid one; null: there was none. */
  readonly configuration: Configuration | null;
}

/** Another version is not read: the state is written again as soon as the API server is heard. */
const VERSION = 1;

const names = z.array(z.string());
const address = z.string().transform((text) => parseAddress(text));
const bigint = z
  .string()
  .regex(/^\d{1,39}$/)
  .transform((text) => BigInt(text));
const selector = z.object({
  matchLabels: z.record(z.string(), z.string()).optional(),
  matchExpressions: z
    .array(
      z.object({
        key: z.string(),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: names.optional(),
      }),
    )
    .optional(),
});
const pool = z.object({
  name: z.string(),
  ranges: z.array(
    z.object({ family: z.enum(['ipv4', 'ipv6']), first: bigint, last: bigint, text: z.string(), cidrs: names }),
  ),
  autoAssign: z.boolean(),
  avoidBuggyIPs: z.boolean(),
  serviceAllocation: z
    .object({
      // JSON has no infinity.
      priority: z
        .number()
        .nullable()
        .transform((priority) => priority ?? Number.POSITIVE_INFINITY),
      namespaces: names.nullable(),
      serviceSelectors: z.array(selector),
    })
    .nullable(),
});
const advertisement = z.object({
  name: z.string(),
  pools: names,
  nodeSelectors: z.array(selector),
  interfaces: names.nullable(),
  serviceSelectors: z.array(selector),
  preferredNodeSelectors: z.array(z.object({ weight: z.number(), preference: selector })),
});
const terms = z.object({
  interfaces: names.nullable(),
  nodes: names.nullable().optional(),
  scopes: z.array(z.object({ nodes: names.nullable(), interfaces: names.nullable() })).optional(),
  prefer: z.array(z.object({ node: z.string(), weight: z.number() })).optional(),
});
const schema = z.object({
  version: z.literal(VERSION),
  probing: z.enum(['fast', 'rfc5227', 'none']),
  lastResort: names,
  /** Thousands of services have few different ones, and each may name hundreds of nodes. */
  terms: z.array(terms),
  /** Name, addresses, and the index of the terms. */
  services: z.array(z.tuple([z.string(), z.array(address), z.int().nonnegative()])),
  configuration: z
    .object({ pools: z.array(pool), advertisements: z.array(advertisement), reserved: z.array(address) })
    .nullable(),
});

type Terms = Omit<DesiredService, 'name' | 'addresses'>;

export function encodeState({ desired, configuration }: SavedState): string {
  const interned = new Interned();
  const services = desired.services.map(({ name, addresses, ...rest }) => [name, addresses, interned.indexOf(rest)]);
  const { probing, lastResort = [] } = desired;
  const saved = { version: VERSION, probing, lastResort, terms: interned.terms, services, configuration };
  return JSON.stringify(saved, (_key, value) => (typeof value === 'bigint' ? value.toString() : value));
}

/** @throws Error when the text is not what `encodeState` writes */
export function decodeState(text: string): SavedState {
  const { probing, lastResort, terms: allTerms, services, configuration } = schema.parse(JSON.parse(text));
  const desired = services.map(([name, addresses, index]): DesiredService => {
    const found = allTerms[index];
    if (found === undefined) throw new Error(`service ${name} refers to terms that are not there`);
    return { name, addresses, ...(found as Terms) };
  });
  return {
    desired: { services: desired, probing, lastResort },
    // Absent fields are absent, whatever the types of zod say.
    configuration: configuration as Configuration | null,
  };
}

class Interned {
  readonly terms: Terms[] = [];
  /** Equal terms mostly have the very same list of nodes. */
  readonly #byNodes = new Map<unknown, number[]>();

  indexOf(terms: Terms): number {
    const indices = this.#byNodes.get(terms.nodes) ?? [];
    this.#byNodes.set(terms.nodes, indices);
    const known = indices.find((index) => isSame(this.terms[index]!, terms));
    if (known !== undefined) return known;
    indices.push(this.terms.length);
    this.terms.push(terms);
    return this.terms.length - 1;
  }
}

function isSame(a: Terms, b: Terms): boolean {
  return a.interfaces === b.interfaces && a.nodes === b.nodes && a.scopes === b.scopes && a.prefer === b.prefer;
}
