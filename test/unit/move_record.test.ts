import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { type Moved, MoveRecord } from '../../src/cli/move_record.js';
import { parseAddress } from '../../src/net/address.js';
import { logOf } from './shell_sample.js';

const A = parseAddress('192.0.2.1');
const B = parseAddress('192.0.2.2');
const C = parseAddress('2001:db8::1');

let nowMs: number;
let timers: { atMs: number; act: () => void }[];
let lines: string[];
let record: MoveRecord;

beforeEach(() => {
  nowMs = 1_000;
  timers = [];
  const { log, lines: written } = logOf();
  lines = written;
  record = new MoveRecord({
    node: 'host-b',
    log,
    nowMs: () => nowMs,
    after: (ms, act) => timers.push({ atMs: nowMs + ms, act }),
  });
});

function passMs(ms: number): void {
  const endMs = nowMs + ms;
  for (;;) {
    const next = timers.toSorted((a, b) => a.atMs - b.atMs)[0];
    if (!next || next.atMs > endMs) break;
    timers = timers.filter((timer) => timer !== next);
    nowMs = next.atMs;
    next.act();
  }
  nowMs = endMs;
}

function moved(from: string | null, to: string | null, ...addresses: Moved['addresses'][number][]): Moved {
  return { type: 'moved', interfaceName: 'eth0', addresses, from, to, why: 'because' };
}

function took(number: number, ...addresses: Moved['addresses'][number][]) {
  const afterMs = 127.6;
  return { type: 'took', number, interfaceName: 'eth0', node: 'host-a', incarnation: 'a', addresses, afterMs } as const;
}

function confirmed(cause: 'took' | 'announce', number: number, count: number, final: boolean) {
  return { type: 'confirmed', interfaceName: 'eth0', cause, number, clients: 42, confirmed: count, final } as const;
}

const status = () => record.list((ms) => new Date(ms).toISOString());

describe('a takeover by the packet thread', () => {
  it('is one line when all clients have been asked', () => {
    record.add([moved('host-a', 'host-b', A, B, C)], []);
    record.took(took(1, A, B, C));
    record.confirmed(confirmed('took', 1, 30, false));
    passMs(1_000);
    assert.deepEqual(lines, []);
    record.confirmed(confirmed('took', 1, 41, true));
    assert.deepEqual(lines, ['info: took 3 addresses from host-a in 128 ms, 41/42 clients confirmed']);
    passMs(10_000);
    assert.equal(lines.length, 1);
  });

  it('is the same one when the packet thread is heard first', () => {
    record.took(took(1, A));
    passMs(50);
    record.add([moved('host-a', 'host-b', A)], []);
    record.confirmed(confirmed('took', 1, 42, true));
    passMs(400);
    assert.deepEqual(lines, ['info: took 192.0.2.1 from host-a in 128 ms, 42/42 clients confirmed']);
    assert.deepEqual(status(), [
      {
        time: '1970-01-01T00:00:01.000Z',
        interface: 'eth0',
        count: 1,
        addresses: [A],
        from: 'host-a',
        to: 'host-b',
        reason: 'host-a is down',
        afterMs: 127.6,
        clients: { asked: 42, confirmed: 42 },
      },
    ]);
  });

  it('is told after a while when nothing is heard of clients', () => {
    record.took(took(1, A));
    passMs(2_400);
    assert.deepEqual(lines, []);
    passMs(400);
    assert.deepEqual(lines, ['info: took 192.0.2.1 from host-a in 128 ms']);
  });
});

describe('a move', () => {
  it('to this node counts the clients of its announcement', () => {
    record.add([moved('host-a', 'host-b', A, B)], [{ interfaceName: 'eth0', addresses: [A, B], number: 7 }]);
    record.confirmed(confirmed('announce', 6, 1, true));
    record.confirmed(confirmed('announce', 7, 42, true));
    passMs(200);
    assert.deepEqual(lines, ['info: took 2 addresses from host-a, 42/42 clients confirmed']);
  });

  it('in many messages is one line', () => {
    for (const address of [A, B, C]) {
      record.add([{ ...moved('host-b', 'host-a', address), why: 'handed over to host-a' }], []);
      passMs(100);
    }
    passMs(1_000);
    assert.deepEqual(lines, ['info: handed over 3 addresses to host-a']);
    assert.deepEqual([status()[0]?.count, status()[0]?.clients], [3, null]);
  });

  it('with a moment in which nobody owns the address is one', () => {
    record.add([moved('host-a', null, A, B, C)], []);
    passMs(150);
    record.add([moved(null, 'host-c', A), moved(null, 'host-b', B)], []);
    assert.deepEqual(
      status().map(({ from, to, addresses }) => [from, to, addresses]),
      [
        ['host-a', 'host-b', [B]],
        ['host-a', 'host-c', [A]],
        ['host-a', null, [C]],
      ],
    );
    passMs(5_000);
    assert.deepEqual(lines.toSorted(), [
      'info: host-a gave up 2001:db8::1 on eth0',
      'info: host-c took 192.0.2.1 from host-a on eth0',
      'info: took 192.0.2.2 from host-a',
    ]);
  });

  it('that the packet thread has made leaves no loss behind', () => {
    record.add([moved('host-a', null, A)], []);
    record.took(took(1, A));
    record.add([moved(null, 'host-b', A)], []);
    assert.deepEqual(
      status().map(({ from, to }) => [from, to]),
      [['host-a', 'host-b']],
    );
  });

  it('of others is told too; a first claim is none', () => {
    record.add([moved('host-a', 'host-c', A), moved(null, 'host-b', B), moved('host-b', null, C)], []);
    passMs(3_000);
    assert.deepEqual(lines, ['info: host-c took 192.0.2.1 from host-a on eth0', 'info: gave up 2001:db8::1 (because)']);
  });

  it('is told before the end', () => {
    record.add([moved('host-b', 'host-a', A)], []);
    record.flush();
    record.flush();
    assert.deepEqual(lines, ['info: yielded 192.0.2.1 to host-a (because)']);
  });
});

it('the last twenty are kept, the newest first', () => {
  for (let index = 0; index < 25; index += 1) {
    record.add([moved('host-a', `host-${index}`, A)], []);
    passMs(1_000);
  }
  assert.deepEqual([status().length, status()[0]?.to, status().at(-1)?.to], [20, 'host-24', 'host-5']);
});
