import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

test('docs/allocation.md tells what to do about every reason', () => {
  const [, codes = ''] = /export type AllocationError =([^;]*);/.exec(read('src/allocation/types.ts')) ?? [];
  const reasons = [...codes.matchAll(/'([^']+)'/g)].map((match) => match[1]!);
  assert.equal(reasons.length, 20);
  const text = read('docs/allocation.md');
  assert.deepEqual(
    reasons.filter((reason) => !text.includes(`\`${reason}\``)),
    [],
  );
});
