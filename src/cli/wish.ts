import type { DesiredService, DesiredState } from '../desired/desired.js';

/** What the source wants of this node: the whole of it, kept true through changes of single services. */
export class Wish {
  #services = new Map<string, DesiredService>();
  #probing: DesiredState['probing'] = 'fast';
  #lastResort: readonly string[] = [];
  /** The whole as it was asked for last; null after a change. */
  #state: DesiredState | null = null;

  /** In the source's order; what was added later comes last. */
  get state(): DesiredState {
    this.#state ??= {
      services: [...this.#services.values()],
      probing: this.#probing,
      ...(this.#lastResort.length > 0 && { lastResort: this.#lastResort }),
    };
    return this.#state;
  }

  replace(desired: DesiredState): void {
    this.#services = new Map(desired.services.map((service) => [service.name, service]));
    this.#probing = desired.probing;
    this.#lastResort = desired.lastResort ?? [];
    this.#state = desired;
  }

  /** @returns whether a service is new */
  change(changed: readonly DesiredService[], removed: readonly string[]): boolean {
    for (const name of removed) this.#services.delete(name);
    const before = this.#services.size;
    for (const service of changed) this.#services.set(service.name, service);
    this.#state = null;
    return this.#services.size > before;
  }

  set lastResort(nodes: readonly string[]) {
    this.#lastResort = nodes;
    this.#state = null;
  }
}
