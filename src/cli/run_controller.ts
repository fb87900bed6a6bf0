import { hostname } from 'node:os';
import { Controller } from '../controller/controller.js';
import { type HealthServer, serveHealth } from '../controller/health_server.js';
import { ApiClient } from '../kubernetes/api_client.js';
import { createLogger, type LogLevel } from '../log.js';
import { invalid, logLevel, text, yesNo } from './cluster_flags.js';
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

/** @throws {ArpeggioError} ERR_INVALID_ARGUMENT that names the flag and its variable */
export function controllerSettings(flags: ControllerFlags): ControllerSettings {
  return {
    namespace: text(flags.namespace),
    lbClass: text(flags.lbClass),
    leaderElect: yesNo('--leader-elect (ARPEGGIO_LEADER_ELECT)', flags.leaderElect, true),
    identity: text(flags.identity) ?? hostname(),
    healthPort: flags.healthPort ? parsePort(flags.healthPort) : null,
    kubeconfig: text(flags.kubeconfig),
    logLevel: logLevel(flags.logLevel),
  };
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw invalid(`--health-port (ARPEGGIO_HEALTH_PORT): ${JSON.stringify(text)} is no port; give a number up to 65535`);
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
