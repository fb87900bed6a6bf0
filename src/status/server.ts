import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ListenAddress } from './listen_address.js';
import { STATUS_PATH } from './paths.js';
import type { Health, Status } from './schema.js';
import { listenError, listening, listenOnSocket } from './status_socket.js';

export interface StatusHandlers {
  status(): Status;
  health(): Health;
}

export interface StatusServerOptions {
  /** Path of the unix socket. */
  socket: string;
  /** Loopback TCP beside it, or null; see parseListenAddress. */
  listen: ListenAddress | null;
  handlers: StatusHandlers;
}

export interface StatusServer {
  readonly socket: string;
  /** Where TCP listens, with the port that the kernel chose; null without. */
  readonly listen: ListenAddress | null;
  /** Stops listening, drops open connections, removes the socket. */
  close(): Promise<void>;
}

/**
 * Serves GET /api/v1/status and GET /healthz as JSON.
 * @throws ArpeggioError ERR_ALREADY_RUNNING, ERR_INVALID_ARGUMENT, ERR_SYSTEM
 */
export async function createStatusServer({ socket, listen, handlers }: StatusServerOptions): Promise<StatusServer> {
  const servers: Server[] = [];
  const start = async (open: (server: Server) => Promise<void>): Promise<Server> => {
    const server = createServer(answer(handlers));
    await open(server);
    servers.push(server);
    return server;
  };
  const close = async () => void (await Promise.all(servers.map(closed)));
  try {
    await start((server) => listenOnSocket(server, socket));
    if (listen === null) return { socket, listen: null, close };
    const tcp = await start((server) => listenOnLoopback(server, listen));
    return { socket, listen: { host: listen.host, port: (tcp.address() as AddressInfo).port }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listenOnLoopback(server: Server, where: ListenAddress): Promise<void> {
  try {
    await listening(server, where);
  } catch (error) {
    throw listenError(`${where.host}:${where.port}`, error as NodeJS.ErrnoException);
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

interface Answer {
  code: number;
  body: unknown;
}

function answer(handlers: StatusHandlers): RequestListener {
  const routes: Record<string, () => Answer> = {
    [STATUS_PATH]: () => ({ code: 200, body: handlers.status() }),
    '/healthz': () => {
      const health = handlers.health();
      return { code: health.ok ? 200 : 503, body: health };
    },
  };
  return (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    const reading = request.method === 'GET' || request.method === 'HEAD';
    const { code, body } = !route
      ? failure(404, `there is no ${path} here; try ${Object.keys(routes).join(' or ')}`)
      : reading
        ? attempt(route)
        : failure(405, `${path} is for reading: use GET`);
    if (code === 405) response.setHeader('allow', 'GET, HEAD');
    const text = `${JSON.stringify(body)}\n`;
    response.writeHead(code, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
    });
    response.end(request.method === 'HEAD' ? undefined : text);
  };
}

function attempt(route: () => Answer): Answer {
  try {
    return route();
  } catch (error) {
    return failure(500, (error as Error).message);
  }
}

function failure(code: number, message: string): Answer {
  return { code, body: { error: { code, message } } };
}
