// Whether this process may build networks, and how it could.
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { startError, toolEnvironment } from './command.js';

export type NetworkAccess =
  | { readonly kind: 'direct' }
  /** Not here, but in a user namespace that {@link enterCommand} opens. */
  | { readonly kind: 'enter' }
  /** The kernel or the machine forbids it, or a tool is missing. */
  | { readonly kind: 'unavailable'; readonly reason: string };

const UNSHARE = ['unshare', '--user', '--map-root-user', '--net', '--mount'];
// `ip netns` keeps its names in /run, which belongs to the real root.
const OWN_RUN = 'mount -t tmpfs tmpfs /run && mkdir /run/netns';
// What Network does first; in a mount namespace of its own, so that it leaves no trace.
const TRIAL = `${OWN_RUN} && ip netns add trial && ip -n trial link add trial0 type veth peer name trial1`;

/** Runs the trial and returns what stops it, null when nothing does. */
function obstacle(unshare: readonly string[]): string | null {
  const [program = '', ...args] = [...unshare, 'sh', '-c', TRIAL];
  const { error, status, stderr } = spawnSync(program, args, { env: toolEnvironment(), encoding: 'utf8' });
  if (error !== undefined) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return missing ? 'unshare is not installed; install the package util-linux' : error.message;
  }
  return status === 0 ? null : stderr.trim() || `the trial ended with exit code ${status}`;
}

/** Tries it out, which takes some milliseconds. */
export function networkAccess(): NetworkAccess {
  if (process.getuid?.() === 0 && obstacle(['unshare', '--net', '--mount']) === null) return { kind: 'direct' };
  const reason = obstacle(UNSHARE);
  return reason === null ? { kind: 'enter' } : { kind: 'unavailable', reason };
}

/** The command that runs `argv` as root of namespaces of its own, where {@link networkAccess} said 'enter'. */
export function enterCommand(argv: readonly string[]): string[] {
  const inside = ['setpriv', '--pdeathsig', 'KILL', 'sh', '-c', `${OWN_RUN} && ip link set lo up && exec "$@"`, 'sh'];
  return [...UNSHARE, ...inside, ...argv];
}

/** Runs `argv` as {@link enterCommand} does, with our terminal. Resolves with its exit code, 128 + N for signal N. */
export function enterNamespace(argv: readonly string[]): Promise<number> {
  return runInherited(enterCommand(argv));
}

/** Runs a program with our terminal and hands our signals on. Resolves with its exit code, 128 + N for signal N. */
export function runInherited(argv: readonly string[]): Promise<number> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: toolEnvironment() });
    const pass = (signal: NodeJS.Signals) => child.kill(signal);
    process.on('SIGINT', pass).on('SIGTERM', pass);
    const settle = () => process.off('SIGINT', pass).off('SIGTERM', pass);
    child.once('error', (error) => {
      settle();
      reject(startError(program, error));
    });
    child.once('close', (code, signal) => {
      settle();
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']);
    });
  });
}
