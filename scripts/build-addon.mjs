// Makes the native addon loadable: by a prebuild where one fits, else by node-gyp. npm runs it at install, also where
// Arpeggio is a dependency and no development dependency is there.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { filesBelow, fingerprint, isMain, main, readStamp, run, runOrThrow, step, writeStamp } from './steps.mjs';
import { findNodeGyp, nodeHeaders, ROOT, requireTools, SetupError } from './tools.mjs';

const STAMP = 'build/.stamp';
const ADDON = join(ROOT, 'build/Release/arpeggio.node');

/** Prebuilds are for installed packages; in a clone they would hide changes of the sources. */
async function prebuildLoads() {
  if (existsSync(join(ROOT, '.git')) || !existsSync(join(ROOT, 'prebuilds'))) return false;
  const load = `require('node-gyp-build')(${JSON.stringify(ROOT)})`;
  const env = { ...process.env, PREBUILDS_ONLY: '1' };
  const { code } = await run(process.execPath, ['-e', load], { capture: true, env });
  return code === 0;
}

/** Builds the addon unless it is up to date. */
export async function buildAddon(quiet = false) {
  if (await prebuildLoads()) return;
  // The build depends on the node it is for; a rebuild from nothing is only needed when that changes.
  const platform = `${process.version} ${process.arch}`;
  const stamp = `${platform} ${fingerprint([...filesBelow('native'), 'binding.gyp'])}`;
  const last = readStamp(STAMP);
  if (last === stamp && existsSync(ADDON)) return;
  requireTools(['python3', 'make', 'g++']);
  await step('building the native addon', quiet, async () => {
    const commands = last?.startsWith(`${platform} `) ? ['configure', 'build'] : ['rebuild'];
    const jobs = String(availableParallelism());
    // binding.gyp asks `node`, which has to be this one.
    const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` };
    const args = ['--nodedir', nodeHeaders().directory, '--jobs', jobs, '--loglevel', 'warn'];
    for (const command of commands) {
      await runOrThrow('building the native addon', process.execPath, [findNodeGyp(), command, ...args], { env });
    }
    if (!existsSync(ADDON)) throw new SetupError(`node-gyp succeeded, but ${ADDON} is not there`);
    writeStamp(STAMP, stamp);
  });
}

if (isMain(import.meta)) await main(() => buildAddon(process.argv.includes('--quiet')));
