// node scripts/sanitize.mjs address [FILTER...]: the tests of the native code over an addon built with AddressSanitizer and UBSan.
// node scripts/sanitize.mjs thread: the packet thread, publishing and counters under ThreadSanitizer.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { addonFlags, CRYPTO_FLAGS, compileNative, nativeSources, pureSources, requireCrypto } from './native-build.mjs';
import { setup } from './setup.mjs';
import { main, run, runOrThrow } from './steps.mjs';
import { closingLine, namespacePrefix, printSummary, runTests, testFiles } from './test-run.mjs';
import { ROOT, SetupError } from './tools.mjs';

const ADDRESS_FLAGS = [
  '-O1',
  '-fno-omit-frame-pointer',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=undefined',
];
const ADDRESS_FOLDER = '.cache/asan';
/** What drives the native code in every way; the rest of test/net is about decisions or times, and drives it no further. */
const ADDRESS_TESTS = [
  'test/native/',
  'test/lifecycle/',
  ...['wire', 'link.', 'link_ipv6', 'resolve', 'run.', 'failover_first', 'failover_gone'].map(
    (name) => `test/net/${name}`,
  ),
];
const THREAD_FLAGS = ['-O1', '-fsanitize=thread'];
const THREAD_FOLDER = '.cache/tsan';

async function libraryPath(name) {
  const path = (await runOrThrow('g++', 'g++', [`-print-file-name=${name}`])).trim();
  if (!path.startsWith('/')) throw new SetupError(`${name} is missing: it comes with Debian's g++ (libgcc-12-dev)`);
  return path;
}

function compileAddon(what, sources, output) {
  const flags = [...ADDRESS_FLAGS, ...addonFlags()];
  const linkFlags = ['-shared', '-pthread', ...ADDRESS_FLAGS];
  return compileNative({ what, compiler: 'g++', sources, flags, linkFlags, folder: ADDRESS_FOLDER, output });
}

/**
 * The environment for node processes that load a sanitized addon. node itself is not sanitized, so the runtime must
 * come first by LD_PRELOAD, and libstdc++ with it, or exceptions thrown before it is loaded cannot be intercepted. Leaks
 * are not looked for: V8 frees little of its heap at exit. Reports go to files, where no test can swallow them.
 */
async function addressEnvironment(reports) {
  const preload = [await libraryPath('libasan.so'), await libraryPath('libstdc++.so.6')];
  return {
    LD_PRELOAD: preload.join(' '),
    ASAN_OPTIONS: `detect_leaks=0:log_path=${reports}/report`,
    UBSAN_OPTIONS: `print_stacktrace=1:log_path=${reports}/report`,
  };
}

function readReports(reports) {
  return readdirSync(reports).map((name) => readFileSync(join(reports, name), 'utf8'));
}

/** Loads an addon that is known to be wrong: the run below can only be trusted when this is found. */
async function requireFinding(env, reports) {
  const planted = await compileAddon('the planted overflow', ['test/native/planted_overflow.cc'], 'planted.node');
  const call = `require(${JSON.stringify(planted)}).readPastTheEnd()`;
  await run(process.execPath, ['-e', call], { capture: true, env: { ...process.env, ...env } });
  const found = readReports(reports).some((report) => report.includes('heap-buffer-overflow'));
  if (!found) throw new SetupError('AddressSanitizer did not find the planted overflow: its set-up is broken');
  for (const name of readdirSync(reports)) rmSync(join(reports, name));
}

async function address(filters) {
  await setup();
  const reports = join(ROOT, ADDRESS_FOLDER, 'reports');
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  const env = await addressEnvironment(reports);
  await requireFinding(env, reports);
  const addon = await compileAddon('the addon with AddressSanitizer', nativeSources(), 'arpeggio.node');
  const totals = await runTests(testFiles(filters.length > 0 ? filters : ADDRESS_TESTS), {
    prefix: await namespacePrefix(),
    env: { ...env, ARPEGGIO_ADDON: addon },
  });
  printSummary(totals);
  const found = readReports(reports);
  for (const report of found) process.stdout.write(`${report}\n`);
  const bad = totals.failed > 0 || totals.passed === 0 || (process.env.CI === 'true' && totals.skipped.length > 0);
  process.stdout.write(`address sanitizer: ${found.length} reports; ${closingLine(totals)}\n`);
  return bad || found.length > 0 ? 1 : 0;
}

/** ThreadSanitizer cannot place its shadow where the kernel randomises widely; setarch switches that off for it. */
function withoutRandomization(command) {
  const bits = Number(readFileSync('/proc/sys/vm/mmap_rnd_bits', 'utf8'));
  return bits > 28 ? ['setarch', '--addr-no-randomize', ...command] : command;
}

async function thread() {
  requireCrypto();
  await setup();
  const sources = [...pureSources(), 'test/native/thread_tsan.cc'];
  const program = await compileNative({
    what: 'the thread test with ThreadSanitizer',
    compiler: 'g++',
    sources,
    flags: THREAD_FLAGS,
    linkFlags: ['-pthread', ...THREAD_FLAGS, ...CRYPTO_FLAGS],
    folder: THREAD_FOLDER,
    output: 'thread_tsan',
  });
  const command = [...(await namespacePrefix()), ...withoutRandomization(['unshare', '--net', program])];
  const env = {
    ...process.env,
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    TSAN_OPTIONS: 'halt_on_error=0:exitcode=66:second_deadlock_stack=1',
  };
  const { code } = await run(command[0], command.slice(1), { env });
  process.stdout.write(`thread sanitizer: ${code === 0 ? 'nothing found' : `failed (exit code ${code})`}\n`);
  return code;
}

const MODES = { address, thread };

await main(() => {
  const mode = MODES[process.argv[2]];
  if (!mode) throw new SetupError(`usage: node scripts/sanitize.mjs ${Object.keys(MODES).join('|')} [FILTER...]`);
  return mode(process.argv.slice(3));
});
