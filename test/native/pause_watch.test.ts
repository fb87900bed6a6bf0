// How long the packet thread stood still (native/pause_watch.h), by clocks that the cases of pause_watch_test.cc set: no
// test can suspend the machine.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('the cases of pause_watch_test.cc', async () => {
  // Not compiled with the tests: a script of the build.
  const { compileNative } = await import(new URL('../../../scripts/native-build.mjs', import.meta.url).href);
  const program: string = await compileNative({
    what: 'the test of pauses',
    compiler: 'g++',
    sources: ['test/native/pause_watch_test.cc'],
    flags: ['-O1'],
    linkFlags: [],
    folder: '.cache/native-test',
    output: 'pause_watch_test',
  });
  const { status, stdout } = spawnSync(program, { encoding: 'utf8' });
  assert.deepEqual([status, stdout.trimEnd().split('\n').length], [0, 6], stdout);
});
