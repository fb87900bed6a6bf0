import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterWarnings, logProblems, type WarningsInput } from '../../src/cli/cluster_warnings.js';
import type { ReflectorStatus } from '../../src/kubernetes/types.js';
import type { ConfigurationProblem } from '../../src/metallb/types.js';
import { logOf } from './shell_sample.js';

const watching: ReflectorStatus = { synced: true, state: 'watching', reason: null, heardMs: 1 };
const waiting = (reason: string): ReflectorStatus => ({ synced: true, state: 'waiting', reason, heardMs: 1 });

function input(overrides: Partial<WarningsInput> = {}): WarningsInput {
  return {
    wish: 'cluster',
    source: {
      synced: true,
      configuration: 'current',
      reflectors: {
        ...{ services: watching, endpointSlices: watching, nodes: watching },
        ...{ namespaces: watching, pools: watching, advertisements: watching },
      },
    },
    problems: [],
    records: watching,
    pendingRecords: 0,
    takeover: 'fast',
    otherMode: [],
    unheard: [],
    failures: new Map(),
    unknownNode: null,
    offLink: null,
    ...overrides,
  };
}

const problem: ConfigurationProblem = {
  ...{ kind: 'IPAddressPool', namespace: 'metallb-system', name: 'lan', path: 'spec.addresses[0]' },
  ...{ reason: 'invalid-address', message: '"x" is no range', severity: 'error' },
};

test('nothing is said while all is well', () => {
  assert.deepEqual(clusterWarnings(input()), []);
});

test('what cannot be read is said once for each cause', () => {
  const { source } = input();
  const away = 'no answer from the API server';
  const reflectors = {
    ...source.reflectors,
    services: waiting(`GET /api/v1/services?limit=250: ${away}`),
    nodes: waiting(`GET /api/v1/nodes: ${away}`),
    pools: waiting('GET /apis/metallb.io/v1beta1/ipaddresspools: HTTP status 404'),
  };
  const warnings = clusterWarnings(input({ wish: 'saved', source: { ...source, reflectors }, pendingRecords: 3 }));
  assert.deepEqual(warnings, [
    'what is announced comes from the state on disk; the API server has told nothing yet',
    `services, nodes cannot be read from the API server, so what is known stays in force: ${away}`,
    'pools cannot be read from the API server, so what is known stays in force: HTTP status 404',
    '3 ownership records are not written yet',
  ]);
});

test('mistakes of the configuration name the object, the field and what is in force', () => {
  const source = { ...input().source, configuration: 'last-good' as const };
  assert.deepEqual(clusterWarnings(input({ source, problems: [problem], unheard: ['host-c is not heard'] })), [
    'the pools and advertisements in the cluster have mistakes; the last good ones are in force',
    'IPAddressPool metallb-system/lan: spec.addresses[0]: "x" is no range',
    'host-c is not heard',
  ]);
  const { log, lines } = logOf();
  logProblems(log, [problem, { ...problem, path: '', severity: 'warning' }]);
  logProblems(log, []);
  assert.deepEqual(lines, [
    'error: IPAddressPool metallb-system/lan: spec.addresses[0]: "x" is no range',
    'warn: IPAddressPool metallb-system/lan: "x" is no range',
    'info: the pools and advertisements are valid again',
  ]);
});

test('services that nobody announces are named, and a node that the cluster does not know', () => {
  const failures = new Map(Array.from({ length: 7 }, (_, index) => [`default/web-${index}`, 'no L2Advertisement']));
  const warnings = clusterWarnings(input({ failures, unknownNode: 'host-a' }));
  assert.match(warnings[0]!, /^there is no Node host-a in the cluster/);
  assert.equal(warnings[1], 'default/web-0 is announced by nobody: no L2Advertisement');
  assert.deepEqual([warnings.length, warnings.at(-1)], [7, '2 more services are announced by nobody']);
});

test('service IPs outside the subnets of the node', () => {
  assert.deepEqual(clusterWarnings(input({ offLink: '203.0.113.10 is in no subnet' })), [
    '203.0.113.10 is in no subnet',
  ]);
});
