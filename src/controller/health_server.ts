import { createServer, type Server } from 'node:http';
import { ArpeggioError } from '../errors.js';
import type { ControllerStatus } from './controller.js';

export interface HealthServer {
  /** The one that was asked for, or the one that the kernel chose for 0. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * For the probes of a pod: /healthz answers as long as the process does, /readyz once this replica gives addresses or knows
 * who does. Both tell the status as JSON; nothing else is served, since whoever reaches the pod may ask.
 * @throws ArpeggioError ERR_SYSTEM where the port cannot be had
 */
export function serveHealth(port: number, status: () => ControllerStatus): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    const now = status();
    const ready = now.leading ? now.term?.running === true : now.leader !== null;
    const code = path === '/healthz' ? 200 : path === '/readyz' ? (ready ? 200 : 503) : 404;
    const { leading, leader } = now;
    response.writeHead(code, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(code === 404 ? { error: 'not found' } : { leading, leader, ready })}\n`);
  });
  // A probe is one short request.
  server.requestTimeout = 5_000;
  server.maxConnections = 32;
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const message = `cannot listen on port ${port} (${cause.code}); choose another one with --health-port`;
      reject(new ArpeggioError('ERR_SYSTEM', message, { cause, ...(cause.syscall && { syscall: cause.syscall }) }));
    });
    server.listen(port, () => {
      const address = server.address();
      resolve({ port: typeof address === 'object' && address ? address.port : port, close: () => closed(server) });
    });
  });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
