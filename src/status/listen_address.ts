import { isIP } from 'node:net';
import { ArpeggioError } from '../errors.js';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Parses "127.0.0.1:9180", "[::1]:9180" or "localhost:9180"; port 0 lets the kernel choose.
 * @throws ArpeggioError ERR_INVALID_ARGUMENT also for an address that is not loopback: the status has no access control
 */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  const loopback = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  if (!match || port > 65_535)
    throw new ArpeggioError(
      'ERR_INVALID_ARGUMENT',
      `"${text}" is no address with a port; write it like 127.0.0.1:9180`,
    );
  if (!loopback)
    throw new ArpeggioError(
      'ERR_INVALID_ARGUMENT',
      `"${text}" is not a loopback address; the status is given to whoever can connect, so it is served on loopback only`,
    );
  return { host, port };
}
