// What the lab writes: lines for people, with colour only where asked for; one JSON object per line for machines.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { type Expectation, JsonTimeline, TextTimeline, type Timeline } from '../../src/lab/timeline.js';

const EXPECTATIONS: readonly Expectation[] = [
  { scene: 'one', expectation: 'short', held: true, figure: '3 ms' },
  { scene: 'one', expectation: 'somewhat longer', held: false, figure: '4 of 5 lost' },
];
const SUMMARY = { held: 1, failed: 1, notTried: ['arping (not installed)'], seconds: 1.25 };

function written(make: (out: PassThrough) => Timeline): string {
  const out = new PassThrough();
  const timeline = make(out);
  timeline.scene(0, 'one');
  timeline.event(12, 'client-1', 'asks', 'quiet');
  for (const expectation of EXPECTATIONS) timeline.expectation(1234, expectation);
  timeline.summary(EXPECTATIONS, SUMMARY);
  return String(out.read());
}

test('lines for people: time, actor, what happened; a table in the end', () => {
  assert.equal(
    written((out) => new TextTimeline(out, false)),
    [
      '',
      'one',
      '  0.012 s  client-1    asks',
      '  1.234 s  held        short: 3 ms',
      '  1.234 s  FAILED      somewhat longer: 4 of 5 lost',
      '',
      'Summary',
      '  one',
      '    held    short            3 ms',
      '    FAILED  somewhat longer  4 of 5 lost',
      '    not tried: arping (not installed)',
      '',
      '1 expectations held, 1 failed, in 1.3 s',
      '',
    ].join('\n'),
  );
});

test('colour changes nothing but the colour', () => {
  const coloured = written((out) => new TextTimeline(out, true));
  assert.ok(coloured.includes('\x1b[31;1mFAILED\x1b[0m'));
  assert.equal(
    stripVTControlCharacters(coloured),
    written((out) => new TextTimeline(out, false)),
  );
});

test('for machines every line is an object, the last one the summary', () => {
  const lines = written((out) => new JsonTimeline(out))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ type }) => type),
    ['scene', 'event', 'expectation', 'expectation', 'summary'],
  );
  assert.deepEqual(lines[3], { type: 'expectation', atMs: 1234, ...EXPECTATIONS[1] });
  assert.deepEqual(lines[4], { type: 'summary', ...SUMMARY });
});
