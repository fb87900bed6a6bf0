// How long 10,000 services with 20,000 addresses take from text to a checked configuration, each in a new process as at
// the start of a speaker: node dist/bench/config.js
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { checkAgainstHost } from '../src/config/host_check.js';
import { parseConfig } from '../src/config/load.js';
import { parseAddress } from '../src/net/address.js';
import { sampleLink } from '../test/unit/link_sample.js';

const SERVICES = 10_000;
const ROUNDS = 7;

const LAYOUTS: Record<string, (index: number, ipv4: string, ipv6: string) => string> = {
  'items in brackets': (index, ipv4, ipv6) => `  - name: service-${index}\n    addresses: [${ipv4}, "${ipv6}"]\n`,
  'items one a line': (index, ipv4, ipv6) =>
    `  - name: service-${index}\n    addresses:\n      - ${ipv4}\n      - ${ipv6}\n    interfaces: [eth0]\n`,
  'services in brackets (YAML parser)': (index, ipv4, ipv6) =>
    `  - {name: service-${index}, addresses: [${ipv4}, "${ipv6}"]}\n`,
};

// Half of the addresses are in a subnet, the others cost a warning each.
const LINK = sampleLink('eth0', { addresses: [[parseAddress('2001:db8::ffff:1'), 64]] });

function text(layout: string): string {
  const lines = ['node: bench\nservices:\n'];
  for (let index = 0; index < SERVICES; index += 1)
    lines.push(LAYOUTS[layout]!(index, `10.1.${index >> 8}.${index & 255}`, `2001:db8::${(index + 1).toString(16)}`));
  return lines.join('');
}

interface Figures {
  readonly parseMs: number;
  readonly hostCheckMs: number;
  readonly rssMb: number;
}

function measure(layout: string): Figures {
  const input = text(layout);
  const start = performance.now();
  const parsed = parseConfig(input, { file: 'bench.yaml', defaultNode: 'bench' });
  const parsedAt = performance.now();
  if ('problems' in parsed) throw new Error(parsed.problems[0]?.message);
  const { problems, warnings } = checkAgainstHost(parsed, [LINK], {
    knownInterfaces: new Set(),
    servedByUs: new Set(),
  });
  const end = performance.now();
  if (problems.length !== 0 || warnings.length !== SERVICES) throw new Error(`${problems.length} ${warnings.length}`);
  return { parseMs: parsedAt - start, hostCheckMs: end - parsedAt, rssMb: process.memoryUsage.rss() / 2 ** 20 };
}

function median(values: number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const format = (value: number | undefined) => value!.toFixed(0);
  return `${format(sorted[sorted.length >> 1])} (${format(sorted[0])}-${format(sorted.at(-1))})`;
}

const chosen = process.argv[2];
if (chosen !== undefined) {
  console.log(JSON.stringify(measure(chosen)));
} else {
  console.log(`${SERVICES} services, ${2 * SERVICES} addresses; median (lowest-highest) of ${ROUNDS} new processes`);
  for (const layout of Object.keys(LAYOUTS)) {
    const figures = Array.from({ length: ROUNDS }, () => {
      const output = execFileSync(process.execPath, [fileURLToPath(import.meta.url), layout], { encoding: 'utf8' });
      return JSON.parse(output) as Figures;
    });
    const column = (key: keyof Figures) => median(figures.map((each) => each[key]));
    console.log(
      `${layout}: parse and validate ${column('parseMs')} ms, against the host with ${SERVICES} warnings ${column('hostCheckMs')} ms, RSS after ${column('rssMb')} MB`,
    );
  }
}
