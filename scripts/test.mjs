// npm test [-- FILTER...]: sets up whatever is missing, then runs every test but those of test/cluster (or the files whose
// path contains a FILTER), enforces the coverage of src, and closes with one line that counts the tests.
// npm run test:cluster [-- FILTER...]: the same for test/cluster, on a real Kubernetes control plane.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterEnvironment, controlPlaneObstacle } from './cluster.mjs';
import { setup } from './setup.mjs';
import { filesBelow, main, run } from './steps.mjs';
import { closingLine, namespacePrefix, printSummary, runTests, testFiles } from './test-run.mjs';
import { ROOT } from './tools.mjs';

const MIN_LINE_COVERAGE = 90;
const COVERAGE = '.cache/coverage';

/** Modules that only hold types compile to `export {};`: nothing there could be covered. */
function typeOnlyModules() {
  return filesBelow('dist/src', (path) => path.endsWith('.js')).filter((path) => {
    const code = readFileSync(join(ROOT, path), 'utf8').replace(/\/\/.*|\/\*[\s\S]*?\*\//g, '');
    return code.trim() === 'export {};';
  });
}

/** True when enough lines of src ran. Children of the tests (`arpeggio run`) count: they inherit NODE_V8_COVERAGE. */
async function coverageSuffices() {
  const args = ['report', '--temp-directory', join(COVERAGE, 'tmp'), '--reports-dir', COVERAGE];
  args.push(
    '--reporter',
    'text',
    '--skip-full',
    '--reporter',
    'lcovonly',
    '--all',
    '--src',
    'src',
    '--exclude-after-remap',
  );
  args.push(
    '--include',
    'dist/src/**',
    '--include',
    'src/**',
    '--check-coverage',
    '--lines',
    String(MIN_LINE_COVERAGE),
  );
  args.push('--functions', '0', '--branches', '0', '--statements', '0');
  // Runs on a real control plane only: in the cluster tests, which count no coverage.
  for (const path of ['src/lab/kubernetes/**', 'src/lab/programs/http_server.*'])
    args.push('--exclude', path, '--exclude', `dist/${path}`);
  for (const path of typeOnlyModules()) {
    args.push('--exclude', path, '--exclude', path.replace(/^dist\//, '').replace(/\.js$/, '.ts'));
  }
  const { code } = await run(process.execPath, [join(ROOT, 'node_modules/c8/bin/c8.js'), ...args]);
  return code === 0;
}

const isClusterTest = (file) => file.startsWith('dist/test/cluster/');

function wantedFiles(clusterOnly, filters) {
  const files = testFiles(filters);
  if (clusterOnly) return files.filter(isClusterTest);
  return filters.length > 0 ? files : files.filter((file) => !isClusterTest(file));
}

function tellOfClusterTests() {
  const obstacle = controlPlaneObstacle();
  const hint = obstacle === null ? 'npm run test:cluster runs them' : `they cannot run on this machine: ${obstacle}`;
  process.stdout.write(`!! The cluster tests, on a real Kubernetes control plane, are not part of this run: ${hint}\n`);
}

await main(async () => {
  const clusterOnly = process.argv.includes('--cluster');
  const filters = process.argv.slice(2).filter((argument) => argument !== '--' && argument !== '--cluster');
  const everything = !clusterOnly && filters.length === 0;
  const totals = { passed: 0, failed: 0, skipped: [], files: [] };
  const problems = [];
  try {
    await setup();
    const files = wantedFiles(clusterOnly, filters);
    if (files.length === 0) problems.push(`no test file matches ${filters.join(' ')}`);
    rmSync(join(ROOT, COVERAGE), { recursive: true, force: true });
    const env = clusterOnly ? {} : { NODE_V8_COVERAGE: join(ROOT, COVERAGE, 'tmp') };
    if (files.some(isClusterTest)) Object.assign(env, await clusterEnvironment());
    Object.assign(totals, await runTests(files, { prefix: await namespacePrefix(), env }));
    if (everything && !(await coverageSuffices())) {
      problems.push(`less than ${MIN_LINE_COVERAGE} % of the lines of src are covered (see above)`);
    }
  } catch (error) {
    problems.push(error.name === 'SetupError' ? error.message : error.stack);
  }
  printSummary(totals);
  if (everything) tellOfClusterTests();
  if (totals.skipped.length > 0 && process.env.CI === 'true') problems.push('CI=true: a skipped test is a failure');
  if (totals.passed === 0 && totals.failed === 0 && problems.length === 0) problems.push('no test ran');
  for (const problem of problems) process.stdout.write(`FAILED ${problem}\n`);
  totals.failed += problems.length;
  mkdirSync(join(ROOT, '.cache/test'), { recursive: true });
  writeFileSync(join(ROOT, '.cache/test/totals.json'), JSON.stringify(totals));
  process.stdout.write(`${closingLine(totals)}\n`);
  return totals.failed > 0 ? 1 : 0;
});
