// The journal of clients and the follower (native/client_journal.*, native/follower.*) on a clock of the test's own,
// under AddressSanitizer: the cases are in follower_test.cc.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const FLAGS = ['-O1', '-fno-sanitize-recover=all', '-fsanitize=address,undefined'];
const SOURCES = ['native/follower.cc', 'native/client_journal.cc', 'native/announcer.cc', 'native/ip_table.cc'];
const WIRE = ['native/wire/arp.cc', 'native/wire/ndp.cc'];
const CASES = 16;

test('the cases of follower_test.cc', async (context) => {
  // Not compiled with the tests: a script of the build.
  const { compileNative } = await import(new URL('../../../scripts/native-build.mjs', import.meta.url).href);
  const program: string = await compileNative({
    what: 'the test of the follower',
    compiler: 'g++',
    sources: [...SOURCES, ...WIRE, 'test/native/follower_test.cc'],
    flags: FLAGS,
    linkFlags: FLAGS,
    folder: '.cache/native-test',
    output: 'follower_test',
  });
  const passed = execFileSync(program, { encoding: 'utf8' }).trimEnd().split('\n');
  for (const line of passed) await context.test(line.replace(/^ok /, '').replaceAll('_', ' '), () => {});
  assert.equal(passed.length, CASES);
});
