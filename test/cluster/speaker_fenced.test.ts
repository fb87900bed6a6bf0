// `arpeggio speaker --takeover fenced` on a real control plane: whatever is cut, never two nodes speak for one address. Raw frames
// of every node prove it, while clients on both sides ask all the time.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Bed } from '../../src/lab/kubernetes/bed.js';
import { CLIENT_NAMES, NODES, type NodeName, SWITCHES } from '../../src/lab/kubernetes/stage.js';
import { Arpeggio, type Owners } from '../../src/lab/kubernetes/workloads.js';
import { monotonicMs } from '../../src/lab/monotonic.js';
import { Asker } from '../net/harness/asker.js';
import { withBed } from './harness/bed.js';
import { assignedServices, SpeakerEyes } from './harness/speaker_eyes.js';
import { Spoken } from './harness/spoken.js';

const ASK_MS = 50;
const CUT_MS = 20_000;
/** A session of 10 s, what follows its end, and a slow machine. */
const TAKEN_MS = 60_000;

class Scene {
  readonly eyes: SpeakerEyes;

  constructor(
    readonly t: TestContext,
    readonly bed: Bed,
    readonly arpeggio: Arpeggio,
    readonly addresses: readonly string[],
    readonly spoken: Spoken,
    readonly askers: readonly Asker[],
  ) {
    this.eyes = new SpeakerEyes(bed);
  }

  /** Each address has one owner, and its record names it. */
  async settled(timeoutMs?: number): Promise<Owners> {
    const owners = await this.arpeggio.settled(this.addresses, timeoutMs);
    for (const [address, node] of Object.entries(owners))
      assert.equal((await this.eyes.record(address))?.node, node, `the record of ${address}`);
    return owners;
  }

  /** Sees that each address was spoken for by its owner, then by the next one, and by nobody in between. */
  async assertInTurn(what: string, before: Owners, after: Owners): Promise<void> {
    for (const address of this.addresses) {
      const expected = before[address] === after[address] ? [before[address]] : [before[address], after[address]];
      assert.deepEqual(await this.spoken.turns(address), expected, `${what}: who spoke for ${address}`);
    }
  }

  /** The longest that each client had to wait for an answer about any of these since then, by client. */
  async waits(addresses: readonly string[], sinceMs: number): Promise<number[]> {
    const untilMs = monotonicMs();
    const all = await Promise.all(this.askers.map((asker) => asker.reports(sinceMs, untilMs)));
    return all.map((reports) => Math.max(...addresses.map((address) => reports[address]?.longestWaitMs ?? 0)));
  }

  tell(what: string, waits: readonly number[]): void {
    const text = waits.map((ms, index) => `${CLIENT_NAMES[index]} waited for ${ms.toFixed(0)} ms`).join(', ');
    this.t.diagnostic(`${what}: ${text}`);
  }
}

const ownedBy = (owners: Owners, node: NodeName): string[] =>
  Object.keys(owners).filter((address) => owners[address] === node);

async function cutInTwo(scene: Scene): Promise<void> {
  const { bed, spoken } = scene;
  const before = await scene.settled();
  const here = scene.addresses.filter((address) => NODES[before[address] as NodeName] === SWITCHES[0]);
  assert.ok(here.length > 0 && here.length < scene.addresses.length, 'there are owners on both sides');
  spoken.clear();
  const sinceMs = monotonicMs();
  await bed.network.setTrunk(...SWITCHES, 'down');
  await delay(CUT_MS);
  const [near = 0, far = 0] = await scene.waits(here, sinceMs);
  scene.tell('the segment is cut in two, API server reached from both halves', [near, far]);
  await bed.network.setTrunk(...SWITCHES, 'up');
  await delay(3_000);
  await scene.assertInTurn('cut and healed', before, before);
  assert.deepEqual(await scene.settled(), before, 'nothing has moved');
  assert.ok(far > CUT_MS / 2, 'the side without the owner is not served');
  assert.ok(near < CUT_MS / 4, 'the side of the owner is');
}

async function ended(scene: Scene, signal: 'SIGTERM' | 'SIGKILL', node: NodeName): Promise<void> {
  const { arpeggio, spoken } = scene;
  const before = await scene.settled();
  spoken.clear();
  // So that the owners have spoken since.
  await delay(1_000);
  const sinceMs = monotonicMs();
  await arpeggio.speaker(node).stop(signal);
  const after = await scene.settled(TAKEN_MS);
  scene.tell(`${signal} of an owner`, await scene.waits(ownedBy(before, node), sinceMs));
  for (const address of scene.addresses)
    if (before[address] !== node) assert.equal(after[address], before[address], `${address} has not moved`);
  await scene.assertInTurn(signal, before, after);
  await arpeggio.speaker(node).start();
  await scene.bed.api.eventually(
    `${node} is ready`,
    async () => (await arpeggio.speaker(node).status()).state === 'ready',
    TAKEN_MS,
  );
}

/** It is alone, and cannot say so: it stops before the others take over. */
async function cutFromAll(scene: Scene, node: NodeName): Promise<void> {
  const { bed, arpeggio, spoken } = scene;
  const before = await scene.settled();
  const lost = ownedBy(before, node);
  assert.ok(lost.length > 0, `${node} owns something`);
  spoken.clear();
  await delay(1_000);
  const sinceMs = monotonicMs();
  await bed.doors.cut(node);
  await bed.network.setTrunk(...SWITCHES, 'down');
  await bed.api.eventually(
    'the others have taken over',
    async () => {
      const owners = await arpeggio.ownersWithout(node, lost);
      return lost.every((address) => owners[address] !== undefined);
    },
    TAKEN_MS,
  );
  scene.tell('an owner cut off from the others and from the API server', await scene.waits(lost, sinceMs));
  await delay(2_000);
  await bed.doors.open(node);
  await bed.network.setTrunk(...SWITCHES, 'up');
  await delay(5_000);
  const after = await scene.settled(TAKEN_MS);
  for (const address of lost) assert.notEqual(after[address], node);
  await scene.assertInTurn('cut off from all', before, after);
}

test('fenced: never two nodes speak for one address', async (t) => {
  await withBed(t, {}, async (bed) => {
    const speakerArgs = ['--takeover', 'fenced'];
    const arpeggio = await Arpeggio.install(bed, { controllers: [], speakerArgs });
    const addresses = Object.values(await assignedServices(bed, ['web', 'shop', 'mail', 'chat'])).flat();
    await arpeggio.settled(addresses, TAKEN_MS);
    const spoken = await Spoken.listen(bed);
    const askers: Asker[] = [];
    for (const client of CLIENT_NAMES) askers.push(await Asker.start(bed.host(client), addresses, ASK_MS, []));
    try {
      const scene = new Scene(t, bed, arpeggio, addresses, spoken, askers);
      // node-c is alone on its switch.
      await cutInTwo(scene);
      await cutFromAll(scene, 'node-c');
      const owners = Object.values(await scene.settled());
      const [busy] = owners as NodeName[];
      await ended(scene, 'SIGTERM', busy!);
      const [next] = Object.values(await scene.settled()) as NodeName[];
      await ended(scene, 'SIGKILL', next!);
      const { warnings } = await arpeggio.speaker(busy!).status();
      assert.deepEqual(
        warnings.filter((text) => /--takeover/.test(text)),
        [],
      );
    } finally {
      for (const asker of askers) await asker.stop();
      await spoken.close();
    }
    await arpeggio.stop();
  });
});
