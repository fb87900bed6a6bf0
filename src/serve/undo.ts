import { ArpeggioError } from '../errors.js';
import type { Address } from '../net/address.js';
import { ARP_SYSCTLS, readArpSysctl, SERVING_VALUE, type SysctlChange, writeArpSysctl } from './arp_sysctls.js';
import { ip } from './ip_command.js';
import { changeLoopback, readLoopback } from './loopback_addresses.js';
import {
  addressesOf,
  type InterfaceRecord,
  ownerRuns,
  placeOf,
  readState,
  removeState,
  type ServeState,
} from './state_file.js';

/** What `arpeggio cleanup` did; all empty when there was nothing to do. */
export interface CleanupReport {
  readonly removed: readonly Address[];
  readonly restored: readonly SysctlChange[];
  /** Left alone, with the value they have now: somebody else changed them after Arpeggio did. */
  readonly kept: readonly SysctlChange[];
}

export const NOTHING_TO_CLEAN: CleanupReport = { removed: [], restored: [], kept: [] };

/**
 * Undoes what a speaker that is gone has left on this node, and deletes the state file. Calling it again does nothing.
 * @param force also while the speaker that wrote the file runs
 * @throws ArpeggioError ERR_ALREADY_RUNNING, ERR_NO_CAP_NET_ADMIN, ERR_TOOL_MISSING, ERR_SYSTEM (file unreadable, or
 *   of another network namespace)
 */
export async function cleanUp(stateFile: string, { force = false } = {}): Promise<CleanupReport> {
  const state = readState(stateFile);
  if (state === null) return NOTHING_TO_CLEAN;
  const place = placeOf(state);
  if (place === 'earlier-boot') {
    removeState(stateFile);
    return NOTHING_TO_CLEAN;
  }
  if (place === 'other-namespace')
    throw new ArpeggioError(
      'ERR_SYSTEM',
      `${stateFile} is about another network namespace (${state.networkNamespace}); clean up inside that one, ` +
        'or delete the file if the namespace is gone',
    );
  if (ownerRuns(state) && !force)
    throw new ArpeggioError(
      'ERR_ALREADY_RUNNING',
      `process ${state.owner.pid} still serves these addresses, and would go on answering for addresses that this ` +
        'node no longer has; stop it first, or use --force',
    );
  return undo(stateFile, state);
}

/** Addresses go first: with the sysctls restored before them the kernel would answer for them itself. */
export async function undo(stateFile: string, state: ServeState): Promise<CleanupReport> {
  const ours = addressesOf(state);
  const { addresses: present } = await readLoopback(ours);
  const removed = [...ours].filter((address) => present.has(address));
  if (removed.length > 0) {
    const failure = await changeLoopback({ setUp: false, add: [], remove: removed });
    if (failure) {
      const left = (await readLoopback(ours)).addresses;
      if (removed.some((address) => left.has(address)))
        throw new ArpeggioError('ERR_SYSTEM', `addresses could not be removed from lo: ${failure.message}`, {
          interfaceName: 'lo',
        });
    }
  }
  const { restored, kept } = await restoreSysctls(state.interfaces);
  removeState(stateFile);
  return { removed, restored, kept };
}

/** Puts the original values back where Arpeggio's are still in force. Interfaces that are gone need nothing. */
export async function restoreSysctls(
  records: readonly InterfaceRecord[],
): Promise<{ restored: SysctlChange[]; kept: SysctlChange[] }> {
  const restored: SysctlChange[] = [];
  const kept: SysctlChange[] = [];
  const names = records.length > 0 ? await namesByIndex() : new Map<number, string>();
  for (const { index, original } of records) {
    const interfaceName = names.get(index);
    if (interfaceName === undefined) continue;
    for (const sysctl of ARP_SYSCTLS) {
      const value = original[sysctl];
      const current = readArpSysctl(interfaceName, sysctl);
      if (value === null || current === null || current === value) continue;
      if (current === SERVING_VALUE[sysctl]) {
        writeArpSysctl(interfaceName, sysctl, value);
        restored.push({ interfaceName, sysctl, value });
      } else kept.push({ interfaceName, sysctl, value: current });
    }
  }
  return { restored, kept };
}

async function namesByIndex(): Promise<Map<number, string>> {
  const { ok, stdout, stderr } = await ip(['-j', 'link', 'show']);
  if (!ok) throw new ArpeggioError('ERR_SYSTEM', `the interfaces cannot be listed: ${stderr}`);
  const links = JSON.parse(stdout) as { ifindex: number; ifname: string }[];
  return new Map(links.map(({ ifindex, ifname }) => [ifindex, ifname]));
}
