// What bench:failover runs for which options, and how the benches share a report.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GROUPS } from '../../bench/failover/cases.js';
import { keepalivedConfig } from '../../bench/failover/keepalived.js';
import { lanesOf, makePlan } from '../../bench/failover/plan.js';
import { SYSTEM_NAMES } from '../../bench/failover/system.js';
import { ROOT, shortError } from '../../bench/machine.js';
import { withSection } from '../../bench/sections.js';
import { figure, percentile } from '../../bench/statistics.js';

const names = (plan: ReturnType<typeof makePlan>) => plan.groups.map(({ name }) => name);

test('everything by default, which alone may write the report', () => {
  const plan = makePlan({ quick: false });
  assert.deepEqual(plan.systems, SYSTEM_NAMES);
  assert.deepEqual(plan.groups, GROUPS);
  assert.deepEqual(plan.extras, ['many', 'publish', 'hogs']);
  assert.deepEqual([plan.repetitions, plan.hogMinutes, plan.full], [10, 10, true]);
  assert.equal(makePlan({ quick: false, repetitions: '12' }).full, true);
  for (const less of [{ quick: true }, { quick: false, repetitions: '9' }, { quick: false, only: 'link' }])
    assert.equal(makePlan(less).full, false);
  assert.equal(makePlan({ quick: false, hogMinutes: '2' }).full, false);
  assert.equal(makePlan({ quick: true }).repetitions, 2);
});

test('--only: systems alone mean all cases, cases alone all systems', () => {
  const ucarp = makePlan({ quick: false, only: 'ucarp' });
  assert.deepEqual([ucarp.systems, ucarp.groups, ucarp.extras], [['ucarp'], GROUPS, []]);
  const link = makePlan({ quick: false, only: 'link, term' });
  assert.deepEqual([link.systems, names(link), link.extras], [SYSTEM_NAMES, ['link', 'term'], []]);
  const both = makePlan({ quick: false, only: 'arpeggio,many' });
  assert.deepEqual([both.systems, names(both), both.extras], [['arpeggio'], [], ['many']]);
});

test('what cannot be meant is refused with what can', () => {
  assert.throws(() => makePlan({ quick: false, only: 'carp' }), /no "carp"; systems: arpeggio, .*ucarp; cases: link, /);
  assert.throws(() => makePlan({ quick: false, repetitions: 'many' }), /--repetitions must be a number of at least 1/);
  assert.throws(() => makePlan({ quick: false, hogMinutes: '0' }), /--hog-minutes/);
});

test('Arpeggio plays alone, the others side by side, and who goes first changes', () => {
  const others = ['keepalived-1s', 'keepalived-100ms', 'ucarp'];
  assert.deepEqual(lanesOf(SYSTEM_NAMES, 0), [['arpeggio'], others]);
  assert.deepEqual(lanesOf(SYSTEM_NAMES, 1), [others, ['arpeggio']]);
  assert.deepEqual(lanesOf(['ucarp'], 1), [['ucarp']]);
});

test('keepalived: an instance for each family and owner, and each node leads for one service', () => {
  const configs = [0, 1, 2].map((node) => keepalivedConfig(node, 1));
  for (const text of configs) {
    assert.equal(text.match(/^vrrp_instance /gm)?.length, 6);
    assert.equal(text.match(/priority 150/g)?.length, 2);
    assert.doesNotMatch(text, /vrrp_version/);
  }
  assert.match(configs[0] as string, /vrrp_instance web_ipv6 \{\n(?: {2}.*\n)*? {2}priority 150\n/);
  assert.match(keepalivedConfig(0, 0.1), /vrrp_version 3\n[\s\S]*advert_int 0\.1\n/);
});

test('a part of the report is replaced and the others stay', () => {
  const readme =
    'top\n<!-- answer:begin -->\nold\n<!-- answer:end -->\n\n<!-- failover:begin -->\n<!-- failover:end -->\n';
  const once = withSection(readme, 'failover', '\nnew\n\n');
  assert.equal(once, readme.replace('<!-- failover:begin -->\n', '<!-- failover:begin -->\nnew\n'));
  assert.equal(withSection(once, 'failover', 'new'), once);
  assert.ok(withSection(once, 'answer', '$& $1').includes('<!-- answer:begin -->\n$& $1\n<!-- answer:end -->'));
  for (const broken of ['', readme.replace('<!-- failover:end -->', ''), `${readme}<!-- failover:begin -->`])
    assert.throws(() => withSection(broken, 'failover', 'new'), /<!-- failover:begin -->/);
});

test('percentiles are values that were seen', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual(
    [0, 0.5, 0.99, 1].map((share) => percentile(values, share)),
    [1, 50, 99, 100],
  );
  assert.equal(percentile([7], 0.99), 7);
  assert.ok(Number.isNaN(percentile([], 0.5)));
  assert.deepEqual(figure([3, 1, 2, 10]), { median: 2.5, min: 1, max: 10 });
});

test('an error in the report is one line without paths of this machine', () => {
  const error = new Error(`"${process.execPath} ${ROOT}/dist/src/cli/main.js move" failed\nand more`);
  assert.equal(shortError(error), '"node dist/src/cli/main.js move" failed');
  assert.equal(shortError('text'), 'text');
});
