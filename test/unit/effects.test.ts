import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EffectRunner } from '../../src/cli/effects.js';
import { MoveRecord } from '../../src/cli/move_record.js';
import { parseAddress } from '../../src/net/address.js';
import { decode } from '../../src/ownership/codec.js';
import type { Advertisement } from '../../src/responder/types.js';
import type { Effect } from '../../src/speaker.js';
import { logOf } from './shell_sample.js';

const A = parseAddress('192.0.2.1');
const SCHEDULE = { ipv4: [0, 20], ipv6: [0] };
const ADVERTISEMENT: Advertisement = { state: 'ready', claimsVersion: 3, claimsDigest: 4, held: [] };

function setUp() {
  const calls: unknown[][] = [];
  const { log, lines } = logOf();
  const moves = new MoveRecord({ node: 'host-b', log, nowMs: () => 0, after: () => {} });
  const runner = new EffectRunner(
    {
      responder: {
        publish: (table) => calls.push(['publish', table.tookSeen]),
        renew: () => calls.push(['renew']),
        probe: (...args) => calls.push(['probe', ...args]),
        announce: (...args) => calls.push(['announce', ...args]),
        advertise: (name, { state }) => calls.push(['advertise', name, state]),
        send: (name, body) => calls.push(['send', name, decode(body)]),
      },
      log,
      moves,
      serve: ({ generation }) => calls.push(['serve', generation]),
    },
    0,
  );
  return { runner, calls, moves, lines };
}

function announce(confirm: boolean): Effect {
  return { type: 'announce', interfaceName: 'eth0', addresses: [A], schedule: SCHEDULE, urgent: true, confirm };
}

test('effects are carried out in their order', () => {
  const { runner, calls, lines } = setUp();
  const message = { type: 'move-request', address: A, node: 'host-a' } as const;
  runner.run(
    [
      { type: 'serve', generation: 7, addresses: [A] },
      { type: 'publish', table: { interfaces: [], entries: [], tookSeen: 5 } },
      { type: 'probe', interfaceName: 'eth0', addresses: [A], offsetsMs: [0] },
      announce(false),
      { type: 'send', interfaceName: 'eth0', message },
      { type: 'advertise', interfaceName: 'eth0', advertisement: ADVERTISEMENT },
      {
        type: 'changed',
        address: A,
        interfaceName: 'eth0',
        from: 'probing',
        to: 'standby',
        reason: 'host-a owns it',
        rivalMac: null,
      },
    ],
    42,
  );
  assert.deepEqual(calls, [
    ['serve', 7],
    ['publish', 5],
    ['probe', [A], 'eth0', [0]],
    ['announce', [A], 'eth0', { ipv4Ms: [0, 20], ipv6Ms: [0] }, true, 0],
    ['send', 'eth0', message],
    ['advertise', 'eth0', 'ready'],
  ]);
  assert.equal(runner.publishedMs, 42);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^debug: 192\.0\.2\.1 on eth0 is left to another node \(host-a owns it\)/);
});

test('each announcement that asks clients to follow has a number of its own, by which the move knows them', () => {
  const { runner, calls, moves } = setUp();
  const moved: Effect = {
    type: 'moved',
    interfaceName: 'eth0',
    addresses: [A],
    from: 'host-a',
    to: 'host-b',
    why: 'handed over',
  };
  runner.run([announce(true)], 0);
  runner.run([announce(true), moved], 0);
  assert.deepEqual(
    calls.map((call) => call.at(-1)),
    [1, 2],
  );
  const event = { type: 'confirmed', interfaceName: 'eth0', cause: 'announce', final: true } as const;
  moves.confirmed({ ...event, number: 1, clients: 9, confirmed: 9 });
  moves.confirmed({ ...event, number: 2, clients: 5, confirmed: 4 });
  assert.deepEqual(moves.list(() => '')[0]?.clients, { asked: 5, confirmed: 4 });
});

test('who leaves says so where it has not been said', () => {
  const { runner, calls } = setUp();
  runner.run(
    [
      { type: 'advertise', interfaceName: 'eth0', advertisement: ADVERTISEMENT },
      { type: 'advertise', interfaceName: 'eth1', advertisement: { ...ADVERTISEMENT, state: 'leaving' } },
    ],
    0,
  );
  calls.splice(0);
  runner.leave();
  runner.leave();
  assert.deepEqual(calls, [['advertise', 'eth0', 'leaving']]);
});
