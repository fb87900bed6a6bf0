import type { Lease } from '../kubernetes/types.js';

interface Session {
  renewTime: string | null;
  /** When its last renewal arrived here, monotonic. */
  seenMs: number;
  durationMs: number;
}

/**
 * Which nodes' speakers reach the API server, by when their renewals arrive here: clocks of nodes differ. While this node does
 * not reach it, nothing is known of the others, and nothing changes.
 */
export class SessionWatch {
  readonly #sessions = new Map<string, Session>();
  #connected = true;

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

  /** Whether changes arrive. When they do so again, every session has its whole duration once more. */
  connected(yes: boolean, nowMs: number): void {
    if (yes && !this.#connected) for (const session of this.#sessions.values()) session.seenMs = nowMs;
    this.#connected = yes;
  }

  /** Names of the nodes whose session lasts; sorted. */
  live(nowMs: number): string[] {
    const live = [...this.#sessions].filter(([, session]) => !this.#connected || nowMs < endOf(session));
    return live.map(([node]) => node).sort();
  }

  /** When a session may end next; null: none. */
  nextMs(nowMs: number): number | null {
    if (!this.#connected) return null;
    const ends = Array.from(this.#sessions.values(), endOf).filter((endMs) => endMs > nowMs);
    return ends.length === 0 ? null : Math.min(...ends);
  }
}

function endOf({ seenMs, durationMs }: Session): number {
  return seenMs + durationMs;
}
