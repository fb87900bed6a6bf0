import type { Changes, EndpointSlice, ObjectKey } from '../../kubernetes/types.js';

const NONE: readonly EndpointSlice[] = [];

/** EndpointSlices by the Service that they belong to. */
export class SlicesByService {
  readonly #slices = new Map<ObjectKey, readonly EndpointSlice[]>();
  /** By the key of the slice. */
  readonly #service = new Map<ObjectKey, ObjectKey>();

  /** All slices of a Service. */
  of(service: ObjectKey): readonly EndpointSlice[] {
    return this.#slices.get(service) ?? NONE;
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
        this.#slices.set(slice.service, [...this.of(slice.service), slice]);
        touched.add(slice.service);
      }
    }
    return touched;
  }

  #without(service: ObjectKey, key: ObjectKey): void {
    const left = this.of(service).filter((slice) => slice.key !== key);
    if (left.length === 0) this.#slices.delete(service);
    else this.#slices.set(service, left);
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
