import { fileURLToPath } from 'node:url';
import { ArpeggioError } from '../errors.js';
import type { Host } from './host.js';
import { type NetProcess, UNDISTURBED } from './net_process.js';

const ECHO_SERVER = fileURLToPath(new URL('programs/echo_server.js', import.meta.url));

export const BACKEND_PORT = 7;

/** Starts the backend behind these addresses on a host, which signs its answers with the host's name; resolves once it listens. */
export function startBackend(host: Host, addresses: readonly string[]): Promise<NetProcess> {
  return new Promise((resolve, reject) => {
    const argv = [...UNDISTURBED, process.execPath, ECHO_SERVER, host.name, String(BACKEND_PORT), ...addresses];
    const backend = host.spawn(argv, () => resolve(backend));
    const ended = () => reject(new ArpeggioError('ERR_SYSTEM', `the backend ended: ${backend.lastOutput}`));
    backend.exited.then(ended, reject);
  });
}
