// npm run bench:kubernetes [-- --quick] [--repetitions N] [--only failures,creation,burst,many,scale]: what MetalLB's users notice on
// a real control plane with a real kube-proxy. See bench/README.md, whose part a full run writes.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { Bed } from '../src/lab/kubernetes/bed.js';
import { NODE_NAMES } from '../src/lab/kubernetes/stage.js';
import { Arpeggio, advertisement, pool } from '../src/lab/kubernetes/workloads.js';
import { benchOptions } from './command.js';
import { BULK_POOL, bulkInterface, burst, created, fill, memory, restart, spread } from './kubernetes/creation.js';
import { failures, type Note } from './kubernetes/failures.js';
import { type KubernetesResults, readme, table } from './kubernetes/report.js';
import { ROWS, type RowName, type Samples } from './kubernetes/rows.js';
import { scale } from './kubernetes/scale.js';
import { Scene } from './kubernetes/scene.js';
import { writesOf } from './kubernetes/writes.js';
import { CACHE, commandLine, commit, cpuModel, ROOT, shortError } from './machine.js';
import { withSection } from './sections.js';

const PARTS = ['failures', 'creation', 'burst', 'many', 'scale'] as const;
type Part = (typeof PARTS)[number];

const HELP = `npm run bench:kubernetes [-- options]

What users of MetalLB notice, on a real control plane with a real kube-proxy. A full run writes its part of bench/README.md; it takes
a quarter of an hour, and a machine with nothing else to do.

  --quick            each case once
  --repetitions N    so often, instead of three times
  --only PARTS       some of ${PARTS.join(', ')}; separated by commas
  --help             this text
`;

const options = benchOptions(HELP, {
  quick: { type: 'boolean', default: false },
  repetitions: { type: 'string' },
  only: { type: 'string' },
});

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The path that scripts/cluster.mjs prints last. */
function controlPlane(): string {
  const given = process.env.ARPEGGIO_CONTROL_PLANE;
  if (given) return given;
  const printed = execFileSync(process.execPath, [join(ROOT, 'scripts/cluster.mjs')], { encoding: 'utf8' });
  return printed.trim().split('\n').at(-1) as string;
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('the bench makes network namespaces: run it as root');
  const parts: readonly string[] = options.only?.split(',') ?? PARTS;
  const unknown = parts.filter((part) => !PARTS.includes(part as Part));
  if (unknown.length > 0) throw new Error(`--only takes ${PARTS.join(', ')}, not ${unknown.join(', ')}`);
  const repetitions = Number(options.repetitions ?? (options.quick ? 1 : 3));
  if (!Number.isInteger(repetitions) || repetitions < 1)
    throw new Error('--repetitions takes a whole number from 1 up');
  const started = new Date();
  const samples: Samples = {};
  const notes: string[] = [];
  const note: Note = (row: RowName, value: number) => {
    samples[row] = [...(samples[row] ?? []), value];
    say(`  ${ROWS[row].title}: ${value.toFixed(1)}`);
  };
  /** One question that cannot be answered keeps no other from being asked. */
  const attempt = async (what: string, ask: () => Promise<void>): Promise<boolean> => {
    say(what);
    try {
      await ask();
      return true;
    } catch (error) {
      notes.push(`${what}: broken off: ${shortError(error)}`);
      say(`  NOTE ${notes.at(-1)}`);
      return false;
    }
  };

  /** A bed of its own, with Arpeggio on it. */
  const onBed = (
    what: string,
    speakerArgs: readonly string[],
    play: (scene: Scene) => Promise<void>,
  ): Promise<boolean> =>
    attempt(what, async () => {
      const bed = await Bed.create(controlPlane());
      try {
        await Promise.all(NODE_NAMES.map((node, index) => bed.host(node).batch([bulkInterface(index + 1)])));
        await bed.host('client-2').batch([bulkInterface(102)]);
        const configuration = [pool('lan'), pool('bulk', [BULK_POOL], { autoAssign: false }), advertisement('all')];
        const arpeggio = await Arpeggio.install(bed, { configuration, speakerArgs });
        const scene = new Scene(bed, arpeggio);
        // Speakers have listened, the leader is there.
        await scene.create('first', ['192.0.2.95', '2001:db8::1:5f']);
        await arpeggio.settled(['192.0.2.95', '2001:db8::1:5f'], 40_000);
        await scene.remove('first');
        await play(scene);
      } finally {
        await bed.close();
      }
    });

  const times = options.quick ? 2 : 5;
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    if (parts.includes('failures'))
      await onBed(`failures, ${repetition} of ${repetitions}`, [], (scene) =>
        failures(scene, options.quick ? 1 : 3, note),
      );
    if (parts.includes('creation'))
      await onBed(`creation, ${repetition} of ${repetitions}`, [], async (scene) => {
        await created(scene, 'created', times, note);
        await spread(scene, note);
        await restart(scene, note);
      });
  }
  if (parts.includes('creation'))
    await onBed('creation without probing', ['--probing=none'], (scene) =>
      created(scene, 'createdUnprobed', times, note),
    );
  if (parts.includes('burst') || parts.includes('many'))
    await onBed('many services', [], async (scene) => {
      const first = await burst(scene, note);
      await created(scene, 'created200', times, note);
      if (!parts.includes('many')) return;
      say('1,000 services');
      await writesOf(scene, [...first, ...(await fill(scene, 200, 1000))], note);
      say('2,000 services');
      await scene.arpeggio.settled(await fill(scene, 1000, 2000), 120_000);
      await created(scene, 'created2000', times, note);
      memory(scene, note);
    });
  if (parts.includes('scale')) await attempt('10,000 services, 100 nodes', () => scale(controlPlane(), note));

  const results: KubernetesResults = {
    command: commandLine('bench:kubernetes'),
    startedAt: started.toISOString(),
    tookSeconds: (Date.now() - started.getTime()) / 1000,
    commit: commit(['native', 'src', 'deploy', 'test/cluster', 'bench/kubernetes', 'bench/kubernetes.ts']),
    kernel: release(),
    cpu: cpuModel(),
    node: process.version,
    versions: [
      `Kubernetes ${/k8s\.io\/kubernetes v(\S+)/.exec(readFileSync(join(ROOT, 'test/cluster/control-plane/go.mod'), 'utf8'))?.[1]}`,
    ],
    repetitions,
    notes,
    samples,
  };
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(join(CACHE, 'kubernetes.json'), `${JSON.stringify(results, null, 1)}\n`);
  say(`\n${table(results)}`);
  if (options.quick || options.only !== undefined || options.repetitions !== undefined) {
    say('\nbench/README.md is left alone: only a full run writes it.');
    return;
  }
  const file = join(ROOT, 'bench/README.md');
  writeFileSync(file, withSection(readFileSync(file, 'utf8'), 'kubernetes', readme(results)));
  say('\nwritten: bench/README.md');
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench:kubernetes: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
