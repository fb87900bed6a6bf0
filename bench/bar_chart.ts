import type { Figure } from './statistics.js';

const WIDTH = 760;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 120;
const BAR_HEIGHT = 16;
const BAR_GAP = 8;
const PANEL_HEAD = 34;
const COLORS = { own: '#2f6fde', other: '#9aa3b2', whisker: '#30343b' };

export interface Bar {
  readonly label: string;
  /** Arpeggio's. */
  readonly own: boolean;
  readonly value: Figure;
}

export interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
  show(value: number): string;
}

function panel({ title, bars, show }: Panel, top: number): string {
  const most = Math.max(...bars.map(({ value }) => value.max)) || 1;
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

/** SVG: bars for the medians, with the spread as a line. Panels without bars are left out. */
export function barChart(title: string, panels: readonly Panel[]): string {
  let top = 0;
  const parts: string[] = [];
  for (const one of panels) {
    if (one.bars.length === 0) continue;
    parts.push(panel(one, top));
    top += PANEL_HEAD + one.bars.length * (BAR_HEIGHT + BAR_GAP) + 10;
  }
  const style = 'font-family="sans-serif" font-size="12" fill="#30343b"';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" ${style}>
<title>${title}</title>
<rect width="${WIDTH}" height="${top}" fill="#ffffff"/>
${parts.join('\n')}
</svg>
`;
}
