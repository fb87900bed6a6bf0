// What happens to a segment, and what is asked about it.
import { setTimeout as delay } from 'node:timers/promises';
import type { Bed } from './bed.js';
import type { Running } from './system.js';

/** One row of the tables. */
export interface CaseInfo {
  readonly title: string;
  /**
   * loss: an owner is gone; planned: an address is moved in order; quiet: something returns or goes that nobody needed,
   * and whether an address moves is the system's affair.
   */
  readonly kind: 'loss' | 'planned' | 'quiet';
  /** Whose outage counts: all clients', or that of the client on the other switch than the owner. */
  readonly clients: 'all' | 'far';
}

export const CASES = {
  'link-down': { title: "owner's link down", kind: 'loss', clients: 'all' },
  'link-back': { title: 'link back', kind: 'quiet', clients: 'all' },
  'port-disabled': { title: "owner's switch port disabled", kind: 'loss', clients: 'all' },
  'port-back': { title: 'port back', kind: 'quiet', clients: 'all' },
  kill: { title: 'kill -9 of the owner', kind: 'loss', clients: 'all' },
  'kill-return': { title: 'return after kill -9', kind: 'quiet', clients: 'all' },
  term: { title: 'SIGTERM to the owner', kind: 'planned', clients: 'all' },
  'term-return': { title: 'return after SIGTERM', kind: 'quiet', clients: 'all' },
  drain: { title: 'drain of the owner', kind: 'planned', clients: 'all' },
  undrain: { title: 'undrain', kind: 'quiet', clients: 'all' },
  bystander: { title: 'a non-owner cut off for 1 s and back', kind: 'quiet', clients: 'all' },
  partition: { title: 'partition, client cut off from the owner', kind: 'loss', clients: 'far' },
  heal: { title: 'heal, all clients', kind: 'quiet', clients: 'all' },
  flaps: { title: "ten flaps of the owner's link", kind: 'loss', clients: 'all' },
} as const satisfies Record<string, CaseInfo>;

export type CaseName = keyof typeof CASES;

export const CASE_NAMES = Object.keys(CASES) as CaseName[];

/** What a step may touch. */
export interface Scene {
  readonly bed: Bed;
  readonly running: Running;
  /** The node that owned all watched addresses when the group began. */
  readonly owner: string;
}

export interface Step {
  readonly name: CaseName;
  act(scene: Scene): Promise<void>;
}

/** Steps that only make sense one after the other; each group begins with all nodes there and one owner. */
export interface Group {
  readonly name: string;
  readonly steps: readonly Step[];
  /** Played in the first repetitions only, so many. */
  readonly repetitions?: number;
  /** Not for systems without these commands. */
  readonly needs?: 'drain';
}

const FLAPS = 10;
const FLAP_DOWN_MS = 300;
const FLAP_UP_MS = 400;
const CUT_MS = 1000;

async function flap({ bed, owner }: Scene): Promise<void> {
  for (let count = 0; count < FLAPS; count += 1) {
    await bed.network.setCable(owner, 'down');
    await delay(FLAP_DOWN_MS);
    await bed.network.setCable(owner, 'up');
    await delay(FLAP_UP_MS);
  }
}

async function cutBystander({ bed, owner }: Scene): Promise<void> {
  const bystander = bed.nodes.find((node) => node !== owner) as string;
  await bed.network.setPort(bystander, 'disabled');
  await delay(CUT_MS);
  await bed.network.setPort(bystander, 'forwarding');
}

export const GROUPS: readonly Group[] = [
  {
    name: 'link',
    steps: [
      { name: 'link-down', act: ({ bed, owner }) => bed.network.setCable(owner, 'down') },
      { name: 'link-back', act: ({ bed, owner }) => bed.network.setCable(owner, 'up') },
    ],
  },
  {
    name: 'port',
    steps: [
      { name: 'port-disabled', act: ({ bed, owner }) => bed.network.setPort(owner, 'disabled') },
      { name: 'port-back', act: ({ bed, owner }) => bed.network.setPort(owner, 'forwarding') },
    ],
  },
  {
    name: 'kill',
    steps: [
      { name: 'kill', act: ({ running, owner }) => running.kill(owner) },
      { name: 'kill-return', act: ({ running, owner }) => running.startNode(owner) },
    ],
  },
  {
    name: 'term',
    steps: [
      { name: 'term', act: ({ running, owner }) => running.terminate(owner) },
      { name: 'term-return', act: ({ running, owner }) => running.startNode(owner) },
    ],
  },
  {
    name: 'drain',
    needs: 'drain',
    steps: [
      { name: 'drain', act: async ({ running, owner }) => running.drain?.(owner) },
      { name: 'undrain', act: async ({ running, owner }) => running.undrain?.(owner) },
    ],
  },
  { name: 'bystander', steps: [{ name: 'bystander', act: cutBystander }] },
  {
    name: 'partition',
    steps: [
      { name: 'partition', act: ({ bed }) => bed.setTrunk('down') },
      { name: 'heal', act: ({ bed }) => bed.setTrunk('up') },
    ],
  },
  { name: 'flaps', repetitions: 1, steps: [{ name: 'flaps', act: flap }] },
];

/** What else can be asked for; each is a question of its own about Arpeggio. */
export const EXTRA_NAMES = ['many', 'publish', 'hogs'] as const;

export type ExtraName = (typeof EXTRA_NAMES)[number];
