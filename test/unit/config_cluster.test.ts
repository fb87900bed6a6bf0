// What a file says about several nodes: who may own what, and how they hear each other.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatDuration, parseDuration } from '../../src/config/duration.js';
import { parseConfig } from '../../src/config/load.js';
import { formatProblem } from '../../src/config/problem.js';

function mistakes(text: string): string[] {
  const result = parseConfig(text, { file: 'a.yaml', defaultNode: 'host' });
  return 'problems' in result ? result.problems.map(formatProblem) : [];
}

/** Line 2, column 13 is where `value` begins. */
function heartbeat(value: string): string {
  return `services: []\nheartbeat: {${value}}\n`;
}

/** One service with these further keys, from line 3 on. */
function service(...lines: string[]): string {
  return `services:\n  - {name: web, addresses: [192.0.2.1],\n${lines.map((line) => `    ${line}`).join(',\n')}}\n`;
}

const silence = 'of silence, after which a peer counts as down;';

const rows: [name: string, text: string, expected: string[]][] = [
  ['the fastest that is sensible', heartbeat('interval: 10ms, multiplier: 6'), []],
  ['the slowest that is sensible', heartbeat('interval: 2499ms, multiplier: 2'), []],
  [
    'a number as interval',
    heartbeat('interval: 50'),
    ['a.yaml:2:23: heartbeat.interval: must be a duration, such as 50ms, not the number 50'],
  ],
  [
    'an interval without a unit',
    heartbeat('interval: "50"'),
    ['a.yaml:2:23: heartbeat.interval: "50" is no duration; write a number with its unit, such as 50ms or 1s'],
  ],
  [
    'too short an interval',
    heartbeat('interval: 9ms, multiplier: 10'),
    ['a.yaml:2:23: heartbeat.interval: an interval is 10ms to 10s, not 9ms'],
  ],
  [
    'too long an interval',
    heartbeat('interval: 11s'),
    ['a.yaml:2:23: heartbeat.interval: an interval is 10ms to 10s, not 11s'],
  ],
  [
    'too small a multiplier',
    heartbeat('multiplier: 1'),
    ['a.yaml:2:25: heartbeat.multiplier: must be a whole number from 2 to 50, not the number 1'],
  ],
  [
    'a multiplier that is no whole number',
    heartbeat('multiplier: 2.5'),
    ['a.yaml:2:25: heartbeat.multiplier: must be a whole number from 2 to 50, not the number 2.5'],
  ],
  [
    'a detection that takes a busy host for a dead one',
    heartbeat('interval: 10ms'),
    [
      `a.yaml:2:23: heartbeat.interval: 10ms times 3 is 30ms ${silence} below 60ms a busy host is taken for a dead one: raise interval or multiplier`,
    ],
  ],
  [
    'a detection that is later than the dead-man switch',
    'services: []\nheartbeat:\n  multiplier: 50\n  interval: 100ms\n',
    [
      `a.yaml:4:13: heartbeat.interval: 100ms times 50 is 5s ${silence} it must be less than the 5s after which a node that hangs stops answering by itself: lower interval or multiplier`,
    ],
  ],
  [
    'a relative key file',
    heartbeat('key: {file: heartbeat.key}'),
    [
      'a.yaml:2:25: heartbeat.key.file: "heartbeat.key" must be the absolute path of a file, such as /etc/arpeggio/heartbeat.key',
    ],
  ],
  [
    'a key in the file itself',
    heartbeat('key: secret'),
    ['a.yaml:2:18: heartbeat.key: must be a mapping with the key file, not "secret"'],
  ],
  [
    'a misspelt key',
    heartbeat('intervall: 50ms'),
    ['a.yaml:2:13: heartbeat.intervall: unknown key; did you mean interval?'],
  ],
  [
    'a cluster with a space',
    'services: []\ncluster: a b\n',
    [
      'a.yaml:2:10: cluster: "a b" cannot be the name of a cluster: use 1 to 253 characters, no spaces and no control characters',
    ],
  ],
  ['nodes and preferences', service('nodes: [a, b]', 'prefer: [{node: b, weight: 100}]'), []],
  ['a node that the file does not name', service('prefer: [{node: b, weight: 1}]'), []],
  [
    'no nodes',
    service('nodes: []'),
    ['a.yaml:3:12: services.0.nodes: names no node; list at least one, or leave the key out for all of them'],
  ],
  [
    'a node twice',
    service('nodes: [a, b, a]'),
    ['a.yaml:3:19: services.0.nodes.2: "a" is already in this list (line 3)'],
  ],
  [
    'a preference that may not own the service',
    service('prefer: [{node: c, weight: 1}]', 'nodes: [a, b]'),
    [
      'a.yaml:3:21: services.0.prefer.0.node: "c" is not among the nodes of this service; add it there, or leave it out here (line 4)',
    ],
  ],
  [
    'a preference given twice',
    service('prefer: [{node: c, weight: 1},', ' {node: c, weight: 2}]').replace('},,', '},'),
    ['a.yaml:4:13: services.0.prefer.1.node: "c" is already in this list (line 3)'],
  ],
  [
    'a weight that is too great',
    service('prefer: [{node: c, weight: 101}]'),
    ['a.yaml:3:32: services.0.prefer.0.weight: must be a whole number from 1 to 100, not the number 101'],
  ],
  [
    'a preference without a weight',
    service('prefer: [c]'),
    ['a.yaml:3:14: services.0.prefer.0: must be a node with its weight, not "c"'],
  ],
];

describe('parseConfig on several nodes:', () => {
  for (const [name, text, expected] of rows) it(name, () => assert.deepEqual(mistakes(text), expected));
});

describe('parseDuration', () => {
  for (const [text, ms] of [
    ['50ms', 50],
    ['1s', 1_000],
    ['1.5s', 1_500],
    ['0.05s', 50],
    ['1m30s', 90_000],
    ['1s500ms', 1_500],
  ] as const)
    it(`reads ${text}`, () => assert.equal(parseDuration(text), ms));

  for (const text of ['', '50', 'ms', '-1s', '1 s', '1e3ms', '1h', '50MS', '.5s', '0.5ms'])
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseDuration(text), /is no /));

  it('is undone by formatDuration', () => {
    for (const ms of [10, 999, 1_000, 1_500, 10_000]) assert.equal(parseDuration(formatDuration(ms)), ms);
  });
});
