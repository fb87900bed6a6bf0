// One IPAddressPool or L2Advertisement alone: what it says, or what is wrong with it.
import type * as z from 'zod';
import type { CustomResource } from '../kubernetes/types.js';
import { parseRange } from './ranges.js';
import { advertisementSpecSchema, poolSpecSchema, reasonOf, toSelector } from './schema.js';
import type {
  AddressRange,
  ConfigurationProblem,
  ConfigurationReason,
  LabelSelector,
  PreferredNodeSelector,
} from './types.js';

/** An IPAddressPool before it is known which namespaces there are. */
export interface PoolDraft {
  readonly resource: CustomResource;
  readonly ranges: readonly AddressRange[];
  readonly autoAssign: boolean;
  readonly avoidBuggyIPs: boolean;
  readonly serviceAllocation: ServiceAllocationDraft | null;
}

interface ServiceAllocationDraft {
  /** As it stands; 0 where unset. */
  readonly priority: number;
  readonly namespaces: readonly string[];
  readonly namespaceSelectors: readonly LabelSelector[];
  readonly serviceSelectors: readonly LabelSelector[];
}

/** An L2Advertisement before it is known which pools there are. */
export interface AdvertisementDraft {
  readonly resource: CustomResource;
  readonly ipAddressPools: readonly string[];
  readonly ipAddressPoolSelectors: readonly LabelSelector[];
  readonly nodeSelectors: readonly LabelSelector[];
  readonly interfaces: readonly string[] | null;
  readonly serviceSelectors: readonly LabelSelector[];
  readonly preferredNodeSelectors: readonly PreferredNodeSelector[];
}

/** Null where the object cannot be used; the problems say why. */
export interface Read<T> {
  readonly draft: T | null;
  readonly problems: readonly ConfigurationProblem[];
}

/** A problem with an object; as an error unless told otherwise. */
export function problemWith(
  kind: ConfigurationProblem['kind'],
  { namespace, name }: Pick<CustomResource, 'namespace' | 'name'>,
  reason: ConfigurationReason,
  path: string,
  message: string,
  severity: ConfigurationProblem['severity'] = 'error',
): ConfigurationProblem {
  return { kind, namespace, name, path, reason, message, severity };
}

/** Objects are never changed once they are known, and are judged again with every Node and Namespace that changes. */
function remembered<T>(read: (resource: CustomResource) => Read<T>): (resource: CustomResource) => Read<T> {
  const known = new WeakMap<CustomResource, Read<T>>();
  return (resource) => {
    let result = known.get(resource);
    if (result === undefined) {
      result = read(resource);
      known.set(resource, result);
    }
    return result;
  };
}

export const readPool = remembered((resource): Read<PoolDraft> => {
  const parsed = poolSpecSchema.safeParse(resource.spec ?? {}, { reportInput: true });
  if (!parsed.success) return { draft: null, problems: mistakes('IPAddressPool', resource, parsed.error) };
  const { addresses, autoAssign, avoidBuggyIPs, serviceAllocation } = parsed.data;
  return {
    draft: {
      resource,
      ranges: addresses.map(parseRange),
      autoAssign,
      avoidBuggyIPs,
      serviceAllocation: serviceAllocation
        ? {
            priority: serviceAllocation.priority ?? 0,
            namespaces: serviceAllocation.namespaces ?? [],
            namespaceSelectors: (serviceAllocation.namespaceSelectors ?? []).map(toSelector),
            serviceSelectors: (serviceAllocation.serviceSelectors ?? []).map(toSelector),
          }
        : null,
    },
    problems: [],
  };
});

export const readAdvertisement = remembered((resource): Read<AdvertisementDraft> => {
  const parsed = advertisementSpecSchema.safeParse(resource.spec ?? {}, { reportInput: true });
  if (!parsed.success) return { draft: null, problems: mistakes('L2Advertisement', resource, parsed.error) };
  const spec = parsed.data;
  const interfaces = [...new Set(spec.interfaces)];
  return {
    draft: {
      resource,
      ipAddressPools: spec.ipAddressPools ?? [],
      ipAddressPoolSelectors: (spec.ipAddressPoolSelectors ?? []).map(toSelector),
      nodeSelectors: (spec.nodeSelectors ?? []).map(toSelector),
      interfaces: interfaces.length === 0 ? null : interfaces,
      serviceSelectors: (spec.serviceSelectors ?? []).map(toSelector),
      preferredNodeSelectors: (spec.preferredNodeSelectors ?? []).map(({ weight, preference }) => ({
        weight,
        preference: toSelector(preference),
      })),
    },
    problems: [],
  };
});

function mistakes(
  kind: ConfigurationProblem['kind'],
  resource: CustomResource,
  error: z.core.$ZodError,
): ConfigurationProblem[] {
  return error.issues.map((issue) => problemWith(kind, resource, reasonOf(issue), pathText(issue.path), issue.message));
}

/** spec.addresses[1] */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return /^[A-Za-z]\w*$/.test(String(key)) ? `${text}.${String(key)}` : `${text}[${JSON.stringify(key)}]`;
  }, 'spec');
}
