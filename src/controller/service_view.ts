import type { ObjectKey, Service } from '../kubernetes/types.js';

/** The newest version known of each service: what the watch told, and what the API server answered to our own writes. */
export class ServiceView {
  readonly #services = new Map<ObjectKey, Service>();
  /** Versions that our writes have replaced: the watch may tell them later than the answer to the write. */
  readonly #replaced = new Map<ObjectKey, Set<string>>();

  /** `onChanged`: there is a newer version of a service; null: it is gone. */
  constructor(private readonly onChanged: (key: ObjectKey, service: Service | null) => void) {}

  get size(): number {
    return this.#services.size;
  }

  get(key: ObjectKey): Service | undefined {
    return this.#services.get(key);
  }

  all(): IterableIterator<Service> {
    return this.#services.values();
  }

  /** From the watch; null: it is gone. */
  told(key: ObjectKey, service: Service | null): void {
    if (service !== null && this.#replaced.get(key)?.has(service.resourceVersion)) return;
    this.#replaced.delete(key);
    if (service?.resourceVersion !== this.#services.get(key)?.resourceVersion) this.#set(key, service);
  }

  /** What the API server answered when we wrote what we knew as `base`; the watch may have been faster. */
  answered(base: Service, answer: Service): void {
    const known = this.#services.get(base.key);
    if (known?.resourceVersion !== base.resourceVersion || answer.resourceVersion === base.resourceVersion) return;
    const replaced = this.#replaced.get(base.key) ?? new Set();
    this.#replaced.set(base.key, replaced.add(base.resourceVersion));
    this.#set(base.key, answer);
  }

  #set(key: ObjectKey, service: Service | null): void {
    if (service) this.#services.set(key, service);
    else this.#services.delete(key);
    this.onChanged(key, service);
  }
}
