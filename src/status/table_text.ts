/** A cell: its text, and how to dress it up once its width is known. */
export interface Cell {
  readonly text: string;
  readonly style?: (text: string) => string;
}

/** Columns aligned to the left, two blanks apart, the last one ragged. Styles do not count as width. */
export function tableText(rows: readonly (readonly Cell[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach(({ text }, column) => {
      widths[column] = Math.max(widths[column] ?? 0, text.length);
    });
  return rows
    .map((row) =>
      row
        .map(({ text, style = plain }, column) =>
          column === row.length - 1 ? style(text) : style(text) + ' '.repeat(widths[column]! - text.length + 2),
        )
        .join('')
        .trimEnd(),
    )
    .join('\n');
}

function plain(text: string): string {
  return text;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** The two largest units: "45s", "3m12s", "5h03m", "12d04h". Below zero counts as zero. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  if (first === -1) return '0s';
  const [unit, size] = UNITS[first]!;
  const whole = `${Math.floor(seconds / size)}${unit}`;
  const next = UNITS[first + 1];
  if (!next) return whole;
  return `${whole}${String(Math.floor((seconds % size) / next[1])).padStart(2, '0')}${next[0]}`;
}
