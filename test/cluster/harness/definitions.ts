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
