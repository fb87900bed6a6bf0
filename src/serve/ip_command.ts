import { spawn } from 'node:child_process';
import { ArpeggioError } from '../errors.js';

export interface IpResult {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs iproute2's `ip` and waits for its end. Commands for `-batch -` go in by `input`.
 * @throws ArpeggioError ERR_TOOL_MISSING without `ip`. A failing `ip` is not an error here: see `ok`.
 */
export function ip(args: readonly string[], input: string | null = null): Promise<IpResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('ip', args, {
      // Messages are matched below, so they must be the C locale's; services often lack the sbin directories.
      env: { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin` },
      stdio: 'pipe',
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk) => stdout.push(chunk));
    child.stderr.on('data', (chunk) => stderr.push(chunk));
    // `ip` that ends early closes the pipe; its own message says why.
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
    child.on('error', (error: NodeJS.ErrnoException) => reject(spawnError(error)));
    child.on('close', (code) =>
      resolve({
        ok: code === 0,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString().trim(),
      }),
    );
  });
}

function spawnError(error: NodeJS.ErrnoException): ArpeggioError {
  if (error.code === 'ENOENT')
    return new ArpeggioError(
      'ERR_TOOL_MISSING',
      'the program "ip" is missing, which "serve: loopback" needs; install iproute2 (Debian: apt install iproute2)',
      { cause: error },
    );
  return new ArpeggioError('ERR_SYSTEM', `"ip" could not be started: ${error.message}`, {
    syscall: 'spawn',
    cause: error,
  });
}

export function noNetAdmin(what: string, cause?: unknown): ArpeggioError {
  return new ArpeggioError(
    'ERR_NO_CAP_NET_ADMIN',
    `${what} needs CAP_NET_ADMIN; run with it (as root, or with systemd's AmbientCapabilities=CAP_NET_ADMIN, because ` +
      'the "ip" program must get it too), or set "serve: none" and keep the service IPs on this node yourself',
    cause === undefined ? {} : { cause },
  );
}
