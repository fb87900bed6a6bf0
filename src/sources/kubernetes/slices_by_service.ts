import type { Changes, EndpointSlice, ObjectKey } from '../../kubernetes/types.js';

const NONE: readonly EndpointSlice[] = [];

/** EndpointSlices by the Service that they belong to. */
export class SlicesByService {
  /** Most Services have one: without a list around it, that takes less memory. */
  readonly #slices = new Map<ObjectKey, EndpointSlice | readonly EndpointSlice[]>();
  /** By the key of the slice. */
  readonly #service = new Map<ObjectKey, ObjectKey>();

  /** All slices of a Service. */
  of(service: ObjectKey): readonly EndpointSlice[] {
    const found = this.#slices.get(service) ?? NONE;
    return 'key' in found ? [found] : found;
  }

  /** @returns the Services for which something is different that counts: addresses of pods, say, do not */
  apply(changes: Changes<EndpointSlice>): Set<ObjectKey> {
    const touched = new Set<ObjectKey>();
    for (const [key, slice] of changes) {
      const before = this.#service.get(key);
      const old = before === undefined ? undefined : this.of(before).find((each) => each.key === key);
      if (old !== undefined && slice !== null && sameEndpoints(old, slice)) continue;
      if (before !== undefined) {
        this.#without(before, key);
        touched.add(before);
      }
      if (slice === null) this.#service.delete(key);
      else {
        this.#service.set(key, slice.service);
        this.#set(slice.service, [...this.of(slice.service), slice]);
        touched.add(slice.service);
      }
    }
    return touched;
  }

  #without(service: ObjectKey, key: ObjectKey): void {
    this.#set(
      service,
      this.of(service).filter((slice) => slice.key !== key),
    );
  }

  #set(service: ObjectKey, slices: readonly EndpointSlice[]): void {
    const [first, ...more] = slices;
    if (first === undefined) this.#slices.delete(service);
    else this.#slices.set(service, more.length === 0 ? first : slices);
  }
}

function sameEndpoints(a: EndpointSlice, b: EndpointSlice): boolean {
  return (
    a.service === b.service &&
    a.active === b.active &&
    a.nodes.length === b.nodes.length &&
    a.nodes.every((node, index) => node === b.nodes[index])
  );
}
