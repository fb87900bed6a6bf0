// Small helpers of the build scripts: run a command, time a step, fingerprint files. Node built-ins only.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ROOT, SetupError } from './tools.mjs';

/**
 * Runs a command to its end and resolves with its exit code; a signal counts as 128 + 1. With `capture` the output is
 * kept and resolved too, else it goes to ours. SIGINT reaches the child by the terminal itself, SIGTERM is passed on.
 */
export function run(command, args, { capture = false, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = capture ? ['ignore', 'pipe', 'pipe'] : 'inherit';
    const child = spawn(command, args, { cwd: ROOT, stdio, ...options });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    const pass = (signal) => child.kill(signal);
    const ignore = () => {};
    process.on('SIGTERM', pass);
    process.on('SIGINT', ignore);
    const settle = () => {
      process.off('SIGTERM', pass);
      process.off('SIGINT', ignore);
    };
    child.on('error', (error) => {
      settle();
      reject(new SetupError(`cannot run ${command}: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      settle();
      resolve({ code: code ?? 129, signal, output });
    });
  });
}

/** Runs a command quietly; throws with its whole output when it fails. */
export async function runOrThrow(what, command, args, options = {}) {
  const { code, output } = await run(command, args, { capture: true, ...options });
  if (code !== 0) throw new SetupError(`${output.trimEnd()}\n${what} failed (exit code ${code})`);
  return output;
}

/** Announces a step in one line and ends the line with the time it took. */
export async function step(what, quiet, work) {
  const start = performance.now();
  const terminal = process.stdout.isTTY;
  if (!quiet && terminal) process.stdout.write(`${what} ...`);
  const took = () => ` ${((performance.now() - start) / 1000).toFixed(1)} s\n`;
  try {
    const result = await work();
    if (!quiet) process.stdout.write((terminal ? '' : `${what} ...`) + took());
    return result;
  } catch (error) {
    if (!quiet) process.stdout.write(`${terminal ? '' : `${what} ...`} failed after${took()}`);
    throw error;
  }
}

/** All files below a folder (or the file itself), sorted, that `keep` wants; paths relative to ROOT. */
export function filesBelow(path, keep = () => true) {
  const full = join(ROOT, path);
  if (!existsSync(full)) return [];
  const entries = readdirSync(full, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath ?? entry.path, entry.name)))
    .filter(keep)
    .sort();
}

/** A hash over the names and contents of files and over further strings. */
export function fingerprint(files, ...more) {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file}\0`);
    hash.update(readFileSync(join(ROOT, file)));
    hash.update('\0');
  }
  for (const text of more) hash.update(`${text}\0`);
  return hash.digest('hex');
}

export function readStamp(path) {
  const full = join(ROOT, path);
  return existsSync(full) ? readFileSync(full, 'utf8').trim() : null;
}

export function writeStamp(path, value) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), `${value}\n`);
}

/** Runs a script's main function: a SetupError is printed as it is, anything else with its stack. */
export async function main(work) {
  try {
    process.exitCode = (await work()) ?? 0;
  } catch (error) {
    process.stderr.write(`${error instanceof SetupError ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}

/** True when this module is the program itself, not imported by another one. */
export function isMain(meta) {
  return process.argv[1] !== undefined && meta.filename === realpathSync(process.argv[1]);
}
