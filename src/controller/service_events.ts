import { isSilent } from '../allocation/refusals.js';
import type { Allocation } from '../allocation/types.js';
import type { Service } from '../kubernetes/types.js';

/** An event of core/v1 about a service, for people. */
export interface Notice {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** What is to be said when a decision was made, before anything is written; nothing that was said before. */
export function decisionNotices(before: Allocation | null, allocation: Allocation | null): Notice[] {
  if (allocation === null) return [];
  const notices: Notice[] = [];
  const { error, message } = allocation;
  if (error !== null && !isSilent(error) && (before?.error !== error || before.message !== message)) {
    notices.push({ type: 'Warning', reason: 'AllocationFailed', message: `No address for this service: ${message}` });
  }
  for (const warning of allocation.warnings) {
    if (!before?.warnings.includes(warning)) notices.push({ type: 'Warning', reason: 'Deprecated', message: warning });
  }
  return notices;
}

/** What is to be said when an object has changed by our hand. `advertised`: whether any L2Advertisement is for a pool. */
export function writeNotices(
  before: Service,
  after: Service,
  allocation: Allocation | null,
  advertised: (pool: string) => boolean,
): Notice[] {
  const lost = before.ingress.filter((ip) => !after.ingress.includes(ip));
  const gained = after.ingress.filter((ip) => !before.ingress.includes(ip));
  const notices: Notice[] = [];
  if (lost.length > 0) {
    const why = allocation?.message ?? (gained.length > 0 ? 'the service asks for another one' : 'it is not needed');
    notices.push({ type: 'Normal', reason: 'ClearAssignment', message: `Took back ${quoted(lost)}: ${why}` });
  }
  if (gained.length > 0) {
    const pool = allocation?.pool ?? null;
    const from = pool === null ? '' : ` from pool ${JSON.stringify(pool)}`;
    notices.push({ type: 'Normal', reason: 'IPAllocated', message: `Assigned IP ${quoted(after.ingress)}${from}` });
    if (pool !== null && !advertised(pool)) {
      const message = `No L2Advertisement is for pool ${JSON.stringify(pool)}: nobody will announce ${quoted(gained)}; create an L2Advertisement that names the pool, or one without ipAddressPools`;
      notices.push({ type: 'Warning', reason: 'NotAdvertised', message });
    }
  }
  return notices;
}

const quoted = (addresses: readonly string[]): string => JSON.stringify(addresses);
