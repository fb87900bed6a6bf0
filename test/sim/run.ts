// npm run sim: random networks against the production core. See --help.
import { parseArgs } from 'node:util';
import { growthTable } from './growth.js';
import { outcomeOf } from './outcome.js';

const HELP = `npm run sim -- [options]

Runs the failover core of several nodes on a virtual network that is drawn from a seed, with everything that may go
wrong, and checks at every step what must hold. A failure prints the seed and what happened; the same seed and options
replay it exactly.

  --seed N        the first seed (default 1)
  --seeds COUNT   how many, from there on (default 1)
  --nodes N       so many nodes, instead of 2 to 5
  --addresses N   so many service IPs, instead of 4 to 12
  --minutes M     faults for so long in virtual time, instead of 2 to 9 seconds
  --fenced        with --takeover fenced on all nodes
  --trace         every event, also without a failure; with --seeds only of the failures
  --lines N       how much of the trace a failure prints (default 200)
  --growth        a table of how messages, time and convergence grow from 3 to 400 nodes, as markdown
  --help          this text
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    nodes: { type: 'string' },
    addresses: { type: 'string' },
    minutes: { type: 'string' },
    fenced: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    lines: { type: 'string', default: '200' },
    growth: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function numberOf(name: string, text: string, integer = true): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0 || (integer && !Number.isInteger(value))) {
    process.stderr.write(`--${name} ${text}: give a positive ${integer ? 'integer' : 'number'}\n`);
    process.exit(2);
  }
  return value;
}

function runSeeds(): number {
  const first = numberOf('seed', values.seed);
  const count = numberOf('seeds', values.seeds);
  const lines = numberOf('lines', values.lines);
  const options = {
    nodes: values.nodes === undefined ? undefined : numberOf('nodes', values.nodes),
    addresses: values.addresses === undefined ? undefined : numberOf('addresses', values.addresses),
    minutes: values.minutes === undefined ? undefined : numberOf('minutes', values.minutes, false),
    takeover: values.fenced ? ('fenced' as const) : ('fast' as const),
  };
  let failed = 0;
  const startedMs = performance.now();
  for (let seed = first; seed < first + count; seed += 1) {
    const live = values.trace && count === 1 ? (line: string) => process.stdout.write(`${line}\n`) : undefined;
    const { failure, trace } = outcomeOf({ ...options, seed, trace: live });
    if (failure === null) continue;
    failed += 1;
    process.stdout.write(`FAILED seed ${seed}: ${failure}\n`);
    if (live === undefined && (count === 1 || values.trace))
      process.stdout.write(`${trace.slice(-lines).join('\n')}\n`);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  process.stdout.write(
    `${count - failed} of ${count} seeds passed in ${seconds.toFixed(1)} s (${((seconds * 1_000) / count).toFixed(1)} ms each)\n`,
  );
  return failed > 0 ? 1 : 0;
}

if (values.help) process.stdout.write(HELP);
else if (values.growth) process.stdout.write(growthTable((line) => process.stderr.write(`${line}\n`)));
else process.exitCode = runSeeds();
