import type { Logger } from '../log.js';
import type { HeartbeatRefusal, ResponderEvent } from '../responder/types.js';

type Refused = Extract<ResponderEvent, { type: 'heartbeat-refused' }>;
type NameInUse = Extract<ResponderEvent, { type: 'name-in-use' }>;

/** Each is told once a minute while it lasts. */
const LASTS_MS = 150_000;

const REASONS: Record<HeartbeatRefusal, string> = {
  'heartbeat-malformed': 'they are no heartbeats; another program uses EtherType 0x88B5 there, or frames are damaged',
  'heartbeat-version': 'they are of another major version; run the same release of arpeggio on all nodes',
  'heartbeat-cluster': 'they are of another cluster; if it is the same, give all nodes the same cluster name',
  'heartbeat-unauthenticated': '',
  'heartbeat-forged':
    'their signature is not of our keys; give all nodes the same key file, and for a change of keys add the new one to all nodes first',
  'heartbeat-replayed': 'they were heard before; look for a loop in the network, or for somebody who sends them again',
  'heartbeat-old-incarnation':
    'they are of a process that was followed by another; look for two processes of one node, or for somebody who sends them again',
};

/** What is wrong with other nodes' frames: told in the log, and in the status for as long as it lasts. */
export class HeartbeatTrouble {
  readonly #log: Logger;
  readonly #lasting = new Map<string, { text: string; atMs: number }>();
  /** Whether this node has keys. */
  #signs: boolean;

  constructor(log: Logger, signs: boolean) {
    this.#log = log;
    this.#signs = signs;
  }

  set signs(signs: boolean) {
    this.#signs = signs;
  }

  refused({ interfaceName, mac, refusal, count }: Refused, nowMs: number): void {
    const sender = mac === '' ? 'several hosts' : mac;
    const text = `heartbeats of ${sender} on ${interfaceName} are refused: ${this.#reason(refusal)}`;
    this.#log.warn({ interface: interfaceName, mac, refusal, count }, text);
    this.#lasting.set(`${interfaceName} ${mac} ${refusal}`, { text, atMs: nowMs });
  }

  nameInUse({ interfaceName, mac, node }: NameInUse, nowMs: number): void {
    const text = `${mac} on ${interfaceName} says that it is ${node} too; give each node a name of its own (node)`;
    this.#log.error({ interface: interfaceName, mac, peer: node }, text);
    this.#lasting.set(`${interfaceName} ${mac} ${node}`, { text, atMs: nowMs });
  }

  warnings(nowMs: number): string[] {
    for (const [key, { atMs }] of this.#lasting) if (nowMs - atMs > LASTS_MS) this.#lasting.delete(key);
    return Array.from(this.#lasting.values(), ({ text }) => text);
  }

  #reason(refusal: HeartbeatRefusal): string {
    if (refusal !== 'heartbeat-unauthenticated') return REASONS[refusal];
    return this.#signs
      ? 'they are not signed; give that node the key file (heartbeat.key.file)'
      : 'they are signed, and this node has no key; give it the key file (heartbeat.key.file)';
  }
}
