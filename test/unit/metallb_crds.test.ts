// The CustomResourceDefinitions as far as they can be judged without an API server; test/cluster/crds.test.ts has the rest.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { customResourceDefinitions } from '../../src/metallb/crds.js';
import type { Json } from '../../src/metallb/openapi.js';

const SCRIPT = fileURLToPath(new URL('../../../scripts/crds.mjs', import.meta.url));

type Schema = { [key: string]: unknown };

interface Definition {
  metadata: { name: string };
  spec: {
    names: { plural: string; kind: string };
    versions: { name: string; subresources: unknown; schema: { openAPIV3Schema: Schema } }[];
  };
}

const definitions = customResourceDefinitions().map(({ object }) => object as unknown as Definition);
const schemaOf = (kind: string) =>
  definitions.find(({ spec }) => spec.names.kind === kind)!.spec.versions[0]!.schema.openAPIV3Schema;

function walk(schema: Schema, visit: (schema: Schema, path: string) => void, path = ''): void {
  visit(schema, path);
  for (const [name, property] of Object.entries((schema.properties as Record<string, Schema>) ?? {}))
    walk(property, visit, `${path}.${name}`);
  for (const key of ['items', 'additionalProperties'])
    if (typeof schema[key] === 'object') walk(schema[key] as Schema, visit, `${path}[]`);
}

function at(kind: string, path: string): Schema {
  let found: Schema | null = null;
  walk(schemaOf(kind), (schema, here) => {
    if (here === path) found = schema;
  });
  assert.ok(found !== null, `${kind} has no ${path}`);
  return found;
}

describe('the CustomResourceDefinitions', () => {
  it('in deploy/base/crds are what the schemas say', async () => {
    await promisify(execFile)(process.execPath, [SCRIPT, '--check']);
  });

  it('have the names of MetalLB', () => {
    assert.deepEqual(
      definitions.map(({ metadata }) => metadata.name),
      ['ipaddresspools', 'l2advertisements', 'servicel2statuses', 'configurationstates'].map(
        (name) => `${name}.metallb.io`,
      ),
    );
    for (const { spec } of definitions) {
      assert.equal(spec.versions[0]?.name, 'v1beta1');
      // Only people's objects need one: it keeps their spec from the status that a program writes.
      const inline = spec.names.kind === 'ServiceL2Status';
      assert.deepEqual(spec.versions[0]?.subresources, inline ? undefined : { status: {} });
    }
  });

  it('are structural: a type everywhere, nothing that JSON Schema alone knows', () => {
    const foreign = new Set<string>();
    let count = 0;
    for (const kind of ['IPAddressPool', 'L2Advertisement', 'ServiceL2Status', 'ConfigurationState'])
      walk(schemaOf(kind), (schema, path) => {
        count += 1;
        assert.equal(typeof schema.type, 'string', `${kind}${path}`);
        for (const key of Object.keys(schema)) if (!KNOWN.has(key)) foreign.add(key);
        if (schema.type === 'object' && schema.additionalProperties !== undefined)
          assert.notEqual(schema.additionalProperties, false);
      });
    assert.ok(count > 80, String(count));
    assert.deepEqual([...foreign], []);
  });

  it('describe every field', () => {
    for (const kind of ['IPAddressPool', 'L2Advertisement', 'ServiceL2Status', 'ConfigurationState'])
      walk(schemaOf(kind), (schema, path) => {
        if (/^\.(spec|status)/.test(path) && !path.endsWith('[]'))
          assert.equal(typeof schema.description, 'string', `${kind}${path}`);
      });
  });

  it('have the defaults and demands of MetalLB', () => {
    assert.equal(at('IPAddressPool', '.spec.autoAssign').default, true);
    assert.equal(at('IPAddressPool', '.spec.avoidBuggyIPs').default, false);
    assert.deepEqual(at('IPAddressPool', '.spec').required, ['addresses']);
    assert.deepEqual(schemaOf('IPAddressPool').required, ['spec']);
    assert.equal(schemaOf('L2Advertisement').required, undefined);
    assert.equal(at('L2Advertisement', '.spec').required, undefined);
    assert.deepEqual(at('L2Advertisement', '.spec.preferredNodeSelectors[]').required, ['weight', 'preference']);
    const { minimum, maximum } = at('L2Advertisement', '.spec.preferredNodeSelectors[].weight');
    assert.deepEqual([minimum, maximum], [1, 100]);
    const priority = at('IPAddressPool', '.spec.serviceAllocation.priority');
    assert.deepEqual([priority.type, priority.minimum, priority.maximum], ['integer', undefined, undefined]);
  });

  it('carry the rules that the API server checks', () => {
    assert.ok((at('IPAddressPool', '.spec.addresses[]')['x-kubernetes-validations'] as Json[]).length === 3);
    for (const path of ['ipAddressPoolSelectors', 'nodeSelectors', 'serviceSelectors'])
      assert.equal((at('L2Advertisement', `.spec.${path}`)['x-kubernetes-validations'] as Json[]).length, 1);
    assert.equal(at('L2Advertisement', '.spec.nodeSelectors[]')['x-kubernetes-map-type'], 'atomic');
  });
});

const KNOWN = new Set([
  ...['type', 'description', 'properties', 'required', 'items', 'additionalProperties', 'default', 'enum', 'format'],
  ...['minimum', 'maximum', 'minItems', 'maxItems', 'minLength', 'maxLength', 'pattern'],
  ...['x-kubernetes-validations', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys', 'x-kubernetes-map-type'],
]);
