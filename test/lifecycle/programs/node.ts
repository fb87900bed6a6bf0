// A responder that speaks with others, as argv[2] says (JSON of Setup). Every line of standard input is a command, a JSON
// array of its name and arguments; {"done": name} follows. Its events come as they are, a message's body as text.
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAddress } from '../../../src/net/address.js';
import { Responder } from '../../../src/responder/responder.js';
import type { Advertisement, Table, TakeoverPlan } from '../../../src/responder/types.js';
import { block, INTERFACE, say } from './support.js';

export interface Setup {
  readonly node: string;
  readonly cluster: string;
  readonly incarnation: string;
  readonly intervalMs: number;
  readonly multiplier: number;
  /** As text. */
  readonly keys: readonly string[];
}

/** A table of addresses on the one interface. */
export interface NodeTable {
  readonly watched: readonly string[];
  readonly answered: readonly string[];
  /** Of those answered. */
  readonly quiet?: readonly string[];
  /** Addresses to take over, by the incarnation of their owner. */
  readonly plans?: Readonly<Record<string, readonly string[]>>;
  readonly tookSeen?: number;
  readonly holdsLifted?: Table['holdsLifted'];
  readonly lifetimeMs?: number;
}

const LONG_MS = 60_000;
const SCHEDULE = { ipv4Ms: [0, 20, 100, 300], ipv6Ms: [0] };
const interfaces = [INTERFACE];
const toKeys = (keys: readonly string[]): Uint8Array[] => keys.map((key) => Buffer.from(key));

const setup = JSON.parse(process.argv[2]!) as Setup;
const responder = new Responder({
  onEvent: (event) => {
    if (event.type === 'links') return;
    say(event.type === 'message' ? { ...event, body: Buffer.from(event.body).toString() } : { ...event });
  },
  linkSchedule: SCHEDULE,
  heartbeat: { ...setup, keys: toKeys(setup.keys) },
});

function toTable({ watched, answered, quiet = [], plans = {}, tookSeen, holdsLifted }: NodeTable): Table {
  const entries = watched.map((text) => ({
    address: parseAddress(text),
    selected: interfaces,
    answer: answered.includes(text) ? interfaces : [],
    tentative: [],
    ...(quiet.includes(text) && { quiet: interfaces }),
  }));
  const toPlan = ([incarnation, addresses]: [string, readonly string[]]): TakeoverPlan => ({
    interfaceName: INTERFACE,
    incarnation,
    addresses: addresses.map(parseAddress),
  });
  return {
    interfaces,
    entries,
    plans: Object.entries(plans).map(toPlan),
    ...(tookSeen !== undefined && { tookSeen }),
    ...(holdsLifted !== undefined && { holdsLifted }),
  };
}

function largeTable(count: number): Table {
  const entries = Array.from({ length: count }, (_, index) => ({
    address: parseAddress(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`),
    selected: interfaces,
    answer: interfaces,
    tentative: [],
  }));
  return { interfaces, entries };
}

/** Publishes tables of `count` addresses `rounds` times, 10 a second, and has all announced each second. */
async function storm(count: number, rounds: number): Promise<void> {
  const table = largeTable(count);
  const addresses = table.entries.map(({ address }) => address);
  for (let round = 0; round < rounds; ++round) {
    // Every round adds an address and drops another.
    responder.publish({ ...table, entries: table.entries.slice(round) }, LONG_MS);
    if (round % 10 === 0) responder.announce(addresses, INTERFACE, { ipv4Ms: [0, 20], ipv6Ms: [0] }, round % 20 === 0);
    await delay(100);
  }
}

const COMMANDS: Record<string, (...args: never[]) => void | Promise<void>> = {
  publish: (table: NodeTable) => responder.publish(toTable(table), table.lifetimeMs ?? LONG_MS),
  renew: (lifetimeMs: number) => responder.renew(lifetimeMs),
  advertise: (advertisement: Advertisement) => responder.advertise(INTERFACE, advertisement),
  send: (text: string) => responder.send(INTERFACE, Buffer.from(text)),
  sendMany: (count: number) => {
    for (let index = 0; index < count; ++index) responder.send(INTERFACE, Buffer.from(`number ${index}`));
  },
  /** `confirm` as Responder.announce() has it. */
  announce: (addresses: readonly string[], confirm: number) =>
    responder.announce(addresses.map(parseAddress), INTERFACE, SCHEDULE, true, confirm),
  many: (count: number) => responder.publish(largeTable(count), LONG_MS),
  announceMany: (count: number, confirm: number) => {
    const addresses = largeTable(count).entries.map(({ address }) => address);
    responder.announce(addresses, INTERFACE, SCHEDULE, true, confirm);
  },
  setKeys: (keys: readonly string[]) => responder.setKeys(toKeys(keys)),
  announceAll: (addresses: readonly string[], confirm?: number) =>
    responder.announce(addresses.map(parseAddress), INTERFACE, { ipv4Ms: [0], ipv6Ms: [0] }, true, confirm),
  block,
  storm,
  peersHeard: () => say({ heard: responder.peersHeard() }),
  counters: () => say({ counters: responder.interfaceCounters().get(INTERFACE) }),
  close: () => {
    responder.close();
    process.exit(0);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = JSON.parse(line) as [string, ...never[]];
  if (name === 'block') say({ blocking: true });
  await COMMANDS[name]?.(...args);
  say({ done: name });
}
