import type { Address } from '../net/address.js';
import type { Fence, Heard } from '../ownership/fence.js';
import type { OwnershipRecord, Records } from '../ownership/records.js';
import type { Segment } from '../ownership/segment.js';

/** What follows for the segments of a node from what its fence says. Pure. */
export class Fencing {
  constructor(
    private readonly node: string,
    private readonly fence: Fence,
    private readonly records: Records,
    private readonly segments: ReadonlyMap<string, Segment>,
  ) {}

  /** To be called whenever something happened, before and after it counts. */
  look(nowMs: number): void {
    const { fence, records } = this;
    const { live, ended } = records;
    const heard = (node: string) => this.#heard(node);
    const nodes = fence.look(nowMs, { live, ended, holders: records.holders(), heard });
    for (const segment of this.segments.values()) {
      if (!fence.mayTake) segment.lapsed(!fence.mayAnswer);
      if (nodes.length > 0) segment.placeAnew();
      for (const node of nodes) segment.recorded(records.recordsOf(node));
    }
  }

  renewed(untilMs: number, nowMs: number): void {
    this.fence.renewed(untilMs, nowMs);
    for (const segment of this.segments.values()) segment.placeAnew();
  }

  /** Records say something new. */
  seen(records: readonly OwnershipRecord[]): void {
    for (const { address, node, begunMs } of records) {
      if (node !== this.node) this.fence.drop(address);
      else if (begunMs !== undefined && this.#owns(address)) this.fence.confirm(address, begunMs);
    }
  }

  /** An address was given up on a segment: its record is to be released. */
  yielded(address: Address): void {
    if (!this.#owns(address)) this.fence.drop(address);
  }

  #owns(address: Address): boolean {
    for (const segment of this.segments.values()) if (segment.owns(address)) return true;
    return false;
  }

  #heard(node: string): Heard {
    let heard = false;
    let known = true;
    let left: boolean | null = null;
    for (const segment of this.segments.values()) {
      const report = segment.members.get(node)?.report;
      if (!report) continue;
      const { link, state } = report;
      if (link === 'two-way') heard = true;
      if (link !== 'down' && !segment.knows(node)) known = false;
      left = left !== false && link === 'down' && state === 'leaving';
    }
    if (heard) return known ? 'known' : 'heard';
    return left ? 'left' : 'no';
  }
}
