// What happens to nodes and speakers, one after the other; each part ends with all of them there and settled.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../src/lab/monotonic.js';
import { DEFAULT_INTERFACE } from '../../src/lab/network_spec.js';
import type { RowName } from './rows.js';
import { moved, type Scene } from './scene.js';

export type Note = (row: RowName, value: number) => void;

const WATCHED = ['one', 'two', 'three'] as const;
const addressesOf = (index: number): string[] => [`192.0.2.${20 + index}`, `2001:db8::1:${20 + index}`];
const AFTER_MS = 1500;
/** MetalLB takes so long and longer to give way after a return; Arpeggio is watched for a while. */
const RETURN_MS = 4000;

async function links(scene: Scene, addresses: readonly string[], note: Note): Promise<void> {
  const { bed, arpeggio } = scene;
  const breaks = {
    link: {
      down: (node: string) => bed.network.setCable(node, 'down'),
      up: (node: string) => bed.network.setCable(node, 'up'),
    },
    port: {
      down: (node: string) => bed.network.setPort(node, 'disabled', DEFAULT_INTERFACE),
      up: (node: string) => bed.network.setPort(node, 'forwarding', DEFAULT_INTERFACE),
    },
  };
  for (const [kind, { down, up }] of Object.entries(breaks)) {
    const { node, owned } = scene.busiest(await arpeggio.settled(addresses));
    const gone = await scene.during(owned, () => down(node), AFTER_MS);
    note(kind === 'link' ? 'linkDown' : 'portDisabled', gone.outageMs);
    note('gone', gone.outageMs);
    const before = await arpeggio.ownersWithout(node, addresses);
    const back = await scene.during(owned, () => up(node), RETURN_MS);
    note(kind === 'link' ? 'linkBack' : 'portBack', back.overlapMs);
    note('linkReturned', moved(before, await arpeggio.settled(addresses)));
  }
}

async function speakers(scene: Scene, addresses: readonly string[], note: Note): Promise<void> {
  const { arpeggio, bed } = scene;
  const killed = scene.busiest(await arpeggio.settled(addresses));
  const kill = await scene.during(killed.owned, () => arpeggio.speaker(killed.node).stop('SIGKILL'), AFTER_MS);
  note('killed', kill.longestWaitMs);
  const before = await arpeggio.settled(addresses);
  await arpeggio.speaker(killed.node).start();
  await delay(RETURN_MS);
  note('killReturned', moved(before, await arpeggio.settled(addresses)));

  const ended = scene.busiest(await arpeggio.settled(addresses));
  const term = await scene.during(ended.owned, () => arpeggio.speaker(ended.node).stop(), AFTER_MS);
  note('term', term.lost);
  note('termOverlap', term.overlapMs);
  await arpeggio.speaker(ended.node).start();

  for (const row of ['cordon', 'notReady'] as const) {
    const { node, owned } = scene.busiest(await arpeggio.settled(addresses));
    const worse = row === 'cordon' ? { cordoned: true } : { ready: false };
    const better = row === 'cordon' ? { cordoned: false } : { ready: true };
    const seen = await scene.during(owned, () => bed.setNode(node, worse), 2500);
    const after = await arpeggio.settled(addresses);
    if (owned.some((address) => after[address] === node)) throw new Error(`${row}: ${node} has kept an address`);
    note(row, seen.lost);
    await bed.setNode(node, better);
  }
}

async function local(scene: Scene, note: Note): Promise<void> {
  const { bed, arpeggio } = scene;
  const addresses = addressesOf(9);
  await bed.setPod('pod-b', false);
  await bed.setPod('pod-c', false);
  await scene.create('local', addresses, { spec: { externalTrafficPolicy: 'Local' } });
  await bed.endpoints('local', ['pod-a']);
  await arpeggio.settled(addresses);
  await bed.setPod('pod-b', true);
  await bed.endpoints('local', ['pod-a', 'pod-b']);
  await delay(500);
  let from = 0;
  const move = async () => {
    from = monotonicMs();
    await bed.setPod('pod-a', false);
  };
  const seen = await scene.during(addresses, move, 2000);
  const right = bed.host('node-b').mac;
  for (const { answeredBy } of Object.values(seen.asked)) {
    const last = answeredBy.at(-1);
    if (last?.mac !== right) throw new Error(`policy Local: ${last?.mac ?? 'nobody'} answers, not node-b`);
    note('local', last.sinceMs - from);
  }
  note('localLost', seen.lost / (bed.clients.length * addresses.length));
  await bed.setPod('pod-a', true);
  await bed.setPod('pod-c', true);
  await scene.remove('local');
}

/** All of it once, the links `cuts` times. */
export async function failures(scene: Scene, cuts: number, note: Note): Promise<void> {
  for (const [index, name] of WATCHED.entries()) await scene.create(name, addressesOf(index));
  const addresses = WATCHED.flatMap((_, index) => addressesOf(index));
  for (let cut = 0; cut < cuts; cut += 1) await links(scene, addresses, note);
  await speakers(scene, addresses, note);
  await local(scene, note);
  await scene.remove(...WATCHED);
}
