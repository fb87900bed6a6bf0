import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CommandHandlers } from './commands.js';
import type { ListenAddress } from './listen_address.js';
import {
  type Answer,
  answerTo,
  commandRoutes,
  failure,
  type Routes,
  readingRoutes,
  type StatusHandlers,
  withoutCommands,
} from './routes.js';
import { listenError, listening, listenOnSocket } from './status_socket.js';

/** A command is a line. */
const MAX_BODY_BYTES = 4_096;

export interface StatusServerOptions {
  /** Path of the unix socket. */
  socket: string;
  /** Loopback TCP beside it, or null; see parseListenAddress. */
  listen: ListenAddress | null;
  handlers: StatusHandlers;
  /** Commands, taken on the unix socket alone: who may use it is a matter of its mode. Default: none. */
  commands?: CommandHandlers;
}

export interface StatusServer {
  readonly socket: string;
  /** Where TCP listens, with the port that the kernel chose; null without. */
  readonly listen: ListenAddress | null;
  /** Stops listening, drops open connections, removes the socket. */
  close(): Promise<void>;
}

/**
 * Serves GET /api/v1/status and GET /healthz as JSON, and the commands on the socket.
 * @throws ArpeggioError ERR_ALREADY_RUNNING, ERR_INVALID_ARGUMENT, ERR_SYSTEM
 */
export async function createStatusServer({
  socket,
  listen,
  handlers,
  commands,
}: StatusServerOptions): Promise<StatusServer> {
  const servers: Server[] = [];
  const reading = readingRoutes(handlers);
  const start = async (routes: Routes, open: (server: Server) => Promise<void>): Promise<Server> => {
    const server = createServer(listener({ ...reading, ...routes }));
    await open(server);
    servers.push(server);
    return server;
  };
  const close = async () => void (await Promise.all(servers.map(closed)));
  try {
    await start(commands ? commandRoutes(commands) : {}, (server) => listenOnSocket(server, socket));
    if (listen === null) return { socket, listen: null, close };
    const tcp = await start(commands ? withoutCommands() : {}, (server) => listenOnLoopback(server, listen));
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

function listener(routes: Routes): RequestListener {
  return (request, response) => {
    const { method = 'GET', url = '/' } = request;
    const [path = '/', query] = url.split('?', 2);
    const reply = ({ code, body, allow }: Answer): void => {
      if (allow !== undefined) response.setHeader('allow', allow);
      const text = `${JSON.stringify(body)}\n`;
      response.writeHead(code, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        'cache-control': 'no-store',
      });
      response.end(method === 'HEAD' ? undefined : text);
    };
    readBody(request, (body) =>
      reply(
        body === null
          ? failure(413, `more than ${MAX_BODY_BYTES} bytes are no command`)
          : answerTo(routes, method, path, { query: new URLSearchParams(query), body }),
      ),
    );
  };
}

/** Calls `done` once, with null for a body that is too long; not at all if the request breaks off. */
function readBody(request: IncomingMessage, done: (body: string | null) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
  });
  request.on('end', () => done(length > MAX_BODY_BYTES ? null : Buffer.concat(chunks).toString()));
}
