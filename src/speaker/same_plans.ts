import type { TakeoverPlan } from '../responder/types.js';

/** Whether the thread is armed alike with both. */
export function samePlans(before: readonly TakeoverPlan[], now: readonly TakeoverPlan[]): boolean {
  return (
    before.length === now.length &&
    now.every(({ interfaceName, incarnation, addresses }, index) => {
      const other = before[index]!;
      return (
        other.interfaceName === interfaceName &&
        other.incarnation === incarnation &&
        other.addresses.length === addresses.length &&
        addresses.every((address, at) => address === other.addresses[at])
      );
    })
  );
}
