// Who said on the wire that an address is its own: raw frames, as they left each node.
import type { Bed } from '../../../src/lab/kubernetes/bed.js';
import { NODE_NAMES, type NodeName } from '../../../src/lab/kubernetes/stage.js';
import { hexIpv4, hexIpv6 } from '../../net/harness/frames.js';
import { type Frame, Wire } from '../../net/harness/wire.js';

interface Word {
  readonly node: NodeName;
  readonly atNs: number;
}

/** Time for the last frames to be told by the programs that capture them. */
const TOLD_MS = 500;

export class Spoken {
  private constructor(private readonly wires: ReadonlyMap<NodeName, Wire>) {}

  static async listen(bed: Bed): Promise<Spoken> {
    const wires = new Map<NodeName, Wire>();
    for (const node of NODE_NAMES) wires.set(node, await Wire.open(bed.host(node)));
    return new Spoken(wires);
  }

  clear(): void {
    for (const wire of this.wires.values()) wire.clear();
  }

  /** The nodes that spoke for the address since {@link clear}, in turn: one that spoke between two frames of another is there twice. */
  async turns(address: string): Promise<NodeName[]> {
    await new Promise((resolve) => setTimeout(resolve, TOLD_MS));
    const words: Word[] = [];
    for (const [node, wire] of this.wires)
      for (const frame of wire.captured((candidate) => speaksFor(candidate, address)))
        words.push({ node, atNs: frame.kernelNs });
    words.sort((a, b) => a.atNs - b.atNs);
    return words.flatMap(({ node }, index) => (words[index - 1]?.node === node ? [] : [node]));
  }

  async close(): Promise<void> {
    for (const wire of this.wires.values()) await wire.close();
  }
}

/** An ARP frame from the address, answer or announcement, or an advertisement of it (RFC 4861 4.4). */
function speaksFor({ hex, type }: Frame, address: string): boolean {
  if (type !== 'outgoing') return false;
  if (hex.startsWith('0806', 24)) return hex.slice(56, 64) === hexIpv4(address);
  const isAdvertisement = hex.startsWith('86dd', 24) && hex.slice(40, 42) === '3a' && hex.slice(108, 110) === '88';
  return isAdvertisement && address.includes(':') && hex.slice(124, 156) === hexIpv6(address);
}
