// MetalLB's kinds as deploy/base defines them.
import { readdirSync, readFileSync } from 'node:fs';
import type { ApiObject, LabApi } from '../../../src/lab/kubernetes/lab_api.js';

// Compiled, this file is four directories below the root.
export const DEFINITIONS = new URL('../../../../deploy/base/crds/', import.meta.url);

export async function applyDefinitions(api: LabApi): Promise<ApiObject[]> {
  const applied: ApiObject[] = [];
  for (const name of readdirSync(DEFINITIONS).sort()) {
    if (/^metallb\.io_.*\.yaml$/.test(name))
      applied.push(...(await api.applyYaml(readFileSync(new URL(name, DEFINITIONS), 'utf8'))));
  }
  return applied;
}

/** A definition as MetalLB has it: without the rules and bounds of ours. */
export function withoutRules(schema: ApiObject): ApiObject {
  if (Array.isArray(schema)) return schema.map(withoutRules);
  if (typeof schema !== 'object' || schema === null) return schema;
  const ours = /^(x-kubernetes-(validations|list-type|list-map-keys)|(max|min)(Items|Length)|enum)$/;
  const kept = Object.entries(schema).filter(([key]) => !ours.test(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutRules(value)]));
}

export const POOL_NAMESPACE = 'metallb-system';

/** A pool that everybody announces, in YAML. */
export const configurationOf = (addresses: string): string => `
apiVersion: v1
kind: Namespace
metadata: { name: ${POOL_NAMESPACE} }
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: lab, namespace: ${POOL_NAMESPACE} }
spec: { addresses: [${addresses}] }
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: all, namespace: ${POOL_NAMESPACE} }
spec: {}
`;
