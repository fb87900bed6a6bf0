import type { Lease } from '../kubernetes/types.js';

interface Session {
  renewTime: string | null;
  /** When its last renewal arrived here, monotonic. */
  seenMs: number;
  durationMs: number;
}

/**
 * Which nodes' speakers reach the API server, by when their renewals arrive here: clocks of nodes differ. While this node does
 * not reach it, nothing is known of the others, and nothing changes. A connection may stand and carry nothing, as with a server
 * that hangs: so only what arrives, this node's own renewals at least, proves that others did not renew theirs.
 */
export class SessionWatch {
  readonly #sessions = new Map<string, Session>();
  #connected = true;
  /** When something last arrived; null: that is not told. */
  #toldMs: number | null = null;

  /** @param lease null: there is none any more */
  seen(node: string, lease: Lease | null, nowMs: number): void {
    if (lease === null || lease.holder === null || lease.holder === '') {
      this.#sessions.delete(node);
      return;
    }
    const { renewTime, durationMs } = lease;
    const known = this.#sessions.get(node);
    if (known && known.renewTime === renewTime) known.durationMs = durationMs;
    else this.#sessions.set(node, { renewTime, seenMs: nowMs, durationMs });
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
