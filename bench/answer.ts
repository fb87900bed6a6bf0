// npm run bench:answer [-- --quick] [--rounds N] [--responders LIST]: how fast and how cheaply ARP and NDP are answered,
// against the kernel, a Go responder and BPF. See bench/README.md, which a full run writes.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import { join } from 'node:path';
import { Bed } from './answer/bed.js';
import { buildPrograms, requireCommandLine } from './answer/build.js';
import { chart } from './answer/chart.js';
import {
  announcementsMs,
  memoryMb,
  type PlainSample,
  plainTraffic,
  type SwapSample,
  tableSwap,
} from './answer/further.js';
import { availablePeers } from './answer/peers.js';
import { readme } from './answer/readme.js';
import { tables } from './answer/report.js';
import type { Results } from './answer/results.js';
import { FULL_PLAN, QUICK_PLAN, runRound, type Sample } from './answer/rounds.js';
import { benchOptions } from './command.js';
import { CACHE, commandLine, commit, cpuModel, ROOT } from './machine.js';
import { withSection } from './sections.js';

const HELP = `npm run bench:answer [-- options]

How fast and how cheaply ARP and NDP are answered, beside the kernel, a Go responder and BPF. A full run writes its part of
bench/README.md.

  --quick              fewer and shorter rounds
  --rounds N           so many rounds, instead of the plan's
  --responders LIST    some of arpeggio, kernel, go, tc; separated by commas
  --help               this text
`;

const options = benchOptions(HELP, {
  quick: { type: 'boolean', default: false },
  rounds: { type: 'string' },
  responders: { type: 'string' },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function describe(sample: Sample): string {
  const { peer, family, addresses, saturated, idle, storm } = sample;
  const rate = `${(saturated.repliesPerSecond / 1000).toFixed(0)}k/s`.padStart(7);
  const cost = `${saturated.cpuPerReplyUs.toFixed(2)} µs CPU`.padStart(12);
  const stormText = storm ? `, storm p50 ${storm.p50Us.toFixed(0)} lost ${storm.lost}` : '';
  const name = `${family} ${addresses}`.padEnd(9);
  return `  ${name} ${peer.padEnd(8)} ${rate} ${cost}  p50 ${idle.p50Us.toFixed(0)} µs${stormText}`;
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error('the bench makes network namespaces and pins kernel threads: run it as root');
  if (availableParallelism() < 2)
    throw new Error('the bench needs two cores, one for the generator, one for the responder');
  requireCommandLine();
  const started = new Date();
  say('building the generator and the responders to compare with');
  const programs = await buildPrograms();
  for (const what of programs.missing) say(`LEFT OUT: ${what}`);

  const bed = await Bed.create(programs.generator);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      bed.close();
      process.exit(130);
    });
  }
  const chosen = options.responders?.split(',');
  const peers = availablePeers(bed, programs).filter(({ name }) => !chosen || chosen.includes(name));
  const own = peers.some(({ name }) => name === 'arpeggio');
  const rounds = Number(options.rounds ?? (options.quick ? 1 : 5));
  const samples: Sample[] = [];
  const announced = { arp: [] as number[], ndp: [] as number[] };
  const swaps: SwapSample[] = [];
  const memory: { addresses: number; mb: number }[] = [];
  let plain: PlainSample[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      say(`round ${round + 1} of ${rounds}`);
      await runRound(bed, options.quick ? QUICK_PLAN : FULL_PLAN, peers, round, (sample) => {
        samples.push(sample);
        say(describe(sample));
      });
      if (!own) continue;
      for (const family of options.quick ? (['arp'] as const) : (['arp', 'ndp'] as const)) {
        announced[family].push(await announcementsMs(bed, family));
        say(`  ${family}: 10,000 announcements in ${announced[family].at(-1)!.toFixed(1)} ms`);
      }
      swaps.push(await tableSwap(bed, 'arp', options.quick ? 1 : 3));
      say(`  tables swapped: p50 ${swaps.at(-1)!.swapping.p50Us.toFixed(0)} µs, lost ${swaps.at(-1)!.swapping.lost}`);
    }
    if (own) {
      say('memory and plain traffic');
      for (const addresses of [1, 10_000])
        memory.push({ addresses, mb: await memoryMb(bed, addresses, options.quick ? 1000 : 5000) });
      plain = await plainTraffic(bed, options.quick ? 1 : 8, options.quick ? 0.3 : 0.6);
    }
  } finally {
    bed.close();
  }

  const results: Results = {
    command: commandLine('bench:answer'),
    startedAt: started.toISOString(),
    tookSeconds: (Date.now() - started.getTime()) / 1000,
    commit: commit(['native', 'src', 'bench/answer', 'bench/generator']),
    kernel: release(),
    cpu: cpuModel(),
    node: process.version,
    versions: programs.versions,
    rounds,
    peers: peers.map(({ name, title }) => ({ name, title })),
    missing: programs.missing,
    samples,
    announcementsMs: announced,
    swaps,
    memoryMb: memory,
    plain,
  };
  writeFileSync(join(CACHE, 'answer.json'), `${JSON.stringify(results, null, 1)}\n`);
  for (const { title, text } of tables(results)) say(`\n${title}\n\n${text}`);
  for (const what of programs.missing) say(`\nLEFT OUT: ${what}`);
  if (options.quick || chosen) {
    say('\nbench/README.md is left alone: only a full run writes it.');
    return;
  }
  const file = join(ROOT, 'bench/README.md');
  writeFileSync(file, withSection(readFileSync(file, 'utf8'), 'answer', readme(results)));
  writeFileSync(join(ROOT, 'bench/answer.svg'), chart(results));
  say('\nwritten: bench/README.md, bench/answer.svg');
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench:answer: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
