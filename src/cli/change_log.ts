import type { ClaimState } from '../claim/claim.js';
import type { Logger } from '../log.js';
import type { Effect } from '../speaker.js';

type Change = Extract<Effect, { type: 'changed' }>;

/** More changes of one kind than this in one step make one line. */
const MAX_LINES = 20;
const MAX_NAMED = 5;

const MEANING: Record<ClaimState, string> = {
  waiting: 'waits',
  probing: 'is probed',
  standby: 'is left to another node',
  tentative: 'is answered, tentatively',
  newcomer: 'is answered, and yields to any other user',
  owned: 'is answered and defended',
  conflict: 'is held back: another host uses it',
};

/** One line per change of state; thousands that change together make one. */
export function logChanges(log: Logger, changes: readonly Change[]): void {
  const groups = new Map<string, Change[]>();
  for (const change of changes) {
    const key = [change.interfaceName, change.from, change.to].join('/');
    const group = groups.get(key);
    if (group) group.push(change);
    else groups.set(key, [change]);
  }
  for (const group of groups.values()) {
    if (group.length > MAX_LINES) logMany(log, group);
    else for (const change of group) logOne(log, change);
  }
}

function logOne(log: Logger, { address, interfaceName, from, to, reason, rivalMac }: Change): void {
  log[levelOf(to, rivalMac)](
    { address, interface: interfaceName, from, to, reason, ...(rivalMac && { mac: rivalMac }) },
    `${address} on ${interfaceName} ${MEANING[to]} (${reason})`,
  );
}

function logMany(log: Logger, group: readonly Change[]): void {
  const [first] = group;
  if (!first) return;
  const { interfaceName, from, to, reason } = first;
  const some = group.slice(0, MAX_NAMED).map(({ address }) => address);
  log[levelOf(to, first.rivalMac)](
    { interface: interfaceName, from, to, reason, count: group.length, addresses: some },
    `${group.length} addresses on ${interfaceName}, such as ${some.join(', ')}: each ${MEANING[to]}`,
  );
}

/** Who stands by does nothing, and hears of thousands in many messages; the moves have lines of their own. */
function levelOf(to: ClaimState, rivalMac: string | null): 'debug' | 'info' | 'warn' {
  if (to === 'standby') return 'debug';
  return to === 'conflict' || (to === 'owned' && rivalMac !== null) ? 'warn' : 'info';
}
