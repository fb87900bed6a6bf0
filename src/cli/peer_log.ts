import type { Logger } from '../log.js';
import type { PeerReport } from '../responder/types.js';

interface Known {
  readonly peer: PeerReport;
  /** When its link became what it is. */
  readonly sinceMs: number;
  readonly oneWayTold: boolean;
}

/** A new peer does not hear us before our first heartbeats have reached it. */
const ONE_WAY_MS = 2_000;

/** A line of the log whenever a peer comes, goes, or no longer hears this node. */
export class PeerLog {
  readonly #log: Logger;
  readonly #known = new Map<string, Known>();

  constructor(log: Logger) {
    this.#log = log;
  }

  report(peer: PeerReport, nowMs: number): void {
    const key = keyOf(peer);
    const before = this.#known.get(key) ?? null;
    const restarted = before !== null && before.peer.incarnation !== peer.incarnation;
    // The end of a process may be told after the start of its successor.
    if (restarted && peer.link === 'down') return;
    const last = restarted ? null : (before?.peer.link ?? null);
    if (last === peer.link && before) {
      this.#known.set(key, { ...before, peer });
      return;
    }
    this.#known.set(key, { peer, sinceMs: nowMs, oneWayTold: last === 'two-way' && peer.link === 'one-way' });
    this.#tell(peer, last, restarted);
  }

  /** To be called every second or so: who does not hear us for long is told once. */
  tick(nowMs: number): void {
    for (const [key, known] of this.#known) {
      const { peer, sinceMs, oneWayTold } = known;
      if (peer.link !== 'one-way' || oneWayTold || nowMs - sinceMs < ONE_WAY_MS) continue;
      this.#known.set(key, { ...known, oneWayTold: true });
      this.#log.warn(
        fieldsOf(peer),
        `${peer.node} is heard on ${peer.interfaceName}, but does not hear this node; look at its log and at the switch`,
      );
    }
  }

  #tell(peer: PeerReport, last: PeerReport['link'] | null, restarted: boolean): void {
    const { node, interfaceName: name, link, state } = peer;
    if (link === 'two-way') {
      this.#log.info(fieldsOf(peer), `${node} is heard on ${name}${restarted ? ', started anew' : ''}`);
    } else if (link === 'down' && last !== null) {
      if (state === 'leaving') this.#log.info(fieldsOf(peer), `${node} has left ${name}`);
      else this.#log.warn(fieldsOf(peer), `${node} is down on ${name}`);
    } else if (link === 'one-way' && last === 'two-way') {
      this.#log.warn(fieldsOf(peer), `${node} does not hear this node on ${name} any more`);
    }
  }
}

function keyOf({ interfaceName, node }: PeerReport): string {
  return `${interfaceName} ${node}`;
}

function fieldsOf({ node, interfaceName, mac, state, link }: PeerReport): Record<string, string> {
  return { peer: node, interface: interfaceName, mac, state, link };
}
