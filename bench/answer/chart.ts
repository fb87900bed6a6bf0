import { type Bar, barChart, type Panel } from '../bar_chart.js';
import type { Family } from './addresses.js';
import { figureOf, repliesPerCore } from './query.js';
import type { Results } from './results.js';
import { MIDDLE_SIZE } from './rounds.js';

/** Bars with the spread of the rounds as a line: replies per core and median latency, at 1,000 addresses. */
export function chart(results: Results): string {
  const bars = (family: Family, value: Parameters<typeof figureOf>[4]): Bar[] =>
    results.peers.flatMap(({ name, title }) => {
      const values = figureOf(results, name, family, MIDDLE_SIZE, value);
      return values ? [{ label: title, own: name === 'arpeggio', value: values }] : [];
    });
  const panels = (
    [
      ['arp', 'ARP'],
      ['ndp', 'NDP'],
    ] as const
  ).flatMap(([family, name]): Panel[] => [
    {
      title: `${name}: thousand replies per second and core (more is better)`,
      bars: bars(family, repliesPerCore),
      show: (value) => (value / 1000).toFixed(0),
    },
    {
      title: `${name}: latency p50, idle, µs (less is better)`,
      bars: bars(family, (sample) => sample.idle.p50Us),
      show: (value) => value.toFixed(1),
    },
  ]);
  return barChart('ARP and NDP responders: replies per second and core, and latency', panels);
}
