// npm run bench:failover [-- --quick] [--repetitions N] [--hog-minutes N] [--only SYSTEM,CASE,...]: what a client notices
// when the owner of an address goes, is moved or returns, beside keepalived and ucarp. See bench/README.md, whose part a
// full run writes.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { networkAccess } from '../src/lab/access.js';
import { buildGenerator, requireCommandLine } from './answer/build.js';
import { benchOptions } from './command.js';
import { ARPEGGIO } from './failover/arpeggio.js';
import { EXTRA_NAMES, GROUPS } from './failover/cases.js';
import { chart } from './failover/chart.js';
import { underHogs } from './failover/hogs.js';
import { keepalived } from './failover/keepalived.js';
import { takeMany } from './failover/many.js';
import { type Command, ensurePackages, versionOf } from './failover/packages.js';
import { lanesOf, makePlan } from './failover/plan.js';
import { play, type Sink } from './failover/play.js';
import { whilePublishing } from './failover/publish.js';
import { readme } from './failover/readme.js';
import { sections } from './failover/report.js';
import type { CalmSample, FailoverResults, ManySample } from './failover/results.js';
import { SYSTEM_NAMES, type System, type SystemName } from './failover/system.js';
import { UCARP } from './failover/ucarp.js';
import { CACHE, commandLine, commit, cpuModel, ROOT, shortError } from './machine.js';
import { withSection } from './sections.js';

const SYSTEMS: Readonly<Record<SystemName, System>> = {
  arpeggio: ARPEGGIO,
  'keepalived-1s': keepalived(1),
  'keepalived-100ms': keepalived(0.1),
  ucarp: UCARP,
};
const COMMANDS: Readonly<Partial<Record<SystemName, Command>>> = {
  'keepalived-1s': 'keepalived',
  'keepalived-100ms': 'keepalived',
  ucarp: 'ucarp',
};
const PUBLISH_SECONDS = { full: 30, quick: 6 };

const HELP = `npm run bench:failover [-- options]

What a client notices when the owner of an address goes, is moved or returns, beside keepalived and ucarp. A full run writes its part of
bench/README.md.

  --quick            each case twice, and a minute under load
  --repetitions N    so often, instead of ten times
  --hog-minutes N    so long under load, instead of ten minutes
  --only NAMES       systems (${SYSTEM_NAMES.join(', ')}), cases
                     (${[...GROUPS.map(({ name }) => name), ...EXTRA_NAMES].join(', ')}), or both; separated by commas
  --help             this text
`;

const options = benchOptions(HELP, {
  quick: { type: 'boolean', default: false },
  repetitions: { type: 'string' },
  'hog-minutes': { type: 'string' },
  only: { type: 'string' },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main(): Promise<void> {
  const plan = makePlan({ ...options, hogMinutes: options['hog-minutes'] });
  if (process.getuid?.() !== 0 || networkAccess().kind !== 'direct')
    throw new Error('the bench makes network namespaces and installs packages: run it as root');
  requireCommandLine();
  const started = new Date();
  const wanted = [...new Set(plan.systems.flatMap((name) => COMMANDS[name] ?? []))];
  const unavailable = await ensurePackages(wanted, say);
  const missing = [...unavailable].map(([command, reason]) => `${command}: ${reason}`);
  for (const what of missing) say(`LEFT OUT: ${what}`);
  const isThere = (name: SystemName) => !unavailable.has(COMMANDS[name] as Command);
  const systems = plan.systems.filter(isThere);

  const sink: Sink = { samples: [], answers: [], notes: [], say };
  const many: ManySample[] = [];
  const calm: CalmSample[] = [];
  /** One question that cannot be answered keeps no other from being asked. */
  const attempt = async (what: string, ask: () => Promise<void>): Promise<void> => {
    say(what);
    try {
      await ask();
    } catch (error) {
      const note = `${what}: broken off: ${shortError(error)}`;
      sink.notes.push(note);
      say(`  NOTE ${note}`);
    }
  };

  for (let repetition = 0; plan.groups.length > 0 && repetition < plan.repetitions; repetition += 1) {
    say(`repetition ${repetition + 1} of ${plan.repetitions}`);
    for (const lane of lanesOf(systems, repetition))
      await Promise.all(lane.map((name) => play(SYSTEMS[name], plan.groups, repetition, sink)));
  }
  if (plan.extras.includes('many'))
    await attempt('10,000 addresses of one node', async () => {
      many.push(await takeMany(await buildGenerator()));
    });
  if (plan.extras.includes('publish'))
    await attempt('tables of 10,000 entries published', async () => {
      calm.push(await whilePublishing(PUBLISH_SECONDS[options.quick ? 'quick' : 'full']));
    });
  if (plan.extras.includes('hogs'))
    await attempt(`${plan.hogMinutes} minutes with hogs`, async () => {
      calm.push(...(await underHogs(plan.hogMinutes, isThere('keepalived-100ms') && wanted.includes('keepalived'))));
    });

  const versions = await Promise.all([
    ...(systems.some((name) => COMMANDS[name] === 'keepalived') ? [versionOf(['keepalived', '--version'])] : []),
    ...(systems.includes('ucarp') ? [versionOf(['ucarp', '--help'])] : []),
  ]);
  const results: FailoverResults = {
    command: commandLine('bench:failover'),
    startedAt: started.toISOString(),
    tookSeconds: (Date.now() - started.getTime()) / 1000,
    commit: commit(['native', 'src', 'bench/failover', 'bench/failover.ts']),
    kernel: release(),
    cpu: cpuModel(),
    node: process.version,
    versions: versions.filter((text) => text !== null),
    repetitions: plan.repetitions,
    systems: systems.map((name) => ({ name, title: SYSTEMS[name].title })),
    missing,
    notes: sink.notes,
    samples: sink.samples,
    answers: sink.answers,
    many,
    calm,
  };
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(join(CACHE, 'failover.json'), `${JSON.stringify(results, null, 1)}\n`);
  for (const { title, text } of sections(results)) say(`\n${title}\n\n${text}`);
  for (const what of [...missing.map((text) => `LEFT OUT: ${text}`), ...sink.notes]) say(`\n${what}`);
  if (!plan.full) {
    say('\nbench/README.md is left alone: only a full run writes it.');
    return;
  }
  const file = join(ROOT, 'bench/README.md');
  writeFileSync(file, withSection(readFileSync(file, 'utf8'), 'failover', readme(results)));
  writeFileSync(join(ROOT, 'bench/failover.svg'), chart(results));
  say('\nwritten: bench/README.md, bench/failover.svg');
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench:failover: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
