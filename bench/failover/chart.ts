import { type Bar, barChart } from '../bar_chart.js';
import { CASES, type CaseName } from './cases.js';
import type { FailoverResults } from './results.js';
import { summaryOf } from './summary.js';

const SHOWN: readonly CaseName[] = ['port-disabled', 'term', 'port-back', 'partition', 'heal'];

/** Bars with the spread of the repetitions as a line: what the client that was worst off lost. */
export function chart(results: FailoverResults): string {
  const bars = (name: CaseName): Bar[] =>
    results.systems.flatMap((system) => {
      const summary = summaryOf(results.samples, system.name, name);
      return summary ? [{ label: system.title, own: system.name === 'arpeggio', value: summary.outageMs }] : [];
    });
  return barChart(
    'Outage at a client when the owner of an address goes, is moved or returns',
    SHOWN.map((name) => ({
      title: `${CASES[name].title}: outage in ms (less is better)`,
      bars: bars(name),
      show: (value) => value.toFixed(0),
    })),
  );
}
