import type { Address } from '../net/address.js';
import { type DesiredAddress, type DesiredService, desiredAddress, desiredAddresses, NodeSets } from './desired.js';

/** All services that are desired, and what follows for their addresses; changed as a whole or service by service. Pure. */
export class DesiredSet {
  /** Shared by everything that is made from the services, so that equal sets of nodes are one. */
  readonly sets = new NodeSets();
  /** By name; only from the first change on. */
  #services: Map<string, DesiredService> | null = null;
  #whole: readonly DesiredService[] = [];
  /** Names of the services that use an address, in source order. */
  readonly #users = new Map<Address, Set<string>>();
  #addresses: Map<Address, DesiredAddress> = new Map();

  get addresses(): ReadonlyMap<Address, DesiredAddress> {
    return this.#addresses;
  }

  replace(services: readonly DesiredService[]): void {
    this.#whole = services;
    this.#services = null;
    this.#users.clear();
    this.#addresses = desiredAddresses(services, this.sets);
  }

  /**
   * Puts services in place of those with their names, and takes others away. The cost follows the changes, not the whole.
   * @param removed names; unknown ones are ignored
   * @returns the addresses of all that was named, before and now
   */
  change(changed: readonly DesiredService[], removed: readonly string[]): ReadonlySet<Address> {
    const services = this.#indexed();
    const touched = new Set<Address>();
    for (const name of removed) {
      const before = services.get(name);
      if (!before) continue;
      services.delete(name);
      this.#leave(before, touched);
    }
    for (const service of changed) {
      const before = services.get(service.name);
      services.set(service.name, service);
      if (before) this.#leave(before, touched, service.addresses);
      for (const address of service.addresses) {
        touched.add(address);
        const users = this.#users.get(address);
        if (users) users.add(service.name);
        else this.#users.set(address, new Set([service.name]));
      }
    }
    for (const address of touched) {
      const users = [...(this.#users.get(address) ?? [])].map((name) => services.get(name)!);
      if (users.length > 0) this.#addresses.set(address, desiredAddress(address, users, this.sets));
      else this.#addresses.delete(address);
    }
    return touched;
  }

  #indexed(): Map<string, DesiredService> {
    if (this.#services) return this.#services;
    this.#services = new Map(this.#whole.map((service) => [service.name, service]));
    this.#whole = [];
    for (const { name, addresses } of this.#services.values()) {
      for (const address of addresses) {
        const users = this.#users.get(address);
        if (users) users.add(name);
        else this.#users.set(address, new Set([name]));
      }
    }
    return this.#services;
  }

  #leave({ name, addresses }: DesiredService, touched: Set<Address>, keep: readonly Address[] = []): void {
    for (const address of addresses) {
      touched.add(address);
      if (keep.includes(address)) continue;
      const users = this.#users.get(address);
      if (users?.delete(name) && users.size === 0) this.#users.delete(address);
    }
  }
}
