// Which service has which addresses. Decides, and writes nothing: src/controller is the shell around it.
import type { ObjectKey, Service } from '../kubernetes/types.js';
import type { Configuration } from '../metallb/types.js';
import { type Address, familyOf } from '../net/address.js';
import { AddressUses } from './address_uses.js';
import { adoptionOrder } from './adoption_order.js';
import { granted, isNews, none, standsIn } from './allocation.js';
import { Chooser } from './chooser.js';
import { PoolIndex } from './pool_index.js';
import { refusal } from './refusals.js';
import { compareText } from './sorted_list.js';
import type { Allocation, AllocationChange, PoolUsage } from './types.js';
import { type Chance, chanceOfAddress, chanceOfPool, chanceOfSharing, poolOfChance, Waiting } from './waiting.js';
import { addressOrNull, FAMILIES, type Reading, readWish, sameUse, type Wish } from './wish.js';

/** The CRD counts in int64. */
const MAX_COUNT = 2n ** 63n - 1n;

interface Entry {
  service: Service;
  reading: Reading;
  /** In its status. */
  shown: readonly Address[];
  /** The same, and what was told to the shell since the object came: it may be in its status soon. */
  recorded: Address[];
  /** IPv4 first. */
  held: readonly Address[];
  /** null: not decided yet. */
  allocation: Allocation | null;
  /** The one that the shell knows, and the version of the object that it was told for. */
  told: Allocation | null;
  toldFor: string | null;
}

/**
 * Gives addresses of the pools to services. The same calls in the same order give the same answers. An address stays with its
 * service until the service or the pools no longer allow it. Two services never have one address unless both allow it; and an
 * address that a service loses goes to another one only when it no longer stands in the status of the first, so that decisions
 * may be written in any order. A call costs as much as what it changes, whatever the number of services;
 * {@link setConfiguration} goes through all of them.
 */
export class Allocator {
  readonly #lbClass: string | null;
  readonly #entries = new Map<ObjectKey, Entry>();
  readonly #waiting = new Waiting();
  readonly #uses: AddressUses;
  /** null: no configuration yet, so nothing is decided. */
  #pools: PoolIndex | null = null;
  #chooser: Chooser | null = null;
  /** Services to be looked at. */
  #pending = new Set<ObjectKey>();
  /** What has become possible since the waiting services were looked at. */
  readonly #chances = new Set<Chance>();

  /** `lbClass`: loadBalancerClass of the services to serve; null or empty: those that name none. */
  constructor({ lbClass }: { readonly lbClass: string | null }) {
    this.#lbClass = lbClass === '' ? null : lbClass;
    this.#uses = new AddressUses({
      onOccupied: (address) => this.#pools?.at(address)?.occupy(address),
      onVacated: (address) => {
        const space = this.#pools?.at(address) ?? null;
        if (space === null) return;
        space.vacate(address);
        this.#chances.add(chanceOfPool(space.name, familyOf(address)));
      },
      onHeld: (address) => this.#pools?.at(address)?.assign(address, 1n),
      onReleased: (address) => this.#pools?.at(address)?.assign(address, -1n),
      onLoosened: (address) => this.#chances.add(chanceOfAddress(address)),
      onSharing: (key) => this.#chances.add(chanceOfSharing(key)),
    });
  }

  /** The pools from now on; the configuration must be valid. */
  setConfiguration(configuration: Configuration): void {
    this.#pools = new PoolIndex(configuration);
    this.#chooser = new Chooser(this.#pools, this.#uses);
    for (const address of this.#uses.addresses) {
      const space = this.#pools.at(address);
      space?.occupy(address);
      if (this.#uses.isHeld(address)) space?.assign(address, 1n);
    }
    this.#pending = new Set(this.#entries.keys());
  }

  /**
   * The object is new or has changed; also one that is not ours. To be told again when a write came to nothing, so that what it
   * would have said no longer counts; about an object of the same version nothing is said twice.
   */
  setService(service: Service): void {
    const { key } = service;
    const before = this.#entries.get(key);
    if (before !== undefined && before.service.uid !== service.uid) {
      this.deleteService(key);
      this.setService(service);
      return;
    }
    const shown = [...new Set(service.ingress.map(addressOrNull).filter((address) => address !== null))];
    for (const address of before?.recorded ?? []) if (!shown.includes(address)) this.#uses.forget(address, key);
    for (const address of shown) this.#uses.record(address, key);
    const recorded = [...shown];
    const reading = readWish(service, this.#lbClass);
    if (before === undefined) {
      this.#entries.set(key, {
        service,
        reading,
        shown,
        recorded,
        held: [],
        allocation: null,
        told: null,
        toldFor: null,
      });
    } else {
      before.service = service;
      before.shown = shown;
      before.recorded = recorded;
      before.reading = withSameUse(reading, before.reading);
    }
    this.#pending.add(key);
  }

  /** The object is gone. */
  deleteService(key: ObjectKey): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#pending.delete(key);
    this.#waiting.delete(key);
    for (const address of entry.held) this.#uses.drop(address, key);
    for (const address of entry.recorded) this.#uses.forget(address, key);
  }

  /**
   * Decides on all that was told since the last call; nothing before the first configuration. Returns, in order of key, services
   * whose object differs from what they shall have, and those about whom there is something new to say.
   */
  decide(): AllocationChange[] {
    if (this.#pools === null) return [];
    const pending = [...this.#pending].sort(compareText).map((key) => this.#entries.get(key)!);
    const told = this.#pending;
    this.#pending = new Set();
    for (const { service } of pending) this.#waiting.delete(service.key);
    this.#keep(pending);
    const touched = new Set(told);
    this.#wake(touched);
    for (const entry of pending) this.#complete(entry);
    this.#wake(touched);
    return [...touched].sort(compareText).flatMap((key) => this.#tell(this.#entries.get(key)!, told.has(key)) ?? []);
  }

  /**
   * Whether it was told of the service, or of other pools, since the last decision: {@link allocationOf} is then about an older
   * object. To write it into the present one would bring back what the next decision gives to another service.
   */
  isPending(key: ObjectKey): boolean {
    return this.#pending.has(key);
  }

  /** What was decided last; null: nothing yet, or no such service. */
  allocationOf(key: ObjectKey): Allocation | null {
    return this.#entries.get(key)?.allocation ?? null;
  }

  /** How full the pools are, in order of name; a shared address counts once. Counts of the CRD's int64, at most 2^63-1. */
  usage(): PoolUsage[] {
    const capped = (count: bigint) => (count > MAX_COUNT ? MAX_COUNT : count);
    return (this.#pools?.all ?? []).map((space) => ({
      name: space.name,
      assignedIPv4: space.assigned('ipv4'),
      assignedIPv6: space.assigned('ipv6'),
      availableIPv4: capped(space.available('ipv4')),
      availableIPv6: capped(space.available('ipv6')),
    }));
  }

  /**
   * Services keep what they may, before others look for something: first who has an address, and it stands in its object; then
   * those whose objects name one that is not held, as after a restart; then those who were given one that stands in no object yet.
   */
  #keep(entries: readonly Entry[]): void {
    const given = entries.map(({ held, shown }) => held.filter((address) => !shown.includes(address)));
    for (const [index, entry] of entries.entries()) this.#drop(entry, given[index]!);
    for (const entry of entries) {
      const kept = this.#keepable(entry, entry.held);
      const lost = entry.held.filter((address) => !kept.includes(address));
      this.#drop(entry, lost);
      this.#hold(entry, kept);
    }
    const claims = entries.flatMap((entry) => {
      const { service, shown, held, reading } = entry;
      if (reading.wish === null || held.length > 0 || shown.length === 0) return [];
      return [{ key: service.key, addresses: shown, use: reading.wish.use, entry }];
    });
    for (const { entry } of adoptionOrder(claims)) this.#hold(entry, this.#keepable(entry, entry.shown));
    for (const [index, entry] of entries.entries()) {
      const { held, recorded } = entry;
      if (given[index]!.length === 0 && (held.length > 0 || recorded.length === 0)) continue;
      this.#hold(entry, this.#keepable(entry, [...held, ...given[index]!, ...recorded], held));
    }
  }

  /** Which it may use, of addresses that stand in its object or in `safe`; it gets others only where they stand in no other one. */
  #keepable(entry: Entry, addresses: readonly Address[], safe: readonly Address[] = addresses): Address[] {
    const wish = this.#wishOf(entry);
    return wish === null ? [] : this.#chooser!.keepable(entry.service, wish, addresses, safe);
  }

  /** Looks at those who wait for what has become possible, until nothing more does. */
  #wake(touched: Set<ObjectKey>): void {
    while (this.#chances.size > 0) {
      const chances = [...this.#chances].sort(compareText);
      this.#chances.clear();
      for (const chance of chances) {
        const keys = this.#waiting.for(chance);
        if (keys === null) continue;
        const pool = poolOfChance(chance);
        const space = pool === null ? null : this.#pools!.named(pool.pool);
        for (let key = keys.first; key !== undefined; key = keys.after(key)) {
          // Sharing has a chance of its own.
          if (pool !== null && space?.hasFree(pool.family) !== true) break;
          const entry = this.#entries.get(key)!;
          const before = entry.allocation;
          this.#complete(entry);
          if (isNews(before, entry.allocation!)) touched.add(key);
        }
      }
    }
  }

  /** Gets what is missing, and decides. */
  #complete(entry: Entry): void {
    const { service, reading } = entry;
    const wish = this.#wishOf(entry);
    const warnings = this.#warningsOf(entry);
    this.#waiting.delete(service.key);
    if (wish === null) {
      const empty = reading.ours && this.#pools!.all.length === 0;
      entry.allocation = none(empty || reading.refusal === null ? refusal.noPools() : reading.refusal, warnings);
      return;
    }
    const choice = this.#chooser!.choose(service, wish, entry.held);
    const lost = entry.held.filter((address) => !choice.addresses.includes(address));
    this.#drop(entry, lost);
    this.#hold(entry, choice.addresses);
    this.#waiting.add(service.key, choice.chances);
    const [first] = entry.held;
    const pool = first === undefined ? null : this.#pools!.at(first)!.name;
    entry.allocation = choice.refusal === null ? granted(entry.held, pool, warnings) : none(choice.refusal, warnings);
  }

  /** From now on it holds these: all that it held, and perhaps others. */
  #hold(entry: Entry, addresses: readonly Address[]): void {
    const { service, reading } = entry;
    for (const address of addresses) this.#uses.hold(address, service.key, reading.wish!.use);
    entry.held = FAMILIES.flatMap((family) => addresses.filter((address) => familyOf(address) === family));
  }

  #drop(entry: Entry, addresses: readonly Address[]): void {
    for (const address of addresses) this.#uses.drop(address, entry.service.key);
    if (addresses.length > 0) entry.held = entry.held.filter((address) => !addresses.includes(address));
  }

  /** What it asks for, if that can be looked at; null: it gets nothing. */
  #wishOf({ reading }: Entry): Wish | null {
    return this.#pools!.all.length === 0 ? null : reading.wish;
  }

  #warningsOf({ service, reading }: Entry): readonly string[] {
    if (!reading.ours || service.ingress.length < 2) return reading.warnings;
    const families = service.ingress.map((text) => (text.includes(':') ? 'ipv6' : 'ipv4'));
    if (new Set(families).size === families.length) return reading.warnings;
    const text = `its status names ${service.ingress.join(', ')}, but a service has at most one IPv4 and one IPv6 address; the others are taken out`;
    return [...reading.warnings, text];
  }

  /** The change to report, if any; from now on it may be written at any time. `changed`: the object was told anew. */
  #tell(entry: Entry, changed: boolean): AllocationChange | null {
    const { service, reading, told: before } = entry;
    const allocation = entry.allocation!;
    entry.told = allocation;
    const seen = service.resourceVersion !== '' && service.resourceVersion === entry.toldFor;
    const differs = changed && !seen && !standsIn(service, allocation);
    entry.toldFor = service.resourceVersion;
    if (!reading.ours) {
      const lost = before !== null && before.addresses.length > 0;
      // What another class's controller wrote is not ours to take away.
      const left = differs && service.type !== 'LoadBalancer';
      return lost || left ? { service, allocation: null, before } : null;
    }
    if (!differs && !isNews(before, allocation)) return null;
    for (const address of allocation.addresses) {
      if (entry.recorded.includes(address)) continue;
      entry.recorded.push(address);
      this.#uses.record(address, service.key);
    }
    return { service, allocation, before };
  }
}

/** Keeps the object of the use where it is equal, so that equal is quickly seen. */
function withSameUse(reading: Reading, before: Reading): Reading {
  if (reading.wish === null || before.wish === null || !sameUse(reading.wish.use, before.wish.use)) return reading;
  return { ...reading, wish: { ...reading.wish, use: before.wish.use } };
}
