// The packet thread answers without JavaScript for as long as its table lives, and not a moment longer.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { onNode } from './harness.js';

const SERVICE = '192.0.2.10';

onNode('answers go on while the event loop is blocked', async (bed) => {
  const program = bed.run('blocked', { args: ['5000', '1000'] });
  assert.deepEqual(await program.says(), { event: 'port-opened' });
  program.tell('block');
  assert.deepEqual(await program.says(), { blocked: true });
  const end = performance.now() + 800;
  let count = 0;
  for (; performance.now() < end; ++count) await bed.ask(SERVICE);
  assert.ok(count > 20, `only ${count} questions were asked`);
  assert.deepEqual(await program.says(), { blocked: false });
  program.tell('publish');
  assert.deepEqual(await program.says(), { published: true });
  program.tell('end');
  await program.endsWell();
});

onNode('a table that is not renewed in time is answered no more, until the next one', async (bed) => {
  const program = bed.run('blocked', { args: ['300', '1000'] });
  assert.deepEqual(await program.says(), { event: 'port-opened' });
  program.tell('block');
  assert.deepEqual(await program.says(), { blocked: true });
  const started = performance.now();
  await bed.ask(SERVICE);
  assert.ok(performance.now() - started < 250, 'the machine is too slow for this test');
  await delay(350 - (performance.now() - started));
  await bed.isSilent(SERVICE);
  await bed.isSilent(SERVICE);
  assert.ok(performance.now() - started < 900, 'the machine is too slow for this test');
  assert.deepEqual(await program.says(), { blocked: false });
  assert.deepEqual(await program.says(), { event: 'table-expired' });
  await bed.isSilent(SERVICE);
  program.tell('publish');
  assert.deepEqual(await program.says(), { published: true });
  await bed.ask(SERVICE);
  program.tell('end');
  await program.endsWell();
});
