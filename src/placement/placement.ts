import type { Address } from '../net/address.js';
import { hashText, mixed } from './rank.js';
import type { PlacementRequest } from './types.js';

export { rank } from './rank.js';

/** A node within one call of {@link place}. */
interface Node {
  readonly name: string;
  readonly hash: number;
  load: number;
  /** Belongs to the candidates of the class with this number. */
  class: number;
}

interface Request {
  readonly address: Address;
  readonly hash: number;
  readonly candidates: readonly Node[];
}

/**
 * Names an owner for each address, or null where there is no candidate. Pure: equal requests and loads give equal
 * results, in whatever order requests and candidates stand. Each address may be listed once.
 *
 * An address goes to the candidate with the greatest weight, if one has any, whatever it owns already. The others are
 * spread by rendezvous hashing with bounded loads: best rank first, among the candidates that are below the level at
 * which all would stand if the addresses were poured over them. So loads differ by at most one when everything is new
 * and all nodes are candidates. Addresses with fewer candidates come first; where all candidates of an address have
 * reached the level, the least loaded takes it.
 *
 * @param requests Only what needs a (new) owner: addresses that keep theirs are counted in `loads`. So the loss of a
 *   node moves nothing but its addresses.
 * @param loads How many addresses each node owns already; nodes that are not listed own none.
 */
export function place(
  requests: readonly PlacementRequest[],
  loads: ReadonlyMap<string, number>,
): Map<Address, string | null> {
  const nodes = new Nodes(loads);
  const placed = new Map<Address, string | null>();
  const spread: Request[] = [];
  for (const { address, candidates: names, prefer } of requests) {
    const request = { address, hash: hashText(address), candidates: nodes.of(names) };
    const favourites = prefer.size === 0 ? [] : preferred(request.candidates, prefer);
    const favourite = best(request, favourites);
    placed.set(address, favourite?.name ?? null);
    if (favourite !== null) favourite.load += 1;
    else if (request.candidates.length > 0) spread.push(request);
  }
  spread.sort(
    (a, b) => a.candidates.length - b.candidates.length || a.hash - b.hash || (a.address < b.address ? -1 : 1),
  );
  for (let start = 0, classNumber = 1; start < spread.length; classNumber += 1) {
    const count = spread[start]!.candidates.length;
    let end = start;
    while (end < spread.length && spread[end]!.candidates.length === count) end += 1;
    pour(spread.slice(start, end), classNumber, placed);
    start = end;
  }
  return placed;
}

/** Places requests that have equally many candidates. */
function pour(requests: readonly Request[], classNumber: number, placed: Map<Address, string | null>): void {
  const level = new Level(membersOf(requests, classNumber), requests.length);
  for (const request of requests) {
    const node = best(request, request.candidates, level) ?? leastLoaded(request);
    level.take(node);
    placed.set(request.address, node.name);
  }
}

/** Every node that is a candidate of one of the requests. */
function membersOf(requests: readonly Request[], classNumber: number): Node[] {
  const members: Node[] = [];
  const seen = new Set<readonly Node[]>();
  for (const { candidates } of requests) {
    if (seen.has(candidates)) continue;
    seen.add(candidates);
    for (const node of candidates) {
      if (node.class === classNumber) continue;
      node.class = classNumber;
      members.push(node);
    }
  }
  return members;
}

/** The load at which all members stand when `count` addresses are poured over them; `extras` of them get one more. */
class Level {
  readonly #level: number;
  #extras: number;

  constructor(members: readonly Node[], count: number) {
    const loads = members.map(({ load }) => load).sort((a, b) => a - b);
    let filled = 0;
    let sum = 0;
    // Who stands above the level takes nothing; the rest share what they have and what comes.
    while (filled < loads.length && loads[filled]! * filled - sum <= count) {
      sum += loads[filled]!;
      filled += 1;
    }
    this.#level = Math.floor((sum + count) / filled);
    this.#extras = sum + count - this.#level * filled;
  }

  isOpen(node: Node): boolean {
    return node.load < this.#level || (node.load === this.#level && this.#extras > 0);
  }

  take(node: Node): void {
    if (node.load === this.#level) this.#extras -= 1;
    node.load += 1;
  }
}

/** The candidate with the highest rank, below the level if one is given; null if there is none. */
function best({ hash }: Request, candidates: readonly Node[], level?: Level): Node | null {
  let found: Node | null = null;
  let highest = -1;
  for (const node of candidates) {
    if (level !== undefined && !level.isOpen(node)) continue;
    const rank = mixed(hash ^ node.hash);
    if (rank < highest || (rank === highest && node.name > found!.name)) continue;
    found = node;
    highest = rank;
  }
  return found;
}

function leastLoaded(request: Request): Node {
  const least = request.candidates.reduce((lowest, { load }) => Math.min(lowest, load), Number.POSITIVE_INFINITY);
  return best(
    request,
    request.candidates.filter(({ load }) => load === least),
  )!;
}

function preferred(candidates: readonly Node[], prefer: ReadonlyMap<string, number>): Node[] {
  let greatest = Number.NEGATIVE_INFINITY;
  for (const { name } of candidates) greatest = Math.max(greatest, prefer.get(name) ?? Number.NEGATIVE_INFINITY);
  return candidates.filter(({ name }) => prefer.get(name) === greatest);
}

class Nodes {
  readonly #loads: ReadonlyMap<string, number>;
  readonly #byName = new Map<string, Node>();
  /** Callers share lists between requests, and a list may have hundreds of names. */
  readonly #lists = new Map<readonly string[], readonly Node[]>();

  constructor(loads: ReadonlyMap<string, number>) {
    this.#loads = loads;
  }

  of(names: readonly string[]): readonly Node[] {
    const known = this.#lists.get(names);
    if (known !== undefined) return known;
    const list = names.map((name) => this.#node(name));
    this.#lists.set(names, list);
    return list;
  }

  #node(name: string): Node {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const node = { name, hash: hashText(name), load: this.#loads.get(name) ?? 0, class: 0 };
    this.#byName.set(name, node);
    return node;
  }
}
