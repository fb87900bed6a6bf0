// node scripts/fuzz.mjs [--seconds 60] [TARGET...]: runs the libFuzzer targets of test/fuzz, two at a time, each from its
// committed corpus. What it learns goes to .cache/fuzz/corpus, inputs that break something to .cache/fuzz/findings.
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CRYPTO_FLAGS, compileNative, requireCrypto } from './native-build.mjs';
import { filesBelow, main, run } from './steps.mjs';
import { findCommand, ROOT, SetupError } from './tools.mjs';

const FLAGS = ['-O1', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all', '-fsanitize=fuzzer,address,undefined'];
const FOLDER = '.cache/fuzz';
const PARSERS =
  /^native\/(wire\/[^/]+|reply|ip_table|socket_filter|frame_authenticator|heartbeater|peer_table|refusal_log)\.cc$/;
/** Targets that begin with the seeds of others. */
const SHARED_SEEDS = { filter: ['arp', 'ndp'] };
const CONCURRENCY = 2;
// Jumbo frames and a little more; deeper bugs need no more.
const MAX_INPUT_BYTES = 2048;

const allTargets = () => filesBelow('test/fuzz', (path) => path.endsWith('.cc')).map((path) => path.slice(10, -3));

function compileTarget(target) {
  return compileNative({
    what: `fuzz target ${target}`,
    compiler: 'clang++',
    sources: [...filesBelow('native', (path) => PARSERS.test(path)), `test/fuzz/${target}.cc`],
    flags: FLAGS,
    linkFlags: [...FLAGS, ...CRYPTO_FLAGS],
    folder: join(FOLDER, 'build'),
    output: target,
  });
}

async function fuzz(target, program, seconds) {
  const committed = (SHARED_SEEDS[target] ?? [target]).map((name) => join(ROOT, 'test/fuzz/corpus', name));
  const learned = join(ROOT, FOLDER, 'corpus', target);
  const findings = join(ROOT, FOLDER, 'findings');
  mkdirSync(learned, { recursive: true });
  mkdirSync(findings, { recursive: true });
  for (const folder of committed) {
    if (readdirSync(folder).length === 0) throw new SetupError(`${folder} holds no seeds`);
  }
  const options = [`-max_total_time=${seconds}`, `-max_len=${MAX_INPUT_BYTES}`, '-timeout=5', '-print_final_stats=1'];
  const { code, output } = await run(
    program,
    [...options, `-artifact_prefix=${findings}/${target}-`, learned, ...committed],
    { capture: true },
  );
  const executions = /number_of_executed_units: (\d+)/.exec(output)?.[1] ?? '?';
  const features = [...output.matchAll(/ft: (\d+)/g)].at(-1)?.[1] ?? '?';
  if (code !== 0) process.stdout.write(`${output.trimEnd()}\n`);
  const outcome = code === 0 ? 'ok    ' : 'FAILED';
  process.stdout.write(`${outcome} fuzz ${target}: ${executions} inputs, ${features} features, ${seconds} s\n`);
  return code === 0;
}

await main(async () => {
  const options = { seconds: { type: 'string', default: '60' } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const seconds = Number(values.seconds);
  if (!Number.isInteger(seconds) || seconds < 1) throw new SetupError('--seconds takes a whole number from 1 up');
  if (findCommand('clang++') === null)
    throw new SetupError('clang++ is missing: apt-get install clang libclang-rt-14-dev');
  requireCrypto();
  const unknown = positionals.filter((target) => !allTargets().includes(target));
  if (unknown.length > 0)
    throw new SetupError(`no such target: ${unknown.join(', ')} (there are ${allTargets().join(', ')})`);
  const targets = positionals.length > 0 ? positionals : allTargets();
  const queue = [];
  for (const target of targets) queue.push({ target, program: await compileTarget(target) });
  let failed = 0;
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (!(await fuzz(next.target, next.program, seconds))) failed += 1;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return failed > 0 ? 1 : 0;
});
