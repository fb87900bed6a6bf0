// From what the clients of bench:failover saw to what its report says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CASE_NAMES } from '../../bench/failover/cases.js';
import { chart } from '../../bench/failover/chart.js';
import { compareWithGoals } from '../../bench/failover/goals.js';
import { readme } from '../../bench/failover/readme.js';
import { sections } from '../../bench/failover/report.js';
import type { FailoverResults, ManySample } from '../../bench/failover/results.js';
import { answersOf, eventsOf, longestPauseMs, summaryOf } from '../../bench/failover/summary.js';
import { overlapMs } from '../../bench/failover/watch.js';
import { answer, results, sample } from './bench_sample.js';

const goal = (seen: FailoverResults, what: string) => compareWithGoals(seen).find((outcome) => outcome.what === what);

const table = (seen: FailoverResults, title: string) =>
  sections(seen).find((section) => section.title.startsWith(title))?.text ?? '';

test('an event is as it was for the client that was worst off; each family and repetition is one', () => {
  const samples = [
    sample({ outageMs: 120, lost: 60, ownerChanges: 1 }),
    sample({ client: 'far', outageMs: 130, lost: 58, ownerChanges: 2 }),
    sample({ family: 'ipv6', outageMs: 90, lost: 45, ownerChanges: 1 }),
    sample({ repetition: 1 }),
    sample({ system: 'ucarp', outageMs: 3000, lost: 1500 }),
    sample({ case: 'kill', outageMs: 7, lost: 3 }),
  ];
  assert.deepEqual(eventsOf(samples, 'arpeggio', 'link-down'), [
    { repetition: 0, family: 'ipv4', outageMs: 130, lost: 60, ownerChanges: 2 },
    { repetition: 0, family: 'ipv6', outageMs: 90, lost: 45, ownerChanges: 1 },
    { repetition: 1, family: 'ipv4', outageMs: 0, lost: 0, ownerChanges: 0 },
  ]);
  assert.deepEqual(summaryOf(samples, 'arpeggio', 'link-down'), {
    events: 3,
    outageMs: { median: 90, min: 0, max: 130 },
    lost: { median: 45, min: 0, max: 60 },
    lossy: 2,
    ownerChanges: { median: 1, min: 0, max: 2 },
  });
  assert.equal(summaryOf(samples, 'arpeggio', 'heal'), null);
});

test('in a partition only the client counts that was cut off from the owner', () => {
  const samples = [
    sample({ case: 'partition', outageMs: 9, lost: 4 }),
    sample({ case: 'partition', client: 'far', outageMs: 140, lost: 70 }),
  ];
  assert.equal(summaryOf(samples, 'arpeggio', 'partition')?.outageMs.max, 140);
  assert.equal(eventsOf(samples.slice(0, 1), 'arpeggio', 'partition').length, 0);
});

test('an answer that is late because the asker was held up is not held against the answerer', () => {
  const answers = [answer({ longestWaitMs: 20 }), answer({ longestWaitMs: 80, askerPauseMs: 75 })];
  assert.deepEqual(answersOf(answers, 'arpeggio', 'term'), {
    longestWaitMs: { median: 20, min: 20, max: 20 },
    overlapMs: { median: 0, min: 0, max: 0 },
    heldUp: 1,
  });
  assert.equal(answersOf(answers.slice(1), 'arpeggio', 'term'), null);
  assert.equal(longestPauseMs(results({ samples: [sample(), sample({ clientPauseMs: 44 })] })), 44);
});

test('two nodes answer at once from the first answer of the later one to the last stretch of the earlier one', () => {
  const stretch = (mac: string, sinceMs: number) => ({ mac, sinceMs, answers: 1 });
  assert.equal(overlapMs({ answeredBy: [] }), 0);
  assert.equal(overlapMs({ answeredBy: [stretch('a', 0), stretch('b', 50)] }), 0);
  assert.equal(overlapMs({ answeredBy: [stretch('a', 0), stretch('b', 50), stretch('a', 55), stretch('b', 60)] }), 5);
  const twice = [stretch('a', 0), stretch('b', 50), stretch('a', 55), stretch('b', 3000), stretch('a', 3020)];
  assert.equal(overlapMs({ answeredBy: twice }), 20, 'what happens twice is not one long time');
  const alternating = Array.from({ length: 401 }, (_, index) => stretch(index % 2 === 0 ? 'a' : 'b', index * 10));
  assert.equal(overlapMs({ answeredBy: alternating }), 3990);
  const back = [stretch('a', 0), stretch('b', 50), stretch('a', 2050)];
  assert.equal(overlapMs({ answeredBy: back }), 0, 'one after the other, and back');
});

test('goals: median and p99 over both ways in which a node is gone', () => {
  const outages = [...Array(49).fill(120), 300];
  const samples = outages.map((outageMs, repetition) =>
    sample({ repetition, outageMs, lost: 60, case: repetition % 2 === 0 ? 'link-down' : 'port-disabled' }),
  );
  const seen = results({ samples });
  assert.deepEqual(goal(seen, 'node gone: outage, median'), {
    what: 'node gone: outage, median',
    wanted: '<= 150 ms',
    seen: '120 ms',
    met: true,
  });
  assert.equal(goal(seen, 'node gone: outage, p99')?.met, false);
  assert.equal(goal(seen, 'node gone: outage, p99')?.seen, '300 ms');
});

test('goals: nothing lost and nobody moved by what returns, one move at most by a loss', () => {
  const samples = [
    sample({ case: 'port-back', lost: 1, outageMs: 4, ownerChanges: 1 }),
    sample({ case: 'heal', ownerChanges: 1 }),
    sample({ case: 'kill', ownerChanges: 2, lost: 3, outageMs: 11 }),
    sample({ case: 'kill', system: 'ucarp', ownerChanges: 9 }),
  ];
  const met = Object.fromEntries(compareWithGoals(results({ samples })).map((outcome) => [outcome.what, outcome.met]));
  assert.deepEqual(met, {
    'kill -9 of the owner: outage, p99': true,
    'kill -9 of the owner: owner changes, worst event': false,
    'port back: packets lost, worst event': false,
    'port back: owner changes, worst event': false,
    'heal, all clients: packets lost, worst event': true,
    'heal, all clients: owner changes, worst event': true,
  });
});

test('goals: requests in planned moves, many addresses, false takeovers', () => {
  const many: ManySample = {
    addresses: 10_000,
    announced: 9_999,
    detectionMs: 130,
    takeoverMs: 240.04,
    quietGapMs: 2,
    answerGapMs: 61,
    askerPauseMs: 9,
    heartbeatGapMs: 70,
  };
  const calm = { what: 'hogs', seconds: 600, load: '4 hogs' } as const;
  const seen = results({
    answers: [answer({ longestWaitMs: 59.96 }), answer({ case: 'port-disabled', longestWaitMs: 140 })],
    many: [many],
    calm: [
      { ...calm, system: 'arpeggio', falseTakeovers: 0 },
      { ...calm, system: 'keepalived-100ms', falseTakeovers: 7 },
    ],
  });
  assert.deepEqual(
    compareWithGoals(seen).map(({ what, wanted, seen: figure, met }) => [what, wanted, figure, met]),
    [
      ['SIGTERM to the owner: requests unanswered, worst event', '<= 60 ms', '60.0 ms', true],
      ['10,000 addresses: not announced', '<= 0', '1', false],
      ['10,000 addresses: from the first announcement to the last', '<= 250 ms', '240.0 ms', true],
      ['10,000 addresses: another address unanswered meanwhile', '<= 60 ms', '61 ms', false],
      ['10,000 addresses: between two heartbeats meanwhile', '<= 150 ms', '70 ms', true],
      ['false takeovers in 10.0 min with 4 hogs', '<= 0', '0', true],
    ],
  );
  assert.match(table(seen, 'Further'), /\| keepalived-100ms: false takeovers in 600 s with 4 hogs +\| +7 \|/);
});

test('tables have a column for each system and a row for each case that was played', () => {
  const samples = [
    sample({ outageMs: 120, lost: 60, ownerChanges: 1 }),
    sample({ repetition: 1, outageMs: 140, lost: 70, ownerChanges: 1 }),
    sample({ case: 'term' }),
    sample({ case: 'term', repetition: 1, outageMs: 6, lost: 2 }),
    sample({ case: 'drain' }),
    sample({ case: 'term', system: 'ucarp', outageMs: 3400, lost: 1700, ownerChanges: 2 }),
  ];
  const outages = table(results({ samples }), 'Outage').split('\n');
  const row = (title: string) =>
    outages
      .find((line) => line.startsWith(`| ${title}`))
      ?.split('|')
      .slice(2, -1)
      .map((cell) => cell.trim());
  assert.deepEqual(row("owner's link down"), ['130/120/140; 65, at most 70 lost', '-']);
  assert.deepEqual(row('SIGTERM'), ['3/0/6; 1, at most 2 lost, in 1 of 2', '3400/3400/3400; 1700 lost']);
  assert.deepEqual(row('drain'), ['0 lost', '-']);
  assert.equal(row('heal'), undefined);
});

test('a chart and a report of nothing, or of no outage at all, hold no broken figure', () => {
  const none = results();
  const calm = results({ samples: CASE_NAMES.map((name) => sample({ case: name, client: 'far' })) });
  for (const text of [none, calm].flatMap((each) => [chart(each), readme(each)])) {
    assert.doesNotMatch(text, /NaN|Infinity|undefined|null/);
  }
  assert.match(chart(calm), /SIGTERM to the owner/);
  assert.doesNotMatch(chart(none), /<rect x=/);
});

test('the report names what was left out and what went wrong', () => {
  const text = readme(
    results({ missing: ['ucarp: there is no apt-get'], notes: ['Arpeggio, repetition 3: broken off'] }),
  );
  assert.match(text, /^- left out: ucarp: there is no apt-get$/m);
  assert.match(text, /^- note: Arpeggio, repetition 3: broken off$/m);
});
