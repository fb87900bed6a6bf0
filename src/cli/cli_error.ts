import { ArpeggioError } from '../errors.js';

export const EXIT_OK = 0;
/** Something failed. */
export const EXIT_FAILURE = 1;
/** The command line or the configuration is wrong: the same call will fail again. */
export const EXIT_USAGE = 2;

export interface ErrorReport {
  /** For standard error, without a final newline. */
  readonly text: string;
  readonly exitCode: number;
}

/**
 * What to tell the user about an error: a sentence for those raised on purpose, the stack for those that nobody
 * expected. Mistakes in a configuration are already lines of their own: FILE:LINE:COLUMN: what is wrong.
 */
export function describeError(error: unknown): ErrorReport {
  if (!(error instanceof ArpeggioError)) {
    const stack = error instanceof Error ? (error.stack ?? String(error)) : String(error);
    return { text: `arpeggio: unexpected error, please report it:\n${stack}`, exitCode: EXIT_FAILURE };
  }
  if (error.code === 'ERR_CONFIG') return { text: error.message, exitCode: EXIT_USAGE };
  return {
    text: `arpeggio: ${error.message} [${error.code}]`,
    exitCode: ['ERR_INVALID_ARGUMENT', 'ERR_KUBECONFIG'].includes(error.code) ? EXIT_USAGE : EXIT_FAILURE,
  };
}
