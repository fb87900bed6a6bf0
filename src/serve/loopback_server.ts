import { ArpeggioError } from '../errors.js';
import type { Logger } from '../log.js';
import type { Address } from '../net/address.js';
import {
  ARP_SYSCTLS,
  effectiveArpSysctl,
  isSufficient,
  readArpSysctl,
  SERVING_VALUE,
  type SysctlChange,
  writeArpSysctl,
} from './arp_sysctls.js';
import { hasNetAdmin } from './capability.js';
import { noNetAdmin } from './ip_command.js';
import { changeLoopback, type Loopback, readLoopback } from './loopback_addresses.js';
import {
  addressesOf,
  DEFAULT_STATE_FILE,
  emptyState,
  type InterfaceRecord,
  ownerRuns,
  placeOf,
  readState,
  type ServeState,
  writeState,
} from './state_file.js';
import { type CleanupReport, restoreSysctls, undo } from './undo.js';

/** An interface as rtnetlink names it. */
export interface InterfaceRef {
  readonly name: string;
  readonly index: number;
}

export interface LoopbackServerOptions {
  /** One for each network namespace. Default: /run/arpeggio/serve.json */
  stateFile?: string;
  log: Logger;
}

/** What one pass achieved. */
interface Pass {
  /** Addresses are left to remove. */
  readonly more: boolean;
  readonly error: ArpeggioError | null;
}

const DONE: Pass = { more: false, error: null };

// The kernel takes about 2 ms to remove one of 10,000 IPv6 addresses; new ones should not wait for all of them.
const REMOVALS_PER_PASS = 250;

/**
 * `serve: loopback`: keeps the service IPs on `lo` as /32 and /128, and tells the kernel not to answer ARP for them
 * (for IPv6 it never does: ndisc_recv_ns() looks at the receiving interface only).
 *
 * It never removes an address that was there before it, and never gives up by itself what it has added: traffic of
 * late clients must still find the address after a stop. What it changes is written to the state file first, so that
 * {@link cleanUp} can undo it after any end of the process.
 *
 * Calls may come at any rate: one pass at a time works towards the newest wish, and reads what is really there, so
 * that repeating a call also repairs what others removed.
 */
export class LoopbackServer {
  private wantedAddresses: ReadonlySet<Address> | null = null;
  private wantedInterfaces: readonly InterfaceRef[] | null = null;
  private ours: Set<Address>;
  private readonly records: Map<number, InterfaceRecord>;
  private foreignAddresses: ReadonlySet<Address> = new Set();
  private written = '';
  private running: Promise<void> = Promise.resolve();
  private queued: Promise<void> | null = null;
  private closed = false;

  private constructor(
    private readonly stateFile: string,
    private readonly log: Logger,
    private readonly state: ServeState,
  ) {
    this.ours = addressesOf(state);
    this.records = new Map(state.interfaces.map((record) => [record.index, record]));
  }

  /**
   * Takes over what an earlier process recorded; changes nothing yet.
   * @throws ArpeggioError ERR_ALREADY_RUNNING while another process uses the state file
   */
  static open({ stateFile = DEFAULT_STATE_FILE, log }: LoopbackServerOptions): LoopbackServer {
    const earlier = earlierState(stateFile, log);
    return new LoopbackServer(stateFile, log, {
      ...emptyState(),
      ...(earlier && { addresses: earlier.addresses, interfaces: earlier.interfaces }),
    });
  }

  /** Service IPs that were on `lo` already: served, but never removed. Known after {@link setAddresses}. */
  get foreign(): ReadonlySet<Address> {
    return this.foreignAddresses;
  }

  /**
   * Makes these the service IPs on `lo`, new ones first. Resolves once that is so.
   * @throws ArpeggioError ERR_NO_CAP_NET_ADMIN, ERR_TOOL_MISSING, ERR_SYSTEM; the rest of the addresses is in place
   */
  setAddresses(addresses: Iterable<Address>): Promise<void> {
    this.wantedAddresses = new Set(addresses);
    return this.schedule();
  }

  /**
   * Sets arp_ignore and arp_announce on these interfaces and restores them on those no longer given. Give every
   * interface that speaks ARP, not only those on which services are announced: on the others the kernel would answer
   * for the service IPs. Call it before, or together with, {@link setAddresses}; again whenever links come or change.
   * @throws as setAddresses
   */
  setInterfaces(interfaces: readonly InterfaceRef[]): Promise<void> {
    this.wantedInterfaces = interfaces.map(({ name, index }) => ({ name, index }));
    return this.schedule();
  }

  /** Removes the addresses and restores the sysctls; the server can be used again afterwards. */
  cleanup(): Promise<CleanupReport> {
    this.wantedAddresses = null;
    this.wantedInterfaces = null;
    this.queued = null;
    const report = this.running.then(() => this.undoAll());
    this.running = report.then(
      () => {},
      () => {},
    );
    return report;
  }

  /** Waits for work under way and leaves everything as it is. Later calls are refused. */
  async close(): Promise<void> {
    this.closed = true;
    await this.running;
  }

  // A pass starts after the calls of this turn of the event loop, or after the pass that runs now.
  private schedule(): Promise<void> {
    if (this.closed)
      return Promise.reject(new ArpeggioError('ERR_INVALID_ARGUMENT', 'the loopback server is closed; open a new one'));
    if (this.queued !== null) return this.queued;
    const pass: Promise<void> = this.running.then(() => {
      if (this.queued === pass) this.queued = null;
      return this.apply();
    });
    this.running = pass.catch(() => {});
    this.queued = pass;
    return pass;
  }

  private async undoAll(): Promise<CleanupReport> {
    const report = await undo(this.stateFile, this.snapshot());
    this.ours.clear();
    this.records.clear();
    this.written = '';
    return report;
  }

  // Interfaces first, and no address where that fails: the kernel of every node would answer for it.
  private async apply(): Promise<void> {
    this.prepareInterfaces();
    let pass: Pass;
    do {
      pass = await this.changeAddresses();
    } while (pass.more);
    await this.releaseInterfaces();
    if (pass.error) throw pass.error;
  }

  private prepareInterfaces(): void {
    const changes: SysctlChange[] = [];
    for (const { name, index } of this.wantedInterfaces ?? []) {
      for (const sysctl of ARP_SYSCTLS) {
        const effective = effectiveArpSysctl(name, sysctl);
        if (effective === null || isSufficient(sysctl, effective)) continue;
        const record = this.records.get(index) ?? { index, name, original: { arp_ignore: null, arp_announce: null } };
        record.original[sysctl] ??= readArpSysctl(name, sysctl);
        this.records.set(index, record);
        changes.push({ interfaceName: name, sysctl, value: SERVING_VALUE[sysctl] });
      }
    }
    if (changes.length === 0) return;
    if (!hasNetAdmin()) throw noNetAdmin('setting arp_ignore and arp_announce');
    this.save();
    for (const { interfaceName, sysctl, value } of changes) writeArpSysctl(interfaceName, sysctl, value);
    this.log.info({ sysctls: changes }, 'the kernel no longer answers ARP for addresses of other interfaces');
  }

  private async changeAddresses(): Promise<Pass> {
    if (this.wantedAddresses === null) return DONE;
    const before = await readLoopback(new Set([...this.ours, ...this.wantedAddresses]));
    const wanted = this.wantedAddresses;
    if (wanted === null) return DONE;
    this.ours = new Set([...this.ours].filter((address) => before.addresses.has(address)));
    const add = [...wanted].filter((address) => !before.addresses.has(address));
    const surplus = [...this.ours].filter((address) => !wanted.has(address));
    const remove = surplus.slice(0, REMOVALS_PER_PASS);
    const setUp = !before.up && wanted.size > 0;
    if (!setUp && add.length === 0 && remove.length === 0) {
      this.settle(wanted, before);
      return DONE;
    }
    if (!hasNetAdmin()) throw noNetAdmin('keeping service IPs on lo');
    for (const address of add) this.ours.add(address);
    this.save();
    const failure = await changeLoopback({ setUp, add, remove }).catch((error) => {
      // Nothing was changed: what somebody else adds later must not be taken for ours.
      for (const address of add) this.ours.delete(address);
      this.save();
      throw error;
    });
    const after = failure ? await readLoopback(wanted) : { up: true, addresses: wanted };
    // A refused addition is missing, or somebody else made it in the meantime: not ours either way.
    for (const address of add) if (failure?.addresses.has(address)) this.ours.delete(address);
    const left = remove.filter((address) => after.addresses.has(address));
    for (const address of remove) if (!left.includes(address)) this.ours.delete(address);
    this.settle(wanted, after);
    this.log.info(
      { added: add.length, removed: remove.length - left.length, serving: wanted.size },
      'service IPs on lo changed',
    );
    return {
      more: surplus.length > remove.length && left.length < remove.length,
      error: failure && missingError(wanted, after, failure.message),
    };
  }

  private settle(wanted: ReadonlySet<Address>, { addresses }: Loopback): void {
    const foreign = new Set([...wanted].filter((address) => addresses.has(address) && !this.ours.has(address)));
    const news = [...foreign].filter((address) => !this.foreignAddresses.has(address));
    if (news.length > 0)
      this.log.info(
        { addresses: news.slice(0, 10), count: news.length },
        'service IPs were on lo before; they are left there',
      );
    this.foreignAddresses = foreign;
    this.save();
  }

  private async releaseInterfaces(): Promise<void> {
    if (this.wantedInterfaces === null) return;
    const inUse = new Set(this.wantedInterfaces.map(({ index }) => index));
    const released = [...this.records.values()].filter(({ index }) => !inUse.has(index));
    if (released.length === 0) return;
    const { restored } = await restoreSysctls(released);
    for (const { index } of released) this.records.delete(index);
    this.save();
    if (restored.length > 0) this.log.info({ sysctls: restored }, 'ARP sysctls of unused interfaces restored');
  }

  private snapshot(): ServeState {
    return { ...this.state, addresses: [...this.ours], interfaces: [...this.records.values()] };
  }

  // Nothing is written before there is something to undo: a node with nothing to serve needs no state file.
  private save(): void {
    if (this.written === '' && this.ours.size === 0 && this.records.size === 0) return;
    const state = this.snapshot();
    const text = JSON.stringify(state);
    if (text === this.written) return;
    writeState(this.stateFile, state);
    this.written = text;
  }
}

function missingError(wanted: ReadonlySet<Address>, { addresses }: Loopback, message: string): ArpeggioError | null {
  const missing = [...wanted].filter((address) => !addresses.has(address));
  if (missing.length === 0) return null;
  const some = `${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', ...' : ''}`;
  return new ArpeggioError(
    'ERR_SYSTEM',
    `${missing.length} of ${wanted.size} service IPs could not be put on lo (${some}): ${message}`,
    { interfaceName: 'lo' },
  );
}

function earlierState(stateFile: string, log: Logger): ServeState | null {
  let state: ServeState | null;
  try {
    state = readState(stateFile);
  } catch (error) {
    log.warn({ err: error }, 'starting without a record of earlier changes');
    return null;
  }
  if (state === null || placeOf(state) === 'earlier-boot') return null;
  if (ownerRuns(state))
    throw new ArpeggioError(
      'ERR_ALREADY_RUNNING',
      `process ${state.owner.pid} uses the state file ${stateFile}; stop it, or give this speaker its own --state-file`,
    );
  if (placeOf(state) === 'other-namespace') {
    log.warn({ stateFile }, 'the state file is about another network namespace and is replaced');
    return null;
  }
  return state;
}
