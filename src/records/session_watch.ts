import type { Lease } from '../kubernetes/types.js';
import type { Takeover } from '../ownership/fence.js';
import { TAKEOVER_ANNOTATION } from './names.js';

interface Session {
  renewTime: string | null;
  /** When its last renewal arrived here, monotonic. */
  seenMs: number;
  durationMs: number;
  takeover: Takeover;
}

/**
 * Which nodes' speakers reach the API server, by when their renewals arrive here: clocks of nodes differ. While this node does
 * not reach it, nothing is known of the others, and nothing changes. A connection may stand and carry nothing, as with a server
 * that hangs: so only what arrives, this node's own renewals at least, proves that others did not renew theirs.
 */
export class SessionWatch {
  readonly #sessions = new Map<string, Session>();
  readonly #ended = new Set<string>();
  #connected = true;
  /** When something last arrived; null: that is not told. */
  #toldMs: number | null = null;

  /** @param lease null: there is none any more */
  seen(node: string, lease: Lease | null, nowMs: number): void {
    // Who runs writes it again; its session is not over before its time.
    if (lease === null) {
      this.#ended.delete(node);
      const known = this.#sessions.get(node);
      if (known && nowMs >= endOf(known)) this.#sessions.delete(node);
      return;
    }
    if (lease.holder === null || lease.holder === '') {
      this.#sessions.delete(node);
      this.#ended.add(node);
      return;
    }
    this.#ended.delete(node);
    const { renewTime, durationMs } = lease;
    const takeover = lease.annotations[TAKEOVER_ANNOTATION] === 'fenced' ? 'fenced' : 'fast';
    const known = this.#sessions.get(node);
    const seenMs = known && known.renewTime === renewTime ? known.seenMs : nowMs;
    this.#sessions.set(node, { renewTime, seenMs, durationMs, takeover });
  }

  /** Names of the nodes whose session lasts and which take over in that way; sorted. */
  inMode(takeover: Takeover, nowMs: number): string[] {
    return this.live(nowMs).filter((node) => this.#sessions.get(node)?.takeover === takeover);
  }

  /** Whether the API server is reached. When it is again, every session has its whole duration once more. */
  connected(yes: boolean, nowMs: number): void {
    if (yes && !this.#connected) this.#prolong(nowMs);
    this.#connected = yes;
  }

  /** Changes have arrived, `seen` is told of all of them. After half of a session without any, it is as after an outage. */
  told(nowMs: number): void {
    const quietMs = Math.min(...Array.from(this.#sessions.values(), ({ durationMs }) => durationMs)) / 2;
    if (this.#toldMs !== null && nowMs - this.#toldMs >= quietMs) this.#prolong(nowMs);
    this.#toldMs = nowMs;
  }

  /** Names of the nodes that have ended their session, and have no other since; sorted. */
  get ended(): string[] {
    return [...this.#ended].sort();
  }

  /** Names of the nodes whose session lasts; sorted. */
  live(nowMs: number): string[] {
    const provedMs = Math.min(nowMs, this.#toldMs ?? nowMs);
    const live = [...this.#sessions].filter(([, session]) => !this.#connected || provedMs < endOf(session));
    return live.map(([node]) => node).sort();
  }

  /** When a session may end next; null: none. */
  nextMs(nowMs: number): number | null {
    if (!this.#connected) return null;
    const ends = Array.from(this.#sessions.values(), endOf).filter((endMs) => endMs > nowMs);
    return ends.length === 0 ? null : Math.min(...ends);
  }

  #prolong(nowMs: number): void {
    for (const session of this.#sessions.values()) session.seenMs = nowMs;
  }
}

function endOf({ seenMs, durationMs }: Session): number {
  return seenMs + durationMs;
}
