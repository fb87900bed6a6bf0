import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatSelector,
  isLabelKey,
  isLabelValue,
  matches,
  matchesAny,
  selectorMistakes,
} from '../../src/metallb/selector.js';
import type { LabelSelectorRequirement } from '../../src/metallb/types.js';

const one = (requirement: LabelSelectorRequirement) => ({ matchExpressions: [requirement] });

describe('a label selector', () => {
  it('that is empty takes everything', () => {
    assert.ok(matches({}, {}));
    assert.ok(matches({ matchLabels: {}, matchExpressions: [] }, { app: 'web' }));
  });

  it('takes what meets all of its conditions', () => {
    const selector = { matchLabels: { app: 'web' }, ...one({ key: 'tier', operator: 'In', values: ['a', 'b'] }) };
    assert.ok(matches(selector, { app: 'web', tier: 'b' }));
    assert.ok(!matches(selector, { app: 'web', tier: 'c' }));
    assert.ok(!matches(selector, { app: 'web' }));
    assert.ok(!matches(selector, { tier: 'a' }));
  });

  it('with NotIn takes what has no such label', () => {
    const selector = one({ key: 'tier', operator: 'NotIn', values: ['a'] });
    assert.ok(matches(selector, {}));
    assert.ok(matches(selector, { tier: 'b' }));
    assert.ok(!matches(selector, { tier: 'a' }));
  });

  it('with Exists and DoesNotExist looks at the label alone, whatever its value', () => {
    assert.ok(matches(one({ key: 'tier', operator: 'Exists' }), { tier: '' }));
    assert.ok(!matches(one({ key: 'tier', operator: 'Exists' }), {}));
    assert.ok(matches(one({ key: 'tier', operator: 'DoesNotExist' }), {}));
    assert.ok(!matches(one({ key: 'tier', operator: 'DoesNotExist' }), { tier: '' }));
  });

  it('does not take what every object inherits for a label', () => {
    assert.ok(!matches(one({ key: 'constructor', operator: 'Exists' }), {}));
    assert.ok(!matches({ matchLabels: { toString: 'x' } }, {}));
  });

  it('is one of several, any of which suffices, and none takes everything', () => {
    const selectors = [{ matchLabels: { app: 'web' } }, { matchLabels: { app: 'dns' } }];
    assert.ok(matchesAny(selectors, { app: 'dns' }));
    assert.ok(!matchesAny(selectors, { app: 'mail' }));
    assert.ok(matchesAny([], {}));
  });

  it('is written in one order', () => {
    const expressions = [
      { key: 'tier', operator: 'In', values: ['b', 'a'] },
      { key: 'old', operator: 'DoesNotExist' },
      { key: 'new', operator: 'Exists' },
      { key: 'zone', operator: 'NotIn', values: ['z'] },
    ] as const;
    assert.equal(
      formatSelector({ matchLabels: { app: 'web' }, matchExpressions: expressions }),
      '!old,app=web,new,tier in (a,b),zone notin (z)',
    );
    assert.equal(formatSelector({}), '*');
  });
});

describe('a mistake in a selector', () => {
  const reasons = (requirement: LabelSelectorRequirement, strict = true) =>
    selectorMistakes(one(requirement), strict).map(({ reason, path }) => `${reason} ${path.join('.')}`);

  it('is told with its place', () => {
    assert.deepEqual(reasons({ key: 'a', operator: 'In' }), ['invalid-selector matchExpressions.0.values']);
    assert.deepEqual(reasons({ key: 'a', operator: 'Exists', values: ['b'] }), [
      'invalid-selector matchExpressions.0.values',
    ]);
    assert.deepEqual(reasons({ key: 'a b', operator: 'Exists' }), ['invalid-selector matchExpressions.0.key']);
    assert.deepEqual(reasons({ key: 'a', operator: 'In', values: ['b', 'c d'] }), [
      'invalid-selector matchExpressions.0.values.1',
    ]);
    assert.deepEqual(
      selectorMistakes({ matchLabels: { '': 'x' } }, true).map(({ path }) => path),
      [['matchLabels', '']],
    );
    assert.deepEqual(
      selectorMistakes({ matchLabels: { a: 'x y' } }, true).map(({ reason }) => reason),
      ['invalid-selector'],
    );
  });

  it('of writing something twice is one only where that is asked', () => {
    const twice: LabelSelectorRequirement = { key: 'a', operator: 'In', values: ['b', 'b'] };
    assert.deepEqual(reasons(twice), ['duplicate-selector-value matchExpressions.0.values.1']);
    assert.deepEqual(reasons(twice, false), []);
  });
});

describe('a label', () => {
  it('has a name with an optional prefix', () => {
    for (const key of ['app', 'App_1.x-y', 'kubernetes.io/hostname', `${'a'.repeat(253)}/x`, 'x'.repeat(63)])
      assert.ok(isLabelKey(key), key);
    for (const key of ['', '/x', 'x/', 'Example.com/x', '-a', 'a-', 'a/b/c', 'x'.repeat(64), `${'a'.repeat(254)}/x`])
      assert.ok(!isLabelKey(key), key);
  });

  it('has a value that may be empty', () => {
    for (const value of ['', 'a', 'A_b.c-d', 'x'.repeat(63)]) assert.ok(isLabelValue(value), value);
    for (const value of ['-', 'a ', 'ä', 'x'.repeat(64)]) assert.ok(!isLabelValue(value), value);
  });
});
