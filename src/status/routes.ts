import { ArpeggioError } from '../errors.js';
import { type CommandHandlers, DRAIN_PATH, MOVE_PATH, type MoveOrder, UNDRAIN_PATH } from './commands.js';
import { STATUS_PATH } from './paths.js';
import type { Health, Status } from './schema.js';

export interface StatusHandlers {
  status(): Status;
  health(): Health;
}

export interface Answer {
  readonly code: number;
  readonly body: unknown;
  /** The methods that the path has, where another was used. */
  readonly allow?: string;
}

/** What a handler gets of a request. */
export interface Asked {
  readonly query: URLSearchParams;
  /** "" without one. */
  readonly body: string;
}

type Handler = (asked: Asked) => Answer;

/** Handlers by path and method. */
export type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

export function readingRoutes(handlers: StatusHandlers): Routes {
  return {
    [STATUS_PATH]: { GET: () => ok(handlers.status()) },
    '/healthz': {
      GET: () => {
        const health = handlers.health();
        return { code: health.ok ? 200 : 503, body: health };
      },
    },
    // For who restarts what hangs: to wait for the API server, or for other nodes, is no reason to.
    '/livez': { GET: () => ok({ ok: true }) },
  };
}

export function commandRoutes(handlers: CommandHandlers): Routes {
  return {
    [DRAIN_PATH]: { GET: () => ok(handlers.drainProgress()), POST: () => ok(handlers.drain()) },
    [UNDRAIN_PATH]: { POST: () => ok(handlers.undrain()) },
    [MOVE_PATH]: {
      GET: ({ query }) => ok(handlers.moveProgress(orderOf(Object.fromEntries(query)))),
      POST: ({ body }) => ok(handlers.move(orderOf(parsed(body)))),
    },
  };
}

/** Where commands are not taken. */
export function withoutCommands(): Routes {
  const refused: Handler = () => failure(403, 'commands are taken on the unix socket only');
  const route = { GET: refused, POST: refused };
  return { [DRAIN_PATH]: route, [UNDRAIN_PATH]: route, [MOVE_PATH]: route };
}

export function answerTo(routes: Routes, method: string, path: string, asked: Asked): Answer {
  const route = Object.hasOwn(routes, path) ? routes[path]! : null;
  if (!route) return failure(404, `there is no ${path} here; try ${Object.keys(routes).join(' or ')}`);
  const handler = route[method === 'HEAD' ? 'GET' : method];
  if (handler) return attempt(() => handler(asked));
  const allow = Object.keys(route)
    .map((name) => (name === 'GET' ? 'GET, HEAD' : name))
    .join(', ');
  return { ...failure(405, `${path} has no ${method}: use ${allow}`), allow };
}

export function failure(code: number, message: string): Answer {
  return { code, body: { error: { code, message } } };
}

function ok(body: unknown): Answer {
  return { code: 200, body };
}

function attempt(handler: () => Answer): Answer {
  try {
    return handler();
  } catch (error) {
    const { message } = error as Error;
    if (!(error instanceof ArpeggioError)) return failure(500, message);
    if (error.code === 'ERR_INVALID_ARGUMENT') return failure(400, message);
    return failure(error.code === 'ERR_REFUSED' ? 409 : 500, message);
  }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function orderOf(value: unknown): MoveOrder {
  const { address, node } = (value ?? {}) as Record<string, unknown>;
  if (typeof address === 'string' && typeof node === 'string') return { address, node };
  throw new ArpeggioError('ERR_INVALID_ARGUMENT', 'a move takes {"address": "ADDRESS", "node": "NODE"}, both texts');
}
