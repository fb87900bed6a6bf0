import { execFile } from 'node:child_process';
import { ArpeggioError } from '../errors.js';

export interface CommandResult {
  /** Exit code; 128 when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Written to its standard input. */
  readonly input?: string;
  /** It is ended with SIGKILL after this time. Default 10 s. */
  readonly timeoutMs?: number;
  /** True: a non-zero exit code is returned. Default: it is thrown. */
  readonly allowFailure?: boolean;
}

const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  bridge: 'iproute2',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  python3: 'python3',
};

/** An ordinary user's PATH often lacks the directories of `ip` and its kin. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin` };
}

/** What to throw when a program cannot be started. */
export function startError(program: string, error: NodeJS.ErrnoException): ArpeggioError {
  if (error.code !== 'ENOENT')
    return new ArpeggioError('ERR_SYSTEM', `cannot run ${program}: ${error.message}`, { cause: error });
  const packageName = PACKAGES[program];
  const remedy = packageName === undefined ? 'install it' : `install the package ${packageName}`;
  return new ArpeggioError('ERR_TOOL_MISSING', `${program} is not installed; ${remedy}`, { cause: error });
}

/**
 * Runs a program to its end.
 * @throws ArpeggioError ERR_TOOL_MISSING, or ERR_SYSTEM with what it wrote when it fails.
 */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const settings = { env: toolEnvironment(), timeout: options.timeoutMs ?? 10_000, killSignal: 'SIGKILL' as const };
    const child = execFile(program, args, settings, (error, stdout, stderr) => {
      if (error !== null && typeof error.code === 'string') {
        reject(startError(program, error as NodeJS.ErrnoException));
        return;
      }
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 128;
      if (code === 0 || options.allowFailure) resolve({ code, stdout, stderr });
      else {
        const said = (stderr || stdout).trim();
        reject(new ArpeggioError('ERR_SYSTEM', `"${argv.join(' ')}" failed with exit code ${code}: ${said}`));
      }
    });
    // A program that ends before it has read everything must not bring us down with EPIPE; its exit code tells.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}
