import type { Advertisement } from '../responder/types.js';

/** Whether both say the same. */
export function sameAdvertisement(before: Advertisement | undefined, now: Advertisement): boolean {
  return (
    before !== undefined &&
    before.state === now.state &&
    before.claimsVersion === now.claimsVersion &&
    before.claimsDigest === now.claimsDigest &&
    sameHeld(before.held, now.held)
  );
}

function sameHeld(before: Advertisement['held'], now: Advertisement['held']): boolean {
  if (before === now) return true;
  return (
    before.length === now.length &&
    before.every(([incarnation, version], index) => {
      const [other, held] = now[index] ?? [];
      return incarnation === other && version === held;
    })
  );
}
