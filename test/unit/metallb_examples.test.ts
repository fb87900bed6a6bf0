// The examples in deploy/examples: what people copy must be right.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import type { Labels } from '../../src/kubernetes/types.js';
import { serviceRequest } from '../../src/metallb/annotations.js';
import { judgeConfiguration, poolOf } from '../../src/metallb/configuration.js';
import type { Address } from '../../src/net/address.js';
import { inputOf, type RawObject, service } from './metallb_sample.js';

const FOLDER = new URL('../../../deploy/examples/', import.meta.url);

const files = readdirSync(FOLDER).sort();
const objectsOf = (name: string) =>
  parseAllDocuments(readFileSync(new URL(name, FOLDER), 'utf8')).map((document) => {
    assert.deepEqual(document.errors, [], name);
    return document.toJS() as RawObject & { metadata: { annotations?: Labels } };
  });
const everything = files.flatMap(objectsOf);

describe('the examples', () => {
  it('say first what they show', () => {
    assert.ok(files.length >= 10, files.join());
    for (const name of files) assert.match(readFileSync(new URL(name, FOLDER), 'utf8'), /^# [A-Z]/, name);
  });

  for (const name of files)
    it(`${name} is valid, and nothing in it is to be warned of`, () => {
      assert.deepEqual(judgeConfiguration(inputOf(objectsOf(name))).problems, []);
    });

  it('can be applied all together', () => {
    const names = everything.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
    assert.deepEqual(judgeConfiguration(inputOf(everything)).problems, []);
  });

  it('ask for addresses and pools that there are', () => {
    const { configuration } = judgeConfiguration(inputOf(everything));
    let asked = 0;
    for (const { metadata } of everything.filter(({ kind }) => kind === 'Service')) {
      const { addresses, pool, both, warnings } = serviceRequest(
        service(metadata.name ?? '', { annotations: metadata.annotations ?? {} }),
      );
      assert.ok(!both && warnings.length === 0);
      if (pool !== null)
        assert.ok(
          configuration?.pools.some((each) => each.name === pool),
          pool,
        );
      for (const address of addresses ?? []) assert.ok(poolOf(configuration!, address as Address) !== null, address);
      asked += (addresses ?? []).length + (pool === null ? 0 : 1);
    }
    assert.ok(asked >= 4);
  });
});
