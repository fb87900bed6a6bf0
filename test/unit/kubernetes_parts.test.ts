// The small parts of the client: lines, pauses, comparison, errors.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError, isGone, retryAfterMs, statusError, transportError } from '../../src/kubernetes/api_error.js';
import { LineSplitter } from '../../src/kubernetes/line_splitter.js';
import { ListSplitter } from '../../src/kubernetes/list_splitter.js';
import { backoffMs, DEFAULT_TIMINGS, watchSeconds } from '../../src/kubernetes/reflector_timing.js';
import { same } from '../../src/kubernetes/same.js';
import { parseEvent, parsePage, rawKey } from '../../src/kubernetes/watch_event.js';

test('lines are the same however the bytes are cut', () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(40), { minLength: 1 }), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
      const splitter = new LineSplitter();
      const found: string[] = [];
      for (let at = 0, index = 0; at < bytes.length; index += 1) {
        const length = cuts[index % cuts.length]! + 1;
        found.push(...splitter.push(bytes.subarray(at, at + length)));
        at += length;
      }
      assert.deepEqual(
        found,
        lines.filter((text) => text !== ''),
      );
    }),
  );
});

test('a list falls into its items however the bytes are cut', () => {
  const item = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue());
  const around = fc.dictionary(
    fc.string().filter((name) => !['items', '__proto__'].includes(name)),
    fc.jsonValue(),
  );
  const cuts = fc.array(fc.nat(60), { minLength: 1 });
  fc.assert(
    fc.property(around, fc.array(item), around, cuts, fc.boolean(), (first, items, last, lengths, pretty) => {
      const list = { ...first, items, ...last, metadata: { continue: 'x', items: [1] } };
      const bytes = Buffer.from(JSON.stringify(list, null, pretty ? 2 : 0));
      const found: unknown[] = [];
      const splitter = new ListSplitter((given) => found.push(given));
      for (let at = 0, index = 0; at < bytes.length; index += 1) {
        const length = lengths[index % lengths.length]! + 1;
        splitter.push(bytes.subarray(at, at + length));
        at += length;
      }
      const text = (value: unknown) => JSON.stringify(value);
      assert.equal(text(found), text(items));
      const { items: none, metadata } = splitter.end() as typeof list;
      assert.equal(text([none, metadata]), text([[], list.metadata]));
    }),
  );
});

test('a list that is none, or is cut off, is refused', () => {
  const read = (text: string) => {
    const items: unknown[] = [];
    const splitter = new ListSplitter((item) => items.push(item));
    splitter.push(Buffer.from(text));
    return [splitter.end(), items];
  };
  assert.deepEqual(read('{"items":null,"x":["items",{}]}'), [{ items: null, x: ['items', {}] }, []]);
  assert.deepEqual(read('{"items":[{"items":[{}]}]}'), [{ items: [] }, [{ items: [{}] }]]);
  for (const bad of ['', '{"items":[{}', '{"items":[{},', '{"items":[{"a":1}]', '}{'])
    assert.throws(() => read(bad), SyntaxError);
  assert.throws(() => read('{"items":[{a}]}'), SyntaxError);
  assert.throws(() => read(`{"items":[{"a":"${'x'.repeat(17_000_000)}"`), /an item has more/);
  assert.throws(() => read(`"${'x'.repeat(1_100_000)}`), /no list/);
});

test('a line without an end is refused at last', () => {
  const splitter = new LineSplitter();
  const chunk = Buffer.alloc(4 * 1024 * 1024, 'x');
  for (let count = 0; count < 4; count += 1) splitter.push(chunk);
  assert.throws(() => splitter.push(chunk), /a line has more than/);
});

test('pauses double up to a bound, half of them chance; Retry-After is the least', () => {
  const failure = (reason: string, retryAfterMs: number | null = null) =>
    new ApiError('x', { status: 500, reason, retryAfterMs });
  const pause = (failures: number, random: number, error: unknown = failure('InternalError')) =>
    Math.round(backoffMs(error, failures, random, DEFAULT_TIMINGS));
  assert.deepEqual(
    [1, 2, 3, 8, 100].map((failures) => pause(failures, 0.999999)),
    [250, 500, 1000, 15_000, 15_000],
  );
  assert.equal(pause(1, 0), 125);
  assert.equal(pause(100, 0.999999, failure('Unreachable')), 5000);
  assert.equal(pause(100, 0.999999, new TypeError('ours')), 15_000);
  assert.equal(pause(1, 0, failure('', 3000)), 3000);
  assert.equal(pause(1, 0.5, failure('', 3000)), 3300);
  assert.ok(pause(1, 0, failure('', 1e12)) <= 300_000, 'a server cannot silence us for ever');
  assert.deepEqual([watchSeconds(0, DEFAULT_TIMINGS), watchSeconds(1, DEFAULT_TIMINGS)], [300, 600]);
  assert.equal(watchSeconds(0, { ...DEFAULT_TIMINGS, minWatchMs: 1, maxWatchMs: 1 }), 1);
});

test('same() agrees with deep equality of JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      assert.equal(same(one, structuredClone(one)), true);
      let equal = true;
      try {
        assert.deepStrictEqual(one, other);
      } catch {
        equal = false;
      }
      assert.equal(same(one, other), equal);
    }),
  );
  assert.equal(same({ a: undefined }, { b: undefined }), false);
  assert.equal(same([], {}), false);
});

test('Retry-After in seconds and as a date', () => {
  assert.equal(retryAfterMs('2', 0), 2000);
  assert.equal(retryAfterMs(new Date(5000).toUTCString(), 1000), 4000);
  assert.equal(retryAfterMs(new Date(5000).toUTCString(), 9000), 0);
  assert.equal(retryAfterMs('soon', 0), null);
  assert.equal(retryAfterMs(undefined, 0), null);
});

test('errors of a Status object, of an ERROR event, of the connection', () => {
  const gone = statusError('watch', 200, { code: 410, reason: 'Expired', message: 'old' }, null);
  assert.ok(isGone(gone));
  assert.deepEqual([gone.status, gone.retryAfterMs], [410, null]);
  const busy = statusError('GET /x', 429, { details: { retryAfterSeconds: 3 } }, null);
  assert.deepEqual([busy.status, busy.reason, busy.retryAfterMs], [429, '', 3000]);
  assert.equal(statusError('GET /x', 429, {}, 500).retryAfterMs, 500);
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  assert.deepEqual(
    [transportError('GET /x', refused).status, transportError('GET /x', refused).reason],
    [0, 'Unreachable'],
  );
  const expired = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' });
  assert.equal(transportError('GET /x', expired).reason, 'Untrusted');
});

test('what is no list and no event is refused', () => {
  assert.deepEqual(parsePage({ metadata: { resourceVersion: '5' }, items: null }, '/x'), {
    resourceVersion: '5',
    continue: '',
  });
  for (const bad of [null, 7, {}, { items: [] }, { metadata: { resourceVersion: '5' } }])
    assert.throws(() => parsePage(bad, '/x'), /the answer is no list/);
  assert.deepEqual(parseEvent('{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"7"}}}', '/x'), {
    type: 'ADDED',
    object: { metadata: { name: 'a', resourceVersion: '7' } },
    resourceVersion: '7',
  });
  for (const bad of [
    'null',
    '{}',
    '{"type":"SHOUTED","object":{"metadata":{"resourceVersion":"7"}}}',
    '{"type":"ADDED"}',
  ])
    assert.throws(() => parseEvent(bad, '/x'), /not an event/);
  assert.throws(() => parseEvent('{"type"', '/x'), /not JSON/);
  assert.throws(() => parseEvent('{"type":"ERROR","object":{"code":500,"message":"etcd"}}', '/x'), /etcd/);
  assert.equal(rawKey({ metadata: { name: 'n' } }), 'n');
  assert.equal(rawKey({ metadata: { name: 'n', namespace: 's' } }), 's/n');
  for (const bad of [null, {}, { metadata: {} }, { metadata: { name: '' } }]) assert.equal(rawKey(bad), null);
});

test('what is used of client-node was put into the one file that imports it', () => {
  const text = readFileSync(new URL('../../src/kubernetes/client_node.js', import.meta.url), 'utf8');
  const imported = [...text.matchAll(/\bfrom\s*["']([^"']+)["']/g)].map((match) => match[1]!);
  assert.ok(imported.length > 3);
  assert.deepEqual(
    imported.filter((name) => !isBuiltin(name)),
    [],
  );
  assert.ok(text.length < 400_000, `${text.length} bytes: whole client-node would take 60 MB of memory`);
});
