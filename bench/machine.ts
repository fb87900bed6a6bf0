// On what and from what a bench was run, for its report.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** dist/bench/machine.js is two levels below the clone. */
export const ROOT = join(import.meta.dirname, '..', '..');
/** Programs and raw results of the benches. */
export const CACHE = join(ROOT, '.cache', 'bench');

export function cpuModel(): string {
  const model = /model name\s*:\s*(.+)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch;
  return `${model.trim()}, ${availableParallelism()} cores`;
}

/** Short hash of HEAD; says so when one of the paths has changes that are not committed. */
export function commit(paths: readonly string[]): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', ROOT, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const changed = git('status', '--porcelain', '--', ...paths) !== '';
    return git('rev-parse', '--short', 'HEAD') + (changed ? ' with uncommitted changes' : '');
  } catch {
    return 'unknown';
  }
}

/** The command as it was given, for the report: `npm run NAME -- ...`. */
export function commandLine(name: string): string {
  const given = process.argv.slice(2);
  return [`npm run ${name}`, ...(given.length > 0 ? ['--', ...given] : [])].join(' ');
}

/** The first line of an error, for the report: nobody needs to know where this machine keeps its files. */
export function shortError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const [line = ''] = text.split('\n');
  return line.replaceAll(process.execPath, 'node').replaceAll(`${ROOT}/`, '');
}

/** What every run of a bench tells about itself. */
export interface RunFacts {
  readonly command: string;
  readonly startedAt: string;
  readonly tookSeconds: number;
  readonly commit: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly node: string;
  readonly versions: readonly string[];
}
