import { ArpeggioError } from '../errors.js';
import { ADDRESS_BYTES, type Address, writeAddress } from '../net/address.js';
import { addon, linkFromNative, type NativeResponder } from './addon.js';
import { checkHeartbeatOptions, checkKeys } from './heartbeat_options.js';
import { translateNativeError } from './native_error.js';
import { eventFromNative } from './native_event.js';
import { MaskArray, packAddresses, packPlans } from './table_arrays.js';
import type { Advertisement, HeartbeatOptions, PeerHeard, ResponderEvent, Table } from './types.js';

/** Offsets in milliseconds at which an announcement is repeated, per family. */
export interface AnnouncementSchedule {
  readonly ipv4Ms: readonly number[];
  readonly ipv6Ms: readonly number[];
}

export interface ResponderOptions {
  readonly onEvent: (event: ResponderEvent) => void;
  /** How to announce by itself when an interface comes back or its MAC changes. */
  readonly linkSchedule: AnnouncementSchedule;
  /** False: the classic filter also where loading BPF is permitted. Default true. */
  readonly ebpfFilter?: boolean;
  /** False: leave the thread's priority alone. Default true. */
  readonly raisePriority?: boolean;
  /** Speak with other nodes by heartbeats; null (default): alone. */
  readonly heartbeat?: HeartbeatOptions | null;
}

export interface ResponderDescription {
  readonly filter: 'ebpf' | 'classic';
  /** Why the eBPF filter is not used; "" when it is. */
  readonly filterReason: string;
  /** Scheduling policy of the packet thread: real time where permitted (CAP_SYS_NICE). */
  readonly scheduling: 'fifo 1' | 'normal';
  /** Its nice value, where scheduling is normal: -15 where a limit permits that (RLIMIT_NICE), else 0. */
  readonly nice: number;
}

export interface AddressCounters {
  readonly requests: number;
  readonly replies: number;
  readonly announcements: number;
}

interface KnownAddress {
  readonly counterSlot: number;
  readonly bytes: Uint8Array;
  /** Of its entry in the table. */
  position: number;
  /** What the counter slot's previous user left in it. */
  readonly baseline: Float64Array;
}

/**
 * The packet thread: answers ARP and NDP from the table last published. It runs without JavaScript; a closed or
 * forgotten responder stops answering. Does not keep the process alive by itself.
 */
export class Responder {
  #native: NativeResponder | null;
  readonly #onEvent: (event: ResponderEvent) => void;
  readonly #slots: string[] = [];
  readonly #known = new Map<Address, KnownAddress>();
  readonly #freeCounterSlots: number[] = [];
  #nextCounterSlot = 0;

  /** @throws {ArpeggioError} ERR_NO_CAP_NET_RAW, ERR_SYSTEM, ERR_INVALID_ARGUMENT for heartbeats out of range */
  constructor(options: ResponderOptions) {
    const { ipv4Ms, ipv6Ms } = options.linkSchedule;
    const { heartbeat = null } = options;
    if (heartbeat !== null) checkHeartbeatOptions(heartbeat);
    this.#onEvent = options.onEvent;
    // The addon holds its function for as long as its thread runs: a weak reference lets a forgotten handle be collected,
    // also where onEvent refers to it.
    const self = new WeakRef(this);
    try {
      this.#native = new addon.NativeResponder(
        {
          ebpfFilter: options.ebpfFilter ?? true,
          raisePriority: options.raisePriority ?? true,
          linkScheduleIpv4Ms: Uint32Array.from(ipv4Ms),
          linkScheduleIpv6Ms: Uint32Array.from(ipv6Ms),
          heartbeat,
        },
        () => {
          const responder = self.deref();
          if (responder !== undefined) responder.#deliver();
        },
      );
    } catch (error) {
      throw translateNativeError(error);
    }
  }

  /**
   * Replaces the table. It is answered from within microseconds, and until `lifetimeMs` from now unless published or
   * renewed again (dead-man switch).
   * @throws {ArpeggioError} ERR_INVALID_ARGUMENT for more than 64 interfaces, ERR_RESPONDER_CLOSED
   */
  publish(table: Table, lifetimeMs: number): void {
    const native = this.#open();
    this.#assignSlots(table.interfaces);
    const count = table.entries.length;
    const addresses = new Uint8Array(count * ADDRESS_BYTES);
    const selected = new MaskArray(count, this.#slots);
    const answer = new MaskArray(count, this.#slots);
    const tentative = new MaskArray(count, this.#slots);
    const quiet = new MaskArray(count, this.#slots);
    const counterSlots = new Uint32Array(count);
    const wanted = new Set<Address>();
    for (const entry of table.entries) wanted.add(entry.address);
    for (const [address, known] of this.#known) {
      if (wanted.has(address)) continue;
      this.#known.delete(address);
      this.#freeCounterSlots.push(known.counterSlot);
    }
    table.entries.forEach((entry, index) => {
      const known = this.#known.get(entry.address) ?? this.#learn(entry.address, native);
      known.position = index;
      addresses.set(known.bytes, index * ADDRESS_BYTES);
      selected.set(index, entry.selected);
      answer.set(index, entry.answer);
      tentative.set(index, entry.tentative);
      if (entry.quiet) quiet.set(index, entry.quiet);
      counterSlots[index] = known.counterSlot;
    });
    native.publish(
      this.#slots,
      addresses,
      selected.masks,
      answer.masks,
      tentative.masks,
      quiet.masks,
      counterSlots,
      lifetimeMs,
      packPlans(table.plans ?? [], this.#slots, (address) => this.#known.get(address)?.position),
      table.tookSeen ?? 0,
      Float64Array.from(this.#slots, (name) => table.holdsLifted?.[name] ?? 0),
    );
  }

  /** Prolongs the current table's life to `lifetimeMs` from now. */
  renew(lifetimeMs: number): void {
    this.#open().renew(lifetimeMs);
  }

  /**
   * Announces addresses on an interface. When the time of each frame comes it is sent only if the address is answered
   * there, neither tentatively nor quietly. Urgent announcements go before others.
   * @param confirm a number that `confirmed` events tell again: the clients known to use the addresses are asked to
   *   follow, one by one. 0, and without heartbeats: they are not.
   */
  announce(
    addresses: readonly Address[],
    interfaceName: string,
    schedule: AnnouncementSchedule,
    urgent: boolean,
    confirm = 0,
  ): void {
    const slot = this.#slots.indexOf(interfaceName);
    if (slot < 0 || addresses.length === 0) return;
    this.#open().announce(
      packAddresses(addresses),
      slot,
      Uint32Array.from(schedule.ipv4Ms),
      Uint32Array.from(schedule.ipv6Ms),
      urgent,
      confirm,
    );
  }

  /** Sends ARP probes and DAD solicitations at the given offsets, for addresses selected on the interface. */
  probe(addresses: readonly Address[], interfaceName: string, offsetsMs: readonly number[]): void {
    const slot = this.#slots.indexOf(interfaceName);
    if (slot < 0 || addresses.length === 0) return;
    this.#open().probe(packAddresses(addresses), slot, Uint32Array.from(offsetsMs));
  }

  /**
   * What heartbeats on an interface say from now on. A change of the state or of the claims' version is told at once,
   * beside the schedule. `leaving` is said three times within 10 ms and then no more: wait for that before close().
   */
  advertise(interfaceName: string, advertisement: Advertisement): void {
    this.#open().advertise(interfaceName, advertisement);
  }

  /**
   * Sends a message to all nodes on an interface's segment. Nobody acknowledges it; while the interface is not usable
   * it is lost.
   * @throws {ArpeggioError} ERR_INVALID_ARGUMENT when it does not fit a frame
   */
  send(interfaceName: string, body: Uint8Array): void {
    const native = this.#open();
    const limit = native.maxMessageSize();
    if (body.length > limit) {
      throw new ArpeggioError(
        'ERR_INVALID_ARGUMENT',
        `a message has ${body.length} bytes; at most ${limit} fit a frame`,
      );
    }
    native.send(interfaceName, body);
  }

  /**
   * Replaces the keys: the first signs, each is accepted. None: nothing is signed, and what is signed is refused.
   * @throws {ArpeggioError} ERR_INVALID_ARGUMENT for an empty key
   */
  setKeys(keys: readonly Uint8Array[]): void {
    checkKeys(keys);
    this.#open().setKeys(keys);
  }

  /**
   * When each peer was heard last, of those that `peer` events have told of; for as long as the thread remembers it: ten
   * minutes after it is down, or until it is heard as another process. Does not disturb the thread.
   */
  peersHeard(): readonly PeerHeard[] {
    return this.#open().peersHeard();
  }

  /** Counters of every interface by name: see native/counters.h; drops under `drops` by the names of drop_reason.h. */
  interfaceCounters(): Map<string, { counters: Record<string, number>; drops: Record<string, number> }> {
    const native = this.#open();
    const result = new Map<string, { counters: Record<string, number>; drops: Record<string, number> }>();
    const names = addon.interfaceCounterNames;
    for (const [slot, interfaceName] of this.#slots.entries()) {
      if (interfaceName === '') continue;
      const values = native.interfaceCounters(slot);
      result.set(interfaceName, {
        counters: Object.fromEntries(names.map((name, index) => [name, values[index] ?? 0])),
        drops: Object.fromEntries(addon.dropReasons.map((name, index) => [name, values[names.length + index] ?? 0])),
      });
    }
    return result;
  }

  /** Counters of every address of the table, read in one call. */
  addressCounters(): Map<Address, AddressCounters> {
    const known = [...this.#known];
    const slots = Uint32Array.from(known, ([, { counterSlot }]) => counterSlot);
    const values = this.#open().addressCounters(slots);
    return new Map(
      known.map(([address, { baseline }], index) => {
        const value = (at: number): number => (values[index * 3 + at] ?? 0) - (baseline[at] ?? 0);
        return [address, { requests: value(0), replies: value(1), announcements: value(2) }];
      }),
    );
  }

  describe(): ResponderDescription {
    const { ebpf, ebpfReason, fifo, nice } = this.#open().describe();
    return {
      filter: ebpf ? 'ebpf' : 'classic',
      filterReason: ebpf ? '' : ebpfReason,
      scheduling: fifo ? 'fifo 1' : 'normal',
      nice,
    };
  }

  /** Stops the thread; returns when it has ended. Nothing is sent. Closing twice is harmless. */
  close(): void {
    const native = this.#native;
    this.#native = null;
    native?.close();
  }

  #open(): NativeResponder {
    if (!this.#native) throw new ArpeggioError('ERR_RESPONDER_CLOSED', 'the responder is closed; open a new one');
    return this.#native;
  }

  #deliver(): void {
    // A wake may still be on its way when the handle is closed.
    if (!this.#native) return;
    const { peers, events, links, lost } = this.#native.takeEvents();
    const all = events.map(eventFromNative);
    const first = ({ type }: ResponderEvent) => type === 'took' || type === 'held';
    this.#tell([
      ...(links ? [{ type: 'links' as const, links: links.map(linkFromNative) }] : []),
      // What the thread did by itself comes before the reports that were its reason: nobody does it again.
      ...all.filter(first),
      // Who speaks is known before what it says.
      ...peers.map((peer) => ({ type: 'peer' as const, peer })),
      ...all.filter((event) => !first(event)),
      ...(lost > 0 ? [{ type: 'events-lost' as const, count: lost }] : []),
    ]);
  }

  /** A handler that throws loses none of the others: they are not told twice. */
  #tell(events: readonly ResponderEvent[]): void {
    for (const [index, event] of events.entries()) {
      // The handler may have closed us.
      if (!this.#native) return;
      try {
        this.#onEvent(event);
      } catch (error) {
        queueMicrotask(() => this.#tell(events.slice(index + 1)));
        throw error;
      }
    }
  }

  /** Keeps the slot of every name that stays: counters and open sockets go by slot. */
  #assignSlots(names: readonly string[]): void {
    if (new Set(names).size > addon.maxInterfaces) {
      throw new ArpeggioError(
        'ERR_INVALID_ARGUMENT',
        `at most ${addon.maxInterfaces} interfaces can be served; name fewer under interfaces`,
      );
    }
    for (const [slot, name] of this.#slots.entries()) {
      if (!names.includes(name)) this.#slots[slot] = '';
    }
    for (const name of names) {
      if (this.#slots.includes(name)) continue;
      const free = this.#slots.indexOf('');
      if (free >= 0) this.#slots[free] = name;
      else this.#slots.push(name);
    }
  }

  #learn(address: Address, native: NativeResponder): KnownAddress {
    const reused = this.#freeCounterSlots.pop();
    const counterSlot = reused ?? this.#nextCounterSlot++;
    const bytes = new Uint8Array(ADDRESS_BYTES);
    writeAddress(address, bytes, 0);
    const baseline = reused === undefined ? NO_BASELINE : native.addressCounters(Uint32Array.of(reused));
    const known = { counterSlot, bytes, position: 0, baseline };
    this.#known.set(address, known);
    return known;
  }
}

const NO_BASELINE = new Float64Array(3);
