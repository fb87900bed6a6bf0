// What the commands for Kubernetes have in common: their flags, each with an environment variable, and how these are read.
import { Option } from 'commander';
import { ArpeggioError } from '../errors.js';
import { chooseLogLevel, type LogLevel } from '../log.js';

/** Each option has an environment variable; the command line wins. */
export function from(variable: string, flags: string, description: string): Option {
  return new Option(flags, description).env(variable);
}

/** @param what is there, for the help text */
export function namespaceOption(what: string): Option {
  return from('METALLB_NAMESPACE', '--namespace <name>', `namespace of ${what} (default: the pod’s)`);
}

export function classOption(): Option {
  return from(
    'ARPEGGIO_LB_CLASS',
    '--lb-class <class>',
    'only services with this loadBalancerClass (default: only those without)',
  );
}

export function kubeconfigOption(): Option {
  return from(
    'ARPEGGIO_KUBECONFIG',
    '--kubeconfig <file>',
    'how to reach the API server (default: KUBECONFIG, else the pod’s service account, else ~/.kube/config)',
  );
}

export function logLevelOption(): Option {
  return from(
    'LOG_LEVEL',
    '--log-level <level>',
    'silent, fatal, error, warn, info, debug or trace; MetalLB’s all and none too (default: info)',
  );
}

/** MetalLB's names for ours. */
const METALLB_LOG_LEVELS: Readonly<Record<string, LogLevel>> = { all: 'trace', none: 'silent' };

/** @throws {ArpeggioError} ERR_INVALID_ARGUMENT */
export function logLevel(value: string | undefined): LogLevel {
  const level = text(value);
  return (level === null ? null : METALLB_LOG_LEVELS[level]) ?? chooseLogLevel(level);
}

/** null: not given, or empty, as unset variables in manifests are. */
export function text(value: string | undefined): string | null {
  return value?.trim() || null;
}

/**
 * @param flag for the message
 * @param value true: the flag alone
 * @throws {ArpeggioError} ERR_INVALID_ARGUMENT
 */
export function yesNo(flag: string, value: string | true | undefined, fallback: boolean): boolean {
  if (value === true) return true;
  const given = text(value)?.toLowerCase() ?? null;
  if (given === null) return fallback;
  if (given === 'true' || given === 'false') return given === 'true';
  throw invalid(`${flag}: ${JSON.stringify(value)} is neither true nor false`);
}

export function invalid(message: string): ArpeggioError {
  return new ArpeggioError('ERR_INVALID_ARGUMENT', message);
}
