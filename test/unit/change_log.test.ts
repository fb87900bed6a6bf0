import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { logChanges } from '../../src/cli/change_log.js';
import { parseAddress } from '../../src/net/address.js';
import { IPV4, RIVAL } from './claim_sample.js';
import type { EffectOf } from './speaker_driver.js';

type Change = EffectOf<'changed'>;

function change(overrides: Partial<Change> = {}): Change {
  return {
    type: 'changed',
    address: IPV4,
    interfaceName: 'eth0',
    from: 'probing',
    to: 'newcomer',
    reason: 'first claim',
    rivalMac: null,
    ...overrides,
  };
}

function many(count: number, overrides: Partial<Change> = {}): Change[] {
  return Array.from({ length: count }, (_, n) => change({ address: parseAddress(`192.0.2.${n + 1}`), ...overrides }));
}

function logged(changes: readonly Change[]): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { base: null, timestamp: false, formatters: { level: (level) => ({ level }) } },
    { write: (text: string) => lines.push(JSON.parse(text)) },
  );
  logChanges(log, changes);
  return lines;
}

test('one line for a change, with what a script would look for', () => {
  assert.deepEqual(logged([change()]), [
    {
      level: 'info',
      address: IPV4,
      interface: 'eth0',
      from: 'probing',
      to: 'newcomer',
      reason: 'first claim',
      msg: '192.0.2.10 on eth0 is answered, and yields to any other user (first claim)',
    },
  ]);
});

test('a conflict is a warning that names the foreign MAC', () => {
  const [line] = logged([change({ to: 'conflict', reason: `${RIVAL} uses it`, rivalMac: RIVAL })]);
  assert.equal(line?.level, 'warn');
  assert.equal(line?.mac, RIVAL);
  assert.equal(line?.msg, `192.0.2.10 on eth0 is held back: another host uses it (${RIVAL} uses it)`);
});

test('so is an owned address that is contested; one that no longer is, is not', () => {
  const contested = change({ from: 'owned', to: 'owned', reason: 'contested', rivalMac: RIVAL });
  const levels = logged([contested, change({ from: 'owned', to: 'owned', reason: 'not any more' })]);
  assert.deepEqual(
    levels.map(({ level }) => level),
    ['warn', 'info'],
  );
});

test('every state has words of its own', () => {
  const states = ['waiting', 'probing', 'tentative', 'newcomer', 'owned', 'conflict'] as const;
  const messages = logged(states.map((to) => change({ to })));
  assert.equal(new Set(messages.map(({ msg }) => msg)).size, states.length);
});

test('up to twenty that change together have a line each', () => {
  assert.equal(logged(many(20)).length, 20);
});

test('more make one line that counts them and names some', () => {
  const lines = logged(many(21));
  assert.deepEqual(lines, [
    {
      level: 'info',
      interface: 'eth0',
      from: 'probing',
      to: 'newcomer',
      reason: 'first claim',
      count: 21,
      addresses: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'],
      msg:
        '21 addresses on eth0, such as 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5: ' +
        'each is answered, and yields to any other user',
    },
  ]);
});

test('only what changed alike, on one interface, is put together', () => {
  const lines = logged([...many(30), ...many(30, { interfaceName: 'eth1' }), ...many(2, { to: 'conflict' })]);
  assert.deepEqual(
    lines.map(({ count, interface: name, level }) => [count, name, level]),
    [
      [30, 'eth0', 'info'],
      [30, 'eth1', 'info'],
      [undefined, 'eth0', 'warn'],
      [undefined, 'eth0', 'warn'],
    ],
  );
});

test('nothing changed: nothing is said', () => {
  assert.deepEqual(logged([]), []);
});
