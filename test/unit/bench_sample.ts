// What a run of bench:failover might have seen.
import type { AnswerSample, FailoverResults, Sample } from '../../bench/failover/results.js';

export function sample(parts: Partial<Sample> = {}): Sample {
  return {
    repetition: 0,
    system: 'arpeggio',
    case: 'link-down',
    client: 'near',
    family: 'ipv4',
    sent: 500,
    lost: 0,
    outageMs: 0,
    ownerChanges: 0,
    clientPauseMs: 3,
    calm: true,
    ...parts,
  };
}

export function answer(parts: Partial<AnswerSample> = {}): AnswerSample {
  return {
    repetition: 0,
    system: 'arpeggio',
    case: 'term',
    family: 'ipv4',
    longestWaitMs: 5,
    askerPauseMs: 6,
    overlapMs: 0,
    ...parts,
  };
}

export function results(parts: Partial<FailoverResults> = {}): FailoverResults {
  return {
    command: 'npm run bench:failover',
    startedAt: '2026-11-23T15:00:00.000Z',
    tookSeconds: 1500,
    commit: 'abcdef0',
    kernel: '6.18.0',
    cpu: 'some processor, 2 cores',
    node: 'v20.20.2',
    versions: ['Keepalived v2.2.7'],
    repetitions: 10,
    systems: [
      { name: 'arpeggio', title: 'Arpeggio' },
      { name: 'ucarp', title: 'ucarp' },
    ],
    missing: [],
    notes: [],
    samples: [],
    answers: [],
    many: [],
    calm: [],
    ...parts,
  };
}
