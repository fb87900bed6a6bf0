// Where the program is that is etcd, the API server, kube-proxy and kubectl of the lab.
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ArpeggioError } from '../../errors.js';
import { runCommand, toolEnvironment } from '../command.js';

// Compiled, this file is four directories below the root.
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
/** Programs that the cluster and its clients use, and the packages that bring them. */
const TOOLS = { nft: 'nftables', curl: 'curl' };
const VARIABLE = 'ARPEGGIO_CONTROL_PLANE';

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

async function requireTools(): Promise<void> {
  for (const [tool, packageName] of Object.entries(TOOLS)) {
    const { code } = await runCommand(['sh', '-c', `command -v ${tool}`], { allowFailure: true });
    if (code !== 0)
      throw new ArpeggioError('ERR_TOOL_MISSING', `${tool} is not installed; install the package ${packageName}`);
  }
}

/** The newest that a clone has left for other clones; null without one. */
function cached(): string | null {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'arpeggio');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const programs = names.filter((name) => /^control-plane-[0-9a-f]+$/.test(name)).map((name) => join(folder, name));
  const newest = programs.filter(isProgram).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  return newest[0] ?? null;
}

/** Has a clone find or build it. Resolves with the path, or with what is missing. */
function built(script: string, tell: (line: string) => void): Promise<{ program: string } | { missing: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'pipe'], env: toolEnvironment() });
    let said = '';
    let last = '';
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (last !== '') tell(last);
      last = line;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.once('error', reject).once('close', (code) => {
      if (code === 0) resolve({ program: last });
      else resolve({ missing: said.trim() || `${script} failed with exit code ${code}` });
    });
  });
}

/**
 * Finds it: the path in ARPEGGIO_CONTROL_PLANE, else what a clone builds, which takes minutes the first time, else what a clone
 * has built on this machine before.
 * @param tell is told how the build gets on
 * @throws ArpeggioError ERR_TOOL_MISSING with what to install or to set
 */
export async function controlPlaneProgram(tell: (line: string) => void): Promise<string> {
  await requireTools();
  const named = process.env[VARIABLE];
  if (named) {
    if (isProgram(named)) return named;
    throw new ArpeggioError('ERR_TOOL_MISSING', `${VARIABLE} names ${named}, which is no program that can be run`);
  }
  const script = join(ROOT, 'scripts/cluster.mjs');
  const isClone = existsSync(script) && existsSync(join(ROOT, 'test/cluster/control-plane'));
  const found = isClone ? await built(script, tell) : { missing: 'an installed package cannot build it' };
  const program = 'program' in found ? found.program : cached();
  if (program !== null) return program;
  const remedy = isClone
    ? ''
    : `; once run "node scripts/cluster.mjs" in a clone of the source, as this user, or name the program that this makes in ${VARIABLE}`;
  const missing = 'missing' in found ? found.missing : '';
  throw new ArpeggioError('ERR_TOOL_MISSING', `the lab has no Kubernetes control plane: ${missing}${remedy}`);
}
