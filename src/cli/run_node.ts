// Composes a speaker from a file: source -> speaker -> responder, lo, status.
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/config.js';
import { formatProblem, type Problem } from '../config/problem.js';
import { chooseLogLevel, createLogger, type Logger } from '../log.js';
import type { Address } from '../net/address.js';
import { listLinks } from '../responder/addon.js';
import { addressesOf, DEFAULT_STATE_FILE, placeOf, readState } from '../serve/state_file.js';
import { FileSource } from '../sources/file/file_source.js';
import { createStatusServer } from '../status/server.js';
import { NodeProcess } from './node_process.js';
import type { RunOptions } from './run.js';
import { Signals } from './signals.js';

const MAX_WARNINGS_SHOWN = 20;

/** Runs until SIGTERM or SIGINT, and then until everything is handed over; a second signal does not wait for that. */
export async function runNode(options: RunOptions): Promise<void> {
  const log = await createLogger({ level: chooseLogLevel(options.logLevel ?? null) });
  const configLog = log.child({ module: 'config' });
  const stateFile = options.stateFile ?? DEFAULT_STATE_FILE;
  let node: NodeProcess | null = null;
  let problems: readonly Problem[] = [];

  const source = new FileSource({
    file: options.config,
    defaultNode: hostname(),
    readLinks: listLinks,
    servedByUs: () => servedBefore(stateFile),
    onChange: (changed, warnings) => {
      node?.configure(changed, changed.desired);
      problems = [];
      if (!isDeepStrictEqual(fixedPart(config), fixedPart(changed))) {
        configLog.warn(
          'node, cluster, heartbeat timings and status of the changed configuration take effect at the next start',
        );
      }
      logWarnings(configLog, warnings);
      configLog.info({ services: changed.desired.services.length }, 'the changed configuration is in force');
    },
    onProblems: (found) => {
      problems = found;
      if (found.length === 0) configLog.info('the configuration file is again what is in force');
      for (const problem of found.slice(0, MAX_WARNINGS_SHOWN)) configLog.error(formatProblem(problem));
      if (found.length > 0) {
        configLog.error({ problems: found.length }, 'the changed configuration is refused; the old one stays in force');
      }
    },
  });

  const { config, warnings } = source.load();
  const running = new NodeProcess({
    settings: config,
    stateFile,
    log,
    warnings: () => problems.map(formatProblem),
  });
  try {
    const status = await createStatusServer({
      socket: options.socket ?? config.status.socket,
      listen: config.status.listen,
      handlers: { status: () => running.status(), health: () => running.health() },
      commands: running.commands,
    });
    const signals = new Signals(() => source.reload(), log);
    try {
      logWarnings(configLog, warnings);
      running.start(config.desired);
      node = running;
      log.info(
        { node: config.node, ...running.describe(), socket: status.socket },
        `${config.node} speaks for ${config.desired.services.length} services`,
      );
      source.start();
      await signals.stopped;
    } finally {
      source.close();
      await running.leave(signals.hurry);
      await status.close();
      signals.close();
    }
  } finally {
    await running.close();
  }
  log.info('stopped');
}

/** What only a start brings into force. */
function fixedPart({ node, cluster, status, heartbeat: { intervalMs, multiplier } }: Config): unknown {
  return { node, cluster, status, intervalMs, multiplier };
}

/** What an earlier process has left on `lo` is ours, not the node's own. */
function servedBefore(stateFile: string): ReadonlySet<Address> {
  const state = readState(stateFile);
  return state && placeOf(state) === 'here' ? addressesOf(state) : new Set();
}

function logWarnings(log: Logger, warnings: readonly Problem[]): void {
  for (const warning of warnings.slice(0, MAX_WARNINGS_SHOWN)) log.warn(formatProblem(warning));
  if (warnings.length > MAX_WARNINGS_SHOWN) log.warn(`and ${warnings.length - MAX_WARNINGS_SHOWN} more warnings`);
}
