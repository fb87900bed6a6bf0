// The process, or the worker, ends while its responder answers: in order, at once, and without an abort.
import assert from 'node:assert/strict';
import { onNode } from './harness.js';

const SERVICE = '192.0.2.10';
const FAST_MS = 2000;

for (const way of ['exit', 'exit-with-events-waiting', 'natural'] as const) {
  const name =
    way === 'natural' ? 'a responder alone does not keep the process alive' : `process.exit() while answering: ${way}`;
  onNode(name, async (bed) => {
    const program = bed.run('exit', { args: [way] });
    assert.deepEqual(await program.says(), { answering: true });
    await bed.answers(SERVICE);
    const started = await bed.whileBusy(SERVICE, async () => {
      const now = performance.now();
      program.tell('end');
      await program.endsWell();
      return now;
    });
    assert.ok(performance.now() - started < FAST_MS, 'it took its time');
    await bed.isSilent(SERVICE);
  });
}

onNode('a worker is terminated while its responder answers, again and again', async (bed) => {
  const program = bed.run('worker');
  for (let round = 0; round < 5; ++round) {
    assert.deepEqual(await program.says(), { threads: 1 });
    await bed.answers(SERVICE);
    await bed.whileBusy(SERVICE, async () => {
      program.tell('terminate');
      assert.deepEqual(await program.says(), { threads: 0 });
    });
    await bed.isSilent(SERVICE);
    program.tell('next');
  }
  await program.endsWell();
});

onNode('a forgotten responder is collected: its thread ends, and nothing is answered any more', async (bed) => {
  const program = bed.run('forgotten', { nodeOptions: ['--expose-gc'] });
  assert.deepEqual(await program.says(), { threads: 1 });
  await bed.answers(SERVICE);
  program.tell('collect');
  assert.deepEqual(await program.says(), { threads: 0 });
  await bed.isSilent(SERVICE);
  program.tell('end');
  await program.endsWell();
});

onNode('what onEvent throws ends the process as an uncaught exception, not as an abort', async (bed) => {
  const program = bed.run('throwing', { args: ['uncaught'] });
  assert.deepEqual(await program.ends(), { code: 1, signal: null }, program.output);
  assert.match(program.output, /Error: thrown on links/);
});

onNode('where the process catches what onEvent throws, answers and events go on', async (bed) => {
  const program = bed.run('throwing', { args: ['caught'] });
  assert.deepEqual(await program.says(), { uncaught: 'thrown on links' });
  await bed.answers(SERVICE);
  assert.deepEqual(await program.says(), { event: 'port-opened' });
  program.tell('end');
  await program.endsWell();
});
