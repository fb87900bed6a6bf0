// A responder is opened and closed as often as one likes, leaves nothing behind, and says so when it is used too late.
import assert from 'node:assert/strict';
import { onNode } from './harness.js';

onNode('opened and closed 50 times, a responder leaves no file, no thread and no group behind', async (bed) => {
  const program = bed.run('reopen');
  await program.says();
  const before = await program.says();
  const after = await program.says();
  assert.deepEqual(after, before);
  assert.deepEqual(await program.says(), { answering: true });
  await bed.answers('192.0.2.10');
  assert.ok((await bed.groups()).includes('ff02::1:ffab:cdef'));
  program.tell('close');
  assert.deepEqual(await program.says(), { answering: false });
  await bed.isSilent('192.0.2.10');
  assert.ok(!(await bed.groups()).includes('ff02::1:ffab:cdef'));
  await program.endsWell();
});

onNode('closed twice is closed, and every later use fails with ERR_RESPONDER_CLOSED', async (bed) => {
  const program = bed.run('closed');
  assert.deepEqual(await program.says(), { closed: 'twice' });
  for (const method of ['publish', 'renew', 'announce', 'probe', 'interfaceCounters', 'addressCounters', 'describe']) {
    assert.deepEqual(await program.says(), { method, code: 'ERR_RESPONDER_CLOSED' });
  }
  await program.endsWell();
});

onNode('several responders on one interface answer each for its own, and one can be closed', async (bed) => {
  const program = bed.run('several');
  const [first, second, third] = ['192.0.2.10', '192.0.2.11', '192.0.2.12'] as const;
  assert.deepEqual(await program.says(), { threads: 3 });
  for (const address of [first, second, third]) await bed.answers(address);
  program.tell('close the second');
  assert.deepEqual(await program.says(), { threads: 2 });
  await bed.isSilent(second);
  await bed.ask(first);
  await bed.ask(third);
  program.tell('close all');
  assert.deepEqual(await program.says(), { threads: 0 });
  await bed.isSilent(first);
  await program.endsWell();
});

onNode('without CAP_NET_RAW opening fails with ERR_NO_CAP_NET_RAW and says what to do', async (bed) => {
  const program = bed.run('unprivileged', { prefix: ['setpriv', '--bounding-set=-net_raw', '--inh-caps=-net_raw'] });
  const { message, ...rest } = await program.says();
  assert.deepEqual(rest, { code: 'ERR_NO_CAP_NET_RAW', errno: 1, syscall: 'socket', leakedFiles: 0, threads: 0 });
  assert.match(String(message), /CAP_NET_RAW: run as root, or grant it/);
  await program.endsWell();
});

onNode('more than 64 interfaces are refused, and the table before stays in force', async (bed) => {
  const program = bed.run('too_many');
  assert.deepEqual(await program.says(), { interfaces: 64 });
  await bed.answers('192.0.2.10');
  program.tell('publish 65');
  const { code, message } = await program.says();
  assert.equal(code, 'ERR_INVALID_ARGUMENT');
  assert.match(String(message), /at most 64 interfaces/);
  assert.deepEqual(await program.says(), { interfaces: true });
  await bed.ask('192.0.2.10');
  program.tell('publish other 64');
  assert.deepEqual(await program.says(), { interfaces: 64 });
  await bed.answers('192.0.2.10');
  program.tell('end');
  await program.endsWell();
});
