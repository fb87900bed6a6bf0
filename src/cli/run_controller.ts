import { hostname } from 'node:os';
import { Controller } from '../controller/controller.js';
import { type HealthServer, serveHealth } from '../controller/health_server.js';
import { ArpeggioError } from '../errors.js';
import { ApiClient } from '../kubernetes/api_client.js';
import { chooseLogLevel, createLogger, type LogLevel } from '../log.js';
import type { ControllerFlags } from './controller.js';
import { Signals } from './signals.js';

export interface ControllerSettings {
  /** null: the one that the API client finds. */
  readonly namespace: string | null;
  /** null: services without a class. */
  readonly lbClass: string | null;
  readonly leaderElect: boolean;
  readonly identity: string;
  /** null: none. */
  readonly healthPort: number | null;
  readonly kubeconfig: string | null;
  readonly logLevel: LogLevel;
}

/** MetalLB's names for ours. */
const METALLB_LOG_LEVELS: Readonly<Record<string, LogLevel>> = { all: 'trace', none: 'silent' };

/** @throws {ArpeggioError} ERR_INVALID_ARGUMENT that names the flag and its variable */
export function controllerSettings(flags: ControllerFlags): ControllerSettings {
  const level = flags.logLevel || null;
  return {
    namespace: flags.namespace || null,
    lbClass: flags.lbClass || null,
    leaderElect: parseSwitch(flags.leaderElect || 'true'),
    identity: flags.identity || hostname(),
    healthPort: flags.healthPort ? parsePort(flags.healthPort) : null,
    kubeconfig: flags.kubeconfig || null,
    logLevel: (level && METALLB_LOG_LEVELS[level]) || chooseLogLevel(level),
  };
}

function parseSwitch(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new ArpeggioError(
    'ERR_INVALID_ARGUMENT',
    `--leader-elect (ARPEGGIO_LEADER_ELECT): ${JSON.stringify(text)} is neither true nor false`,
  );
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new ArpeggioError(
    'ERR_INVALID_ARGUMENT',
    `--health-port (ARPEGGIO_HEALTH_PORT): ${JSON.stringify(text)} is no port; give a number up to 65535`,
  );
}

/** Runs until SIGTERM or SIGINT; a second signal does not wait for the API server. */
export async function runController(flags: ControllerFlags): Promise<void> {
  const settings = controllerSettings(flags);
  const log = await createLogger({ level: settings.logLevel });
  const api = await ApiClient.connect({ kubeconfig: settings.kubeconfig, program: 'arpeggio-controller', log });
  const namespace = settings.namespace ?? api.namespace;
  const { lbClass, leaderElect, identity } = settings;
  const controller = new Controller({
    api,
    namespace,
    lbClass,
    election: leaderElect ? { identity } : null,
    log: log.child({ module: 'controller' }),
  });
  const signals = new Signals(() => {}, log);
  let health: HealthServer | null = null;
  try {
    if (settings.healthPort !== null) health = await serveHealth(settings.healthPort, () => controller.status);
    controller.start();
    log.info(
      { namespace, server: api.server, lbClass, leaderElect, healthPort: health?.port ?? null },
      'controller started',
    );
    await signals.stopped;
    await Promise.race([controller.stop(), aborted(signals.hurry)]);
  } finally {
    api.close();
    await health?.close();
    signals.close();
  }
  log.info('stopped');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
