// Runs compiled test files, each in a process of its own, and prints a line per file and every failure in full.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, run } from './steps.mjs';
import { ROOT } from './tools.mjs';

// Network tests share the machine's timing; two at a time would only disturb each other.
const SERIAL = /^dist\/test\/(net|lifecycle|sim|cluster)\//;
const CONCURRENCY = 2;
// For a file that hangs; every test has a shorter limit of its own.
const FILE_TIMEOUT_MS = 600_000;
const MAX_OUTPUT = 20_000;

const indented = (text) => text.trimEnd().replaceAll(/^(?=.)/gm, '    ');

/** Compiled test files whose source path contains one of the filters; all without a filter. */
export function testFiles(filters = []) {
  const files = filesBelow('dist/test', (path) => path.endsWith('.test.js'));
  if (filters.length === 0) return files;
  return files.filter((file) => filters.some((filter) => sourceOf(file).includes(filter)));
}

export const sourceOf = (file) => file.replace(/^dist\//, '').replace(/\.js$/, '.ts');

/**
 * What to put before a command so that it may build networks: [] where that is allowed here or nowhere, else the command
 * that enters namespaces of its own. Needs the compiled sources.
 */
export async function namespacePrefix() {
  const { enterCommand, networkAccess } = await import(join(ROOT, 'dist/src/lab/access.js'));
  const access = networkAccess();
  if (access.kind === 'unavailable') {
    process.stdout.write(
      `!! No network namespace can be made here, so network tests will be SKIPPED: ${access.reason}\n`,
    );
  }
  return access.kind === 'enter' ? enterCommand([]) : [];
}

async function runFile(file, prefix, env) {
  const outcomePath = join(ROOT, '.cache/test', `${file.replaceAll('/', '-')}.json`);
  rmSync(outcomePath, { force: true });
  const reporter = join(ROOT, 'scripts/reporter.mjs');
  const command = [...prefix, process.execPath, '--enable-source-maps', '--test', `--test-timeout=${FILE_TIMEOUT_MS}`];
  command.push(`--test-reporter=${reporter}`, '--test-reporter-destination=stdout', join(ROOT, file));
  const { code, output } = await run(command[0], command.slice(1), {
    capture: true,
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, ...env, ARPEGGIO_TEST_OUTCOME: outcomePath },
  });
  if (!existsSync(outcomePath)) {
    const failures = [{ name: null, text: `the test runner ended with exit code ${code}` }];
    return { file, passed: 0, failures, skipped: [], output, seconds: 0 };
  }
  const outcome = { file, ...JSON.parse(readFileSync(outcomePath, 'utf8')) };
  rmSync(outcomePath);
  if (code !== 0 && outcome.failures.length === 0) {
    outcome.failures.push({ name: null, text: `the test runner ended with exit code ${code}\n${output}` });
  }
  return outcome;
}

function print({ file, passed, failures, skipped, output, seconds }) {
  const name = sourceOf(file);
  const lines = [];
  for (const failure of failures) {
    lines.push(`FAILED ${name}${failure.name === null ? '' : ` > ${failure.name}`}`, indented(failure.text));
  }
  if (failures.length > 0 && output.trim() !== '') {
    lines.push(`output of ${name}:`, indented(output.slice(-MAX_OUTPUT)));
  }
  const counts = [`${passed} passed`];
  if (failures.length > 0) counts.push(`${failures.length} failed`);
  if (skipped.length > 0) counts.push(`${skipped.length} SKIPPED`);
  lines.push(`${failures.length > 0 ? 'FAILED' : 'ok    '} ${name}: ${counts.join(', ')}, ${seconds.toFixed(1)} s`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

/**
 * Runs the files: first those that may run side by side, then the network tests one by one. Resolves with the totals:
 * { passed, failed, skipped: names, files: [{ name, seconds }] }.
 */
export async function runTests(files, { prefix = [], env = {} } = {}) {
  mkdirSync(join(ROOT, '.cache/test'), { recursive: true });
  const totals = { passed: 0, failed: 0, skipped: [], files: [] };
  const runOne = async (file) => {
    const outcome = await runFile(file, prefix, env);
    print(outcome);
    totals.passed += outcome.passed;
    totals.failed += outcome.failures.length;
    totals.skipped.push(...outcome.skipped.map((name) => `${sourceOf(file)} > ${name}`));
    totals.files.push({ name: sourceOf(file), seconds: outcome.seconds });
  };
  const parallel = files.filter((file) => !SERIAL.test(file));
  const worker = async () => {
    for (let file = parallel.shift(); file !== undefined; file = parallel.shift()) await runOne(file);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  for (const file of files.filter((name) => SERIAL.test(name))) await runOne(file);
  return totals;
}

/** What a human wants to know at the end; the caller prints the closing line. */
export function printSummary({ skipped, files }) {
  if (files.length > 5) {
    const slowest = files.toSorted((a, b) => b.seconds - a.seconds).slice(0, 5);
    process.stdout.write('slowest files:\n');
    for (const { name, seconds } of slowest) process.stdout.write(`  ${seconds.toFixed(1).padStart(6)} s  ${name}\n`);
  }
  if (skipped.length > 0) process.stdout.write(`!! SKIPPED, nothing is known about:\n  ${skipped.join('\n  ')}\n`);
}

export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`;
}
