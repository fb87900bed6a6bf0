// Sets up whatever is missing or out of date: dependencies, addon, compiled TypeScript. Works on a fresh clone.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon } from './build-addon.mjs';
import { bundleClientNode, bundleCommandLine } from './bundle.mjs';
import { filesBelow, fingerprint, isMain, main, readStamp, runOrThrow, step, writeStamp } from './steps.mjs';
import { findCommand, ROOT, requireTools } from './tools.mjs';

const COMPILED_STAMP = 'dist/.stamp';
const SOURCE_FOLDERS = ['src', 'test', 'bench'];

/** npm writes what it installed to node_modules/.package-lock.json; whatever the lock file asks for must be there. */
function dependenciesAreCurrent() {
  const installedPath = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(installedPath)) return false;
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    if (installed[path] === undefined) return entry.optional === true;
    return installed[path].version === entry.version && existsSync(join(ROOT, path));
  });
}

async function installDependencies(quiet) {
  if (dependenciesAreCurrent()) return;
  await step('installing dependencies (npm ci)', quiet, () =>
    // Development dependencies are needed to build, whatever NODE_ENV says; the addon is built by the next step.
    runOrThrow('npm ci', findCommand('npm'), ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund']),
  );
}

/** tsc leaves the output of deleted sources behind; a deleted test would go on running. */
function removeStaleOutput() {
  for (const file of filesBelow('dist', (path) => /\.(js|js\.map)$/.test(path))) {
    const source = file.replace(/^dist\//, '').replace(/\.js(\.map)?$/, '.ts');
    if (!existsSync(join(ROOT, source))) rmSync(join(ROOT, file));
  }
}

async function compile(quiet) {
  const sources = SOURCE_FOLDERS.flatMap((folder) => filesBelow(folder, (path) => path.endsWith('.ts')));
  const stamp = fingerprint([...sources, 'tsconfig.json', 'package-lock.json', 'scripts/bundle.mjs']);
  if (readStamp(COMPILED_STAMP) === stamp) return;
  await step('compiling TypeScript', quiet, async () => {
    await runOrThrow('compiling TypeScript', process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc')]);
    removeStaleOutput();
    await bundleClientNode();
    await bundleCommandLine();
    writeStamp(COMPILED_STAMP, stamp);
  });
}

/** Everything that `npm start` and `npm test` need. Says what it does, one line per step; nothing when all is there. */
export async function setup({ quiet = false } = {}) {
  requireTools();
  await installDependencies(quiet);
  await buildAddon(quiet);
  await compile(quiet);
}

if (isMain(import.meta)) await main(() => setup({ quiet: process.argv.includes('--quiet') }));
