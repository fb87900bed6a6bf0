// Who uses which address: services that hold it, and services in whose status it still stands.
import type { ObjectKey } from '../kubernetes/types.js';
import type { Address } from '../net/address.js';
import { type Refusal, refusal } from './refusals.js';
import type { Use } from './wish.js';

interface Users {
  /** It was decided that they have it. */
  readonly holders: Map<ObjectKey, Use>;
  readonly ports: Map<string, ObjectKey>;
  /**
   * Their status names it, or may name it soon. One that does not hold it is to lose it: until that is written, nobody new may
   * have it, or for a moment two objects would claim one address.
   */
  readonly recorded: Set<ObjectKey>;
}

/** Addresses held with one sharing key. */
interface Group {
  readonly addresses: Set<Address>;
  /** On how many of them the port is in use. */
  readonly ports: Map<string, number>;
}

/** Told of what may let others in. `key` is a sharing key. */
export interface UsesListener {
  onOccupied(address: Address): void;
  onVacated(address: Address): void;
  onHeld(address: Address): void;
  onReleased(address: Address): void;
  /** A holder left, or uses it otherwise than before. */
  onLoosened(address: Address): void;
  /** Something changed for those who hold addresses with this sharing key. */
  onSharing(key: string): void;
}

export class AddressUses {
  readonly #users = new Map<Address, Users>();
  readonly #groups = new Map<string, Group>();
  readonly #listener: UsesListener;

  constructor(listener: UsesListener) {
    this.#listener = listener;
  }

  /** Used by anybody. */
  get addresses(): Iterable<Address> {
    return this.#users.keys();
  }

  readonly isUsed = (address: Address): boolean => this.#users.has(address);

  isHeld(address: Address): boolean {
    return (this.#users.get(address)?.holders.size ?? 0) > 0;
  }

  /** Addresses that the service may share with those who hold them. */
  shareable(key: ObjectKey, use: Use): Address[] {
    const group = this.#groups.get(use.sharingKey);
    if (group === undefined) return [];
    // Often all services with a key have the same port: then there is no need to look at each address.
    if (use.ports.some((port) => (group.ports.get(port) ?? 0) >= group.addresses.size)) return [];
    return [...group.addresses].filter((address) => {
      const users = this.#users.get(address);
      return (
        users !== undefined &&
        use.ports.every((port) => !users.ports.has(port)) &&
        this.obstacle(address, key, use) === null
      );
    });
  }

  hold(address: Address, key: ObjectKey, use: Use): void {
    const users = this.#enter(address);
    const before = users.holders.get(key);
    if (before === use) return;
    if (before !== undefined) this.#takeOut(address, users, key, before);
    users.holders.set(key, use);
    if (before === undefined && users.holders.size === 1) this.#listener.onHeld(address);
    for (const port of use.ports) users.ports.set(port, key);
    if (use.sharingKey !== '') {
      const group = this.#groups.get(use.sharingKey) ?? { addresses: new Set(), ports: new Map() };
      this.#groups.set(use.sharingKey, group);
      group.addresses.add(address);
      for (const port of use.ports) group.ports.set(port, (group.ports.get(port) ?? 0) + 1);
      this.#listener.onSharing(use.sharingKey);
    }
    if (before !== undefined) this.#listener.onLoosened(address);
  }

  drop(address: Address, key: ObjectKey): void {
    const users = this.#users.get(address);
    const use = users?.holders.get(key);
    if (users === undefined || use === undefined) return;
    this.#takeOut(address, users, key, use);
    if (users.holders.size === 0) this.#listener.onReleased(address);
    this.#listener.onLoosened(address);
    this.#leave(address, users);
  }

  record(address: Address, key: ObjectKey): void {
    this.#enter(address).recorded.add(key);
  }

  forget(address: Address, key: ObjectKey): void {
    const users = this.#users.get(address);
    if (users === undefined || !users.recorded.delete(key)) return;
    this.#listener.onLoosened(address);
    const [use] = users.holders.values();
    if (use !== undefined && use.sharingKey !== '') this.#listener.onSharing(use.sharingKey);
    this.#leave(address, users);
  }

  /** Why the service may not hold the address beside those who hold it; null: it may. */
  conflict(address: Address, key: ObjectKey, use: Use): Refusal | null {
    const users = this.#users.get(address);
    if (users === undefined) return null;
    for (const [other, theirs] of users.holders) {
      if (other === key) continue;
      // All holders share one key and one backend: one of them speaks for all.
      if (use.sharingKey === '' || theirs.sharingKey === '') return refusal.inUse(address, other);
      if (use.sharingKey !== theirs.sharingKey) return refusal.sharingKeyMismatch(address, other, theirs.sharingKey);
      if (use.backendKey !== theirs.backendKey) return refusal.backendMismatch(address, other);
      break;
    }
    for (const port of use.ports) {
      const other = users.ports.get(port);
      if (other !== undefined && other !== key) return refusal.portConflict(address, other, port);
    }
    return null;
  }

  /** As {@link conflict}, for a service that does not have the address yet: it also waits for those who are to lose it. */
  obstacle(address: Address, key: ObjectKey, use: Use): Refusal | null {
    const conflict = this.conflict(address, key, use);
    if (conflict !== null) return conflict;
    const users = this.#users.get(address);
    for (const other of users?.recorded ?? [])
      if (other !== key && !users!.holders.has(other)) return refusal.inUse(address, other);
    return null;
  }

  #enter(address: Address): Users {
    const known = this.#users.get(address);
    if (known !== undefined) return known;
    const users: Users = { holders: new Map(), ports: new Map(), recorded: new Set() };
    this.#users.set(address, users);
    this.#listener.onOccupied(address);
    return users;
  }

  #leave(address: Address, users: Users): void {
    if (users.holders.size > 0 || users.recorded.size > 0) return;
    this.#users.delete(address);
    this.#listener.onVacated(address);
  }

  #takeOut(address: Address, users: Users, key: ObjectKey, use: Use): void {
    users.holders.delete(key);
    for (const port of use.ports) if (users.ports.get(port) === key) users.ports.delete(port);
    if (use.sharingKey === '') return;
    this.#listener.onSharing(use.sharingKey);
    const group = this.#groups.get(use.sharingKey);
    if (group === undefined) return;
    for (const port of use.ports) {
      const left = (group.ports.get(port) ?? 0) - 1;
      if (left > 0) group.ports.set(port, left);
      else group.ports.delete(port);
    }
    for (const other of users.holders.values()) if (other.sharingKey === use.sharingKey) return;
    group.addresses.delete(address);
    if (group.addresses.size === 0) this.#groups.delete(use.sharingKey);
  }
}
