// `arpeggio lab` as a user runs it, and what it leaves on this machine.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { identify } from '../../../src/lab/process_identity.js';
import type { Summary } from '../../../src/lab/timeline.js';

const CLI = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url));
const STATE_TIMEOUT_MS = 10_000;

/** What `--json` writes. */
export interface LabLine {
  readonly type: string;
  readonly atMs?: number;
  readonly held?: boolean;
  readonly expectation?: string;
  readonly figure?: string;
  readonly title?: string;
  readonly actor?: string;
  readonly text?: string;
}

export interface LabProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it has written so far. */
  output(): string;
}

export function startLab(...args: readonly string[]): LabProcess {
  const child = spawn(process.execPath, [CLI, 'lab', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return { child, pid: child.pid as number, output: () => output };
}

export function ended({ child }: LabProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

export async function eventually(
  what: string,
  condition: () => boolean,
  timeoutMs: number = STATE_TIMEOUT_MS,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `not within ${timeoutMs} ms: ${what}`);
    await delay(20);
  }
}

/** All that was told of the scenes in which something did not hold. */
function failedScenes(lines: readonly LabLine[]): string {
  const told: string[] = [];
  let scene: string[] = [];
  for (const { type, title, held, atMs, actor, text, expectation, figure } of lines) {
    if (type === 'scene') scene = [`\n${title}`];
    else if (type === 'event') scene.push(`${atMs} ${actor}: ${text}`);
    else if (type === 'expectation') scene.push(`${atMs} ${held ? 'held' : 'FAILED'}: ${expectation}: ${figure}`);
    if (held === false) told.push(...scene.splice(0));
  }
  return told.join('\n');
}

/** Asserts that a lab with --json went well, and returns what it told and how it summed up. */
export async function playedWell(lab: LabProcess): Promise<{ lines: readonly LabLine[]; summary: Summary }> {
  const { code } = await ended(lab);
  const lines = lab
    .output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LabLine);
  assert.equal(lines.filter(({ held }) => held === false).length, 0, failedScenes(lines));
  assert.equal(code, 0, lab.output().slice(-2000));
  const summary: Summary & { type: string } = JSON.parse(lab.output().trim().split('\n').at(-1) ?? '');
  assert.equal(summary.type, 'summary');
  assert.equal(summary.held, lines.filter(({ type }) => type === 'expectation').length);
  return { lines, summary };
}

/** What the names of a lab's networks begin with. */
export const runId = (pid: number): string => `${pid.toString(36)}.`;

export function namespacesOf(pid: number): string[] {
  const prefix = `arpg-${runId(pid)}`;
  return existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => name.startsWith(prefix)) : [];
}

/** Pids of the processes whose command line holds the text. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text) && identify(pid) !== null;
      } catch {
        return false;
      }
    });
}
