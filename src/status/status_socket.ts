import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { ArpeggioError } from '../errors.js';

/** sun_path of unix(7) has 108 bytes with the closing zero. */
const MAX_PATH_BYTES = 107;

/**
 * Listens on a unix socket that owner and group may use. A socket that a dead process left behind is replaced.
 * @throws ArpeggioError ERR_ALREADY_RUNNING when somebody listens there, ERR_INVALID_ARGUMENT for a bad path, ERR_SYSTEM
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw new ArpeggioError(
      'ERR_INVALID_ARGUMENT',
      `the path of a socket has at most ${MAX_PATH_BYTES} bytes, "${path}" has ${Buffer.byteLength(path)}; choose a shorter one`,
    );
  try {
    mkdirSync(dirname(path), { recursive: true });
    await removeStale(path);
    await listening(server, { path });
    chmodSync(path, 0o660);
  } catch (error) {
    if (error instanceof ArpeggioError) throw error;
    throw listenError(path, error as NodeJS.ErrnoException);
  }
}

/** Starts a server; resolves when it accepts connections. */
export function listening(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** The way out of EADDRINUSE and EACCES, in a sentence. */
export function listenError(where: string, error: NodeJS.ErrnoException): ArpeggioError {
  return new ArpeggioError(
    error.code === 'EADDRINUSE' ? 'ERR_ALREADY_RUNNING' : 'ERR_SYSTEM',
    error.code === 'EADDRINUSE'
      ? `another process listens on ${where}; stop it, or choose another place for the status`
      : `the status cannot be served on ${where}: ${error.message}; run with the right to do so, or choose another place`,
    { errno: -(error.errno ?? 0), syscall: error.syscall ?? 'listen', cause: error },
  );
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  // Never delete what is no socket: the path may be a slip of the pen.
  if (!found.isSocket())
    throw new ArpeggioError(
      'ERR_INVALID_ARGUMENT',
      `${path} exists and is no socket; choose another path for the status`,
    );
  if (await accepts(path)) throw alreadyRunning(path, await whoIsThere(path));
  unlinkSync(path);
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else reject(error);
    });
  });
}

async function whoIsThere(path: string): Promise<string> {
  try {
    const { fetchStatus } = await import('./client.js');
    const { status } = await fetchStatus({ socket: path, timeoutMs: 1000 });
    return `a speaker (node ${status.node}, process ${status.process.pid})`;
  } catch {
    return 'another process';
  }
}

function alreadyRunning(path: string, who: string): ArpeggioError {
  return new ArpeggioError(
    'ERR_ALREADY_RUNNING',
    `${who} already listens on ${path}; stop it first, or give this speaker its own --socket`,
  );
}
