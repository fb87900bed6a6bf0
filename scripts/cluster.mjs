// node scripts/cluster.mjs: builds the control plane of the cluster tests (test/cluster/control-plane) unless that was done
// before on this machine, and prints its path. The first time takes minutes: it is Kubernetes.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { isMain, main, run } from './steps.mjs';
import { findCommand, ROOT, SetupError } from './tools.mjs';

const SOURCE = join(ROOT, 'test/cluster/control-plane');
const PROGRESS_MS = 30_000;
/** Other versions in the user's cache go once nobody has used them for so long. */
const KEPT_MS = 14 * 24 * 3600 * 1000;
const NO_MODULES = /dial tcp|lookup |no such host|network is unreachable|Client\.Timeout|40[34] /;
const ADVICE = 'see CONTRIBUTING.md';

const sources = () => readdirSync(SOURCE).filter((name) => /\.(go|mod|sum)$/.test(name));
const read = (name) => readFileSync(join(SOURCE, name), 'utf8');

function fingerprint(goVersion) {
  const hash = createHash('sha256').update(goVersion);
  for (const name of sources().sort()) hash.update(name).update(read(name));
  return hash.digest('hex').slice(0, 16);
}

function usable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Links or copies in one step: whoever looks finds the whole program or none. */
function place(from, to) {
  const draft = `${to}.${process.pid}`;
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, draft);
  } catch {
    copyFileSync(from, draft);
  }
  renameSync(draft, to);
}

function removeOthers(folder, keep) {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const path = join(folder, name);
    if (name !== keep && Date.now() - statSync(path).mtimeMs > KEPT_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** Runs go build, and says every half a minute how far it is. Resolves with { code, errors }. */
function compile(output, ldflags) {
  const started = performance.now();
  const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly -buildvcs=false' };
  const build = ['go', 'build', '-v', '-trimpath', '-ldflags', ldflags, '-o', output, '.'];
  // Two test runs at once would do the same work twice; the second finds everything in go's own cache.
  const command = ['-n', '10', 'flock', `${output}.lock`, ...build];
  return new Promise((resolve, reject) => {
    const child = spawn('nice', command, { cwd: SOURCE, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let packages = 0;
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      for (const line of text.split('\n')) {
        // -v names each package that it compiles, alone on its line.
        if (/^[\w.~/-]+$/.test(line)) packages += 1;
        else if (line !== '') errors = `${errors}${line}\n`.slice(-5000);
      }
    });
    const timer = setInterval(() => {
      const seconds = Math.round((performance.now() - started) / 1000);
      process.stdout.write(`  ${packages} packages compiled after ${seconds} s\n`);
    }, PROGRESS_MS);
    child.on('error', (error) => reject(new SetupError(`cannot run nice: ${error.message}`)));
    child.on('close', (code) => {
      clearInterval(timer);
      resolve({ code, errors });
    });
  });
}

/** What is missing on this machine to build and run it; null when nothing is known to be. */
export function controlPlaneObstacle() {
  const wanted = /^go (\S+)$/m.exec(read('go.mod'))[1];
  if (findCommand('nft') === null) return `needs nftables (apt-get install nftables); ${ADVICE}`;
  if (process.env.ARPEGGIO_CONTROL_PLANE || findCommand('go') !== null) return null;
  return `needs Go ${wanted} or later; ${ADVICE}`;
}

/**
 * { program: its path }, or { missing: what to install } where it cannot be built here. Throws when our own source does not
 * compile.
 */
export async function controlPlane() {
  const obstacle = controlPlaneObstacle();
  if (obstacle !== null) return { missing: obstacle };
  if (process.env.ARPEGGIO_CONTROL_PLANE) return { program: process.env.ARPEGGIO_CONTROL_PLANE };
  const kubernetes = /k8s\.io\/kubernetes v(\S+)/.exec(read('go.mod'))[1];
  const env = { ...process.env, GOTOOLCHAIN: 'local' };
  const { output: goVersion } = await run('go', ['version'], { capture: true, env });
  const hash = fingerprint(goVersion);
  const folder = join(ROOT, '.cache/control-plane');
  const program = join(folder, hash, 'control-plane');
  if (usable(program)) return { program };
  // A fresh clone on the same machine.
  const shared = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'arpeggio');
  const name = `control-plane-${hash}`;
  if (usable(join(shared, name))) {
    place(join(shared, name), program);
    return { program };
  }
  process.stdout.write(
    `building the control plane of the cluster tests, Kubernetes ${kubernetes}: seconds after a small change, about 6 minutes the first time\n`,
  );
  const started = performance.now();
  mkdirSync(dirname(program), { recursive: true });
  const draft = `${program}.draft`;
  const [major, minor] = kubernetes.split('.');
  const variables = { gitVersion: `v${kubernetes}`, gitMajor: major, gitMinor: minor };
  // Clients would see v0.0.0.
  const set = Object.entries(variables).map(([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`);
  const { code, errors } = await compile(draft, `-s -w ${set.join(' ')}`);
  if (/requires go >= /.test(errors)) return { missing: `needs a newer Go than ${goVersion.trim()}; ${ADVICE}` };
  if (code !== 0 && NO_MODULES.test(errors))
    return { missing: `its modules cannot be fetched: ${errors.slice(0, 300).trim()}` };
  if (code !== 0) throw new SetupError(`${errors.trimEnd()}\nbuilding the control plane failed (exit code ${code})`);
  renameSync(draft, program);
  rmSync(`${draft}.lock`, { force: true });
  removeOthers(folder, hash);
  try {
    place(program, join(shared, name));
    removeOthers(shared, name);
  } catch (error) {
    process.stdout.write(`  not kept for other clones: ${error.message}\n`);
  }
  process.stdout.write(`  built after ${((performance.now() - started) / 1000).toFixed(0)} s\n`);
  return { program };
}

/** What test files of test/cluster need in their environment. */
export async function clusterEnvironment() {
  const { program, missing } = await controlPlane();
  if (missing === undefined) return { ARPEGGIO_CONTROL_PLANE: program };
  process.stdout.write(`!! The cluster tests will be SKIPPED: ${missing}\n`);
  return { ARPEGGIO_CONTROL_PLANE_MISSING: missing };
}

async function print() {
  const { program, missing } = await controlPlane();
  if (missing !== undefined) throw new SetupError(`no control plane can be built here: ${missing}`);
  process.stdout.write(`${program}\n`);
}

if (isMain(import.meta)) await main(print);
