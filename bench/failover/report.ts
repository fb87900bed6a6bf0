import type { Figure } from '../statistics.js';
import { markdownTable } from '../table.js';
import { CASE_NAMES, CASES, type CaseName } from './cases.js';
import { compareWithGoals } from './goals.js';
import type { FailoverResults } from './results.js';
import { answersOf, longestPauseMs, summaryOf } from './summary.js';
import type { SystemName } from './system.js';

export interface ReportSection {
  readonly title: string;
  readonly text: string;
}

const NONE = '-';

const round = (value: number): string => value.toFixed(0);

function threeFigures({ median, min, max }: Figure): string {
  return [median, min, max].map(round).join('/');
}

function medianAndMax({ median, max }: Figure): string {
  return median === max ? round(max) : `${round(median)}, at most ${round(max)}`;
}

/** Everything a run saw as sections of Markdown; also what is printed on the terminal. */
export function sections(results: FailoverResults): ReportSection[] {
  const { systems } = results;
  const head = ['', ...systems.map(({ title }) => title)];
  const rows = (cell: (system: SystemName, name: CaseName) => string): string[][] =>
    CASE_NAMES.map((name) => [CASES[name].title, ...systems.map((system) => cell(system.name, name))]).filter((row) =>
      row.slice(1).some((text) => text !== NONE),
    );
  const all: ReportSection[] = [];
  const add = (title: string, titles: readonly string[], body: readonly (readonly string[])[], after = ''): void => {
    if (body.length > 0) all.push({ title, text: markdownTable(titles, body) + (after && `\n\n${after}`) });
  };

  add(
    'Goals',
    ['goal', 'wanted', 'seen', ''],
    compareWithGoals(results).map(({ what, wanted, seen, met }) => [what, wanted, seen, met ? 'met' : 'MISSED']),
  );
  add(
    'Outage in ms: median/min/max, and packets lost',
    head,
    rows((system, name) => {
      const summary = summaryOf(results.samples, system, name);
      if (summary === null) return NONE;
      if (summary.lossy === 0) return '0 lost';
      const share = summary.lossy < summary.events ? `, in ${summary.lossy} of ${summary.events}` : '';
      return `${threeFigures(summary.outageMs)}; ${medianAndMax(summary.lost)} lost${share}`;
    }),
    `In the whole run a client held up by the machine sent nothing for at most ${round(longestPauseMs(results))} ms.`,
  );
  add(
    'Owner changes, as a client sees them',
    head,
    rows((system, name) => {
      const summary = summaryOf(results.samples, system, name);
      return summary === null ? NONE : medianAndMax(summary.ownerChanges);
    }),
  );
  add(
    'Requests unanswered for so many ms, ARP and NDP',
    head,
    rows((system, name) => {
      const answers = CASES[name].kind === 'loss' ? null : answersOf(results.answers, system, name);
      return answers === null ? NONE : medianAndMax(answers.longestWaitMs);
    }),
  );
  add(
    'Two nodes answer, ms',
    head,
    rows((system, name) => {
      const answers = answersOf(results.answers, system, name);
      return answers === null ? NONE : medianAndMax(answers.overlapMs);
    }),
  );
  add('Further questions', ['', 'seen'], furtherRows(results));
  return all;
}

function furtherRows({ many, calm, systems }: FailoverResults): string[][] {
  const found: string[][] = [];
  for (const sample of many) {
    const { addresses, announced, detectionMs, takeoverMs, quietGapMs, answerGapMs, askerPauseMs, heartbeatGapMs } =
      sample;
    const count = addresses.toLocaleString('en');
    found.push(
      [`${count} addresses of one node: announced by its heirs`, announced.toLocaleString('en')],
      ['from the cut to the first announcement, ms', round(detectionMs)],
      ['from the first announcement to that of the last address, ms', round(takeoverMs)],
      ['an address of another node unanswered: before, meanwhile, ms', `${round(quietGapMs)}, ${round(answerGapMs)}`],
      ['the asking host held up by the machine meanwhile, ms', round(askerPauseMs)],
      ['between two heartbeats of an heir meanwhile, ms', round(heartbeatGapMs)],
    );
  }
  for (const { system, load, seconds, falseTakeovers } of calm) {
    const title = systems.find(({ name }) => name === system)?.title ?? system;
    found.push([`${title}: false takeovers in ${round(seconds)} s with ${load}`, `${falseTakeovers}`]);
  }
  return found;
}
