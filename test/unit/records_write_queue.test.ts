import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WriteQueue } from '../../src/records/write_queue.js';
import { logOf } from './shell_sample.js';

describe('writes that may wait', () => {
  it('makes one write of many changes, and another of what comes meanwhile', async () => {
    const written: string[] = [];
    const queue = new WriteQueue({
      what: 'records',
      log: logOf().log,
      write: async (key) => {
        written.push(key);
        await sleep(5);
      },
    });
    for (let i = 0; i < 3; i += 1) queue.add('a');
    queue.add('b');
    assert.deepEqual([written, queue.size], [['a', 'b'], 2]);
    queue.add('a');
    await queue.settled(1_000);
    assert.deepEqual([written, queue.size], [['a', 'b', 'a'], 0]);
  });

  it('has only so many under way', async () => {
    let running = 0;
    let most = 0;
    const write = async () => {
      running += 1;
      most = Math.max(most, running);
      await sleep(2);
      running -= 1;
    };
    const queue = new WriteQueue({ what: 'records', log: logOf().log, write, concurrency: 2 });
    for (let i = 0; i < 7; i += 1) queue.add(`key-${i}`);
    await queue.settled(1_000);
    assert.deepEqual([most, queue.size], [2, 0]);
  });

  it('tries again later, and says so once', async () => {
    const { log, lines } = logOf();
    let left = 2;
    let calls = 0;
    const write = async () => {
      calls += 1;
      left -= 1;
      if (left >= 0) throw new Error('no answer');
    };
    const queue = new WriteQueue({ what: 'records', log, write, random: () => 0 });
    queue.add('a');
    await queue.settled(1_000);
    // News does not bring the next attempt forward.
    queue.add('a');
    assert.deepEqual([calls, queue.size], [1, 1]);
    // Reason to think that it works again does.
    queue.retryNow();
    await queue.settled(1_000);
    assert.deepEqual([calls, queue.size], [2, 1]);
    await sleep(1_000);
    assert.deepEqual([calls, queue.size], [3, 0]);
    assert.deepEqual(lines, [
      'warn: records cannot be written at present; trying again',
      'debug: records still cannot be written',
      'info: records are written again',
    ]);
  });

  it('begins nothing after a stop', async () => {
    let calls = 0;
    const write = async () => {
      calls += 1;
      throw new Error('no answer');
    };
    const queue = new WriteQueue({ what: 'records', log: logOf().log, write, random: () => 0 });
    queue.add('a');
    queue.stop();
    queue.add('b');
    await sleep(400);
    assert.equal(calls, 1);
  });

  it('does not wait longer than it may', async () => {
    const queue = new WriteQueue({
      what: 'records',
      log: logOf().log,
      write: () => sleep(50, undefined, { ref: true }),
    });
    queue.add('a');
    await queue.settled(5);
    assert.equal(queue.size, 1);
  });
});
