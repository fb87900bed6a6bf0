import { shortError } from '../machine.js';
import { Bed } from './bed.js';
import { CASES, type Group } from './cases.js';
import type { AnswerSample, Sample } from './results.js';
import { familyOf, SERVICES } from './services.js';
import type { Running, System } from './system.js';
import { Watch } from './watch.js';

export interface Sink {
  readonly samples: Sample[];
  readonly answers: AnswerSample[];
  readonly notes: string[];
  say(text: string): void;
}

function describe(samples: readonly Sample[]): string {
  const cells = samples.map(({ client, family, lost, outageMs, ownerChanges }) => {
    const outage = lost === 0 ? '0' : `${outageMs.toFixed(0)} ms (${lost})`;
    return `${client} ${family} ${outage}${ownerChanges > 1 ? ` [${ownerChanges} changes]` : ''}`;
  });
  return cells.join(', ');
}

/** One repetition of one system: a new network, the system started, group after group, and everything taken down. */
export async function play(system: System, groups: readonly Group[], repetition: number, sink: Sink): Promise<void> {
  const bed = await Bed.create();
  let running: Running | null = null;
  const note = (text: string): void => {
    sink.notes.push(`${system.title}, repetition ${repetition + 1}: ${text}`);
    sink.say(`  NOTE ${sink.notes.at(-1)}`);
    if (running?.lastWords !== undefined) sink.say(running.lastWords());
  };
  try {
    running = await system.start(bed);
    const addresses = [SERVICES[0].ipv4, SERVICES[0].ipv6].filter((address) =>
      system.families.includes(familyOf(address)),
    );
    const watch = await Watch.begin(bed, addresses);
    if (!(await watch.served())) return note('it did not settle after its start');
    for (const group of groups) {
      if (group.repetitions !== undefined && repetition >= group.repetitions) continue;
      if (group.needs === 'drain' && running.drain === undefined) continue;
      // Both addresses at one node, so that one event concerns both; and always the same one, where that can be had.
      await running.gather?.(addresses, bed.nodes[0] as string);
      const owner = await watch.settled();
      if (owner === null)
        return note(`it did not settle before "${group.name}"; the rest of the repetition is left out`);
      for (const step of group.steps) {
        const { loss, other } = system.watchMs;
        const leastMs = CASES[step.name].kind === 'loss' ? loss : other;
        const question = { repetition, system: system.name, case: step.name, owner, leastMs };
        const scene = { bed, running, owner };
        const { samples, answers } = await watch.during(question, () => step.act(scene));
        sink.samples.push(...samples);
        sink.answers.push(...answers);
        sink.say(`  ${system.title.padEnd(18)} ${step.name.padEnd(14)} ${describe(samples)}`);
        if (samples.some(({ calm }) => !calm)) note(`"${CASES[step.name].title}": not calm when the watch ended`);
      }
    }
  } catch (error) {
    note(`broken off: ${shortError(error)}`);
  } finally {
    await running?.stop();
    bed.close();
  }
}
