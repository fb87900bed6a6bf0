import type { Family } from './addresses.js';
import { figureOf, repliesPerCore } from './query.js';
import type { Results } from './results.js';
import { MIDDLE_SIZE } from './rounds.js';
import type { Figure } from './statistics.js';

const WIDTH = 760;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 120;
const BAR_HEIGHT = 16;
const BAR_GAP = 8;
const PANEL_HEAD = 34;
const COLORS = { own: '#2f6fde', other: '#9aa3b2', whisker: '#30343b' };

interface Bar {
  readonly label: string;
  readonly own: boolean;
  readonly value: Figure;
}

function panel(title: string, bars: readonly Bar[], show: (value: number) => string, top: number): string {
  const most = Math.max(...bars.map(({ value }) => value.max));
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most;
  const rows = bars.map(({ label, own, value }, index) => {
    const y = top + PANEL_HEAD + index * (BAR_HEIGHT + BAR_GAP);
    const middle = y + BAR_HEIGHT / 2;
    const x = (amount: number): string => (LABEL_WIDTH + amount * scale).toFixed(1);
    const text = middle + 4;
    return [
      `<text x="${LABEL_WIDTH - 8}" y="${text}" text-anchor="end"${own ? ' font-weight="bold"' : ''}>${label}</text>`,
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${(value.median * scale).toFixed(1)}" height="${BAR_HEIGHT}" fill="${own ? COLORS.own : COLORS.other}"/>`,
      `<line x1="${x(value.min)}" x2="${x(value.max)}" y1="${middle}" y2="${middle}" stroke="${COLORS.whisker}"/>`,
      `<text x="${Number(x(value.max)) + 6}" y="${text}">${show(value.median)}</text>`,
    ].join('\n');
  });
  return `<text x="10" y="${top + 20}" font-weight="bold">${title}</text>\n${rows.join('\n')}`;
}

/** Bars with the spread of the rounds as a line: replies per core and median latency, at 1,000 addresses. */
export function chart(results: Results): string {
  const panels: { title: string; bars: Bar[]; show: (value: number) => string }[] = [];
  const bars = (family: Family, value: Parameters<typeof figureOf>[4]): Bar[] =>
    results.peers.flatMap(({ name, title }) => {
      const values = figureOf(results, name, family, MIDDLE_SIZE, value);
      return values ? [{ label: title, own: name === 'arpeggio', value: values }] : [];
    });
  for (const [family, name] of [
    ['arp', 'ARP'],
    ['ndp', 'NDP'],
  ] as const) {
    panels.push({
      title: `${name}: thousand replies per second and core (more is better)`,
      bars: bars(family, repliesPerCore),
      show: (value) => (value / 1000).toFixed(0),
    });
    panels.push({
      title: `${name}: latency p50, idle, µs (less is better)`,
      bars: bars(family, (sample) => sample.idle.p50Us),
      show: (value) => value.toFixed(1),
    });
  }
  let top = 0;
  const parts: string[] = [];
  for (const { title, bars: rows, show } of panels) {
    if (rows.length === 0) continue;
    parts.push(panel(title, rows, show, top));
    top += PANEL_HEAD + rows.length * (BAR_HEIGHT + BAR_GAP) + 10;
  }
  const style = 'font-family="sans-serif" font-size="12" fill="#30343b"';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" ${style}>
<title>ARP and NDP responders: replies per second and core, and latency</title>
<rect width="${WIDTH}" height="${top}" fill="#ffffff"/>
${parts.join('\n')}
</svg>
`;
}
