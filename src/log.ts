import { type DestinationStream, destination, type LevelWithSilent, type Logger, pino, stdTimeFunctions } from 'pino';
import { ArpeggioError } from './errors.js';

export type { Logger } from 'pino';

/** From the quietest to the most talkative. */
export const LOG_LEVELS = [
  'silent',
  'fatal',
  'error',
  'warn',
  'info',
  'debug',
  'trace',
] as const satisfies readonly LevelWithSilent[];

export type LogLevel = (typeof LOG_LEVELS)[number];

/** @throws ArpeggioError ERR_INVALID_ARGUMENT naming the levels there are; `origin` says where the text came from. */
export function parseLogLevel(text: string, origin: string): LogLevel {
  const level = LOG_LEVELS.find((name) => name === text.toLowerCase());
  if (level === undefined)
    throw new ArpeggioError(
      'ERR_INVALID_ARGUMENT',
      `${origin}: "${text}" is no log level; use one of ${LOG_LEVELS.join(', ')}`,
    );
  return level;
}

/** The given level (from --log-level), else LOG_LEVEL, else info. */
export function chooseLogLevel(option: string | null, environment: NodeJS.ProcessEnv = process.env): LogLevel {
  if (option !== null) return parseLogLevel(option, '--log-level');
  const fromEnvironment = environment.LOG_LEVEL;
  return fromEnvironment ? parseLogLevel(fromEnvironment, 'LOG_LEVEL') : 'info';
}

interface SystemFields {
  code?: unknown;
  errno?: unknown;
  syscall?: unknown;
  interfaceName?: unknown;
  cause?: unknown;
}

/** Errors in the log: what a script can match on, and a stack only where the error was not raised on purpose. */
export function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code, errno, syscall, interfaceName, cause } = error as Error & SystemFields;
  return {
    type: error.name,
    message: error.message,
    ...(code != null && { code }),
    ...(errno != null && { errno }),
    ...(syscall != null && { syscall }),
    ...(interfaceName != null && { interface: interfaceName }),
    ...(cause != null && { cause: serializeError(cause) }),
    ...(!(error instanceof ArpeggioError) && { stack: error.stack }),
  };
}

export interface LoggerOptions {
  level?: LogLevel;
  /** Default: on a terminal only. */
  pretty?: boolean;
  /** File descriptor to write to. Default: standard output. */
  fd?: number;
}

/**
 * The process's logger; modules take `log.child({ module: 'serve' })`. JSON lines for machines, pretty on a terminal.
 * Writes are synchronous: the last lines before an exit are not lost, and no worker thread is needed.
 */
export async function createLogger(options: LoggerOptions = {}): Promise<Logger> {
  const fd = options.fd ?? 1;
  const pretty = options.pretty ?? (fd === 1 && process.stdout.isTTY === true);
  return pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      serializers: { err: serializeError },
      ...(!pretty && { formatters: { level: (label: string) => ({ level: label }) } }),
    },
    pretty ? await prettyStream(fd) : destination({ dest: fd, sync: true }),
  );
}

// Loaded only for a terminal: a speaker in a container should not pay for it in memory.
async function prettyStream(fd: number): Promise<DestinationStream> {
  const { PinoPretty } = await import('pino-pretty');
  return PinoPretty({
    destination: fd,
    sync: true,
    singleLine: true,
    colorize: process.env.NO_COLOR ? false : process.stdout.isTTY === true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'module',
    messageFormat: (line, messageKey) => `${line.module ? `${line.module}: ` : ''}${line[messageKey] ?? ''}`,
  });
}
