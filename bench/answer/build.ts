import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE, ROOT } from '../machine.js';
import { run } from './process.js';

/** Programs of the bench; null where the tool that builds it is missing. */
export interface Programs {
  readonly generator: string;
  readonly goResponder: string | null;
  readonly bpfObject: string | null;
  /** What is left out, and which package would bring it. */
  readonly missing: readonly string[];
  /** Compilers' versions, for the report. */
  readonly versions: readonly string[];
}

async function version(command: readonly string[]): Promise<string | null> {
  try {
    return (await run(command)).split('\n')[0]!.trim();
  } catch {
    return null;
  }
}

/** The load generator; needs g++. */
export async function buildGenerator(): Promise<string> {
  mkdirSync(CACHE, { recursive: true });
  const output = join(CACHE, 'generator');
  const sources = await run(['sh', '-c', `ls ${join(ROOT, 'bench/generator')}/*.cc`]);
  await run(['g++', '-std=c++17', '-O2', '-Wall', '-Wextra', '-o', output, ...sources.trim().split('\n')]);
  return output;
}

async function buildGo(): Promise<string> {
  const output = join(CACHE, 'go-responder');
  const cached = join(CACHE, 'go-build');
  await run([
    'env',
    'CGO_ENABLED=0',
    `GOCACHE=${cached}`,
    'go',
    'build',
    '-C',
    join(ROOT, 'bench/go-responder'),
    '-trimpath',
    '-o',
    output,
    '.',
  ]);
  return output;
}

async function buildBpf(): Promise<string> {
  const output = join(CACHE, 'answer.o');
  const headers = `-I/usr/include/${(await run(['g++', '-print-multiarch'])).trim()}`;
  const source = join(ROOT, 'bench/bpf/answer.c');
  // -g: iproute2 wants BTF for the map.
  await run(['clang', '-O2', '-g', '-Wall', '-target', 'bpf', headers, '-c', source, '-o', output]);
  return output;
}

/** @throws Error when g++ is missing: without a generator there is no bench. */
export async function buildPrograms(): Promise<Programs> {
  const go = await version(['go', 'version']);
  const clang = await version(['clang', '--version']);
  const missing: string[] = [];
  const attempt = async (build: () => Promise<string>, what: string): Promise<string | null> => {
    try {
      return await build();
    } catch (error) {
      missing.push(`${what}: it does not build: ${error instanceof Error ? error.message : error}`);
      return null;
    }
  };
  const generator = await buildGenerator();
  if (go === null) missing.push('the Go responder: there is no go (Debian: golang-go, 1.21 or later)');
  if (clang === null) missing.push('the tc program: there is no clang (Debian: clang)');
  return {
    generator,
    goResponder: go === null ? null : await attempt(buildGo, 'the Go responder'),
    bpfObject: clang === null ? null : await attempt(buildBpf, 'the tc program'),
    missing,
    versions: [await version(['g++', '--version']), go, clang].filter((text): text is string => text !== null),
  };
}

export const COMMAND_LINE = join(ROOT, 'dist/src/cli/main.js');

export function requireCommandLine(): void {
  if (!existsSync(COMMAND_LINE)) throw new Error(`${COMMAND_LINE} is not there; run "npm run build" first`);
}
