import type { Address } from '../net/address.js';
import { bytesOfAddress, bytesOfClaim, CHANGE_BYTES, MAX_BODY_BYTES, PAGE_BYTES, REQUEST_BYTES } from './codec.js';
import type { ClaimsChange, ClaimsPage, Decline, Handover, Later, OwnershipClaim } from './message.js';

/**
 * The change as messages that fit a frame each, at least one. They are a chain: the first makes version
 * `baseVersion` + 1, each further one builds on the one before. The sender's new version is that of the last
 * (`at(-1)`); no receiver has to collect parts, and one that loses a link of the chain is repaired with pages as
 * after any loss. The claims come first, then what is yielded.
 */
export function splitChange(
  baseVersion: number,
  claims: readonly OwnershipClaim[],
  yielded: readonly Address[],
): readonly [ClaimsChange, ...ClaimsChange[]] {
  const pieces: { claims: OwnershipClaim[]; yielded: Address[] }[] = [];
  let room = -1;
  const pieceWith = (bytes: number) => {
    if (bytes > room) {
      pieces.push({ claims: [], yielded: [] });
      room = MAX_BODY_BYTES - CHANGE_BYTES;
    }
    room -= bytes;
    return pieces.at(-1)!;
  };
  pieceWith(0);
  for (const claim of claims) pieceWith(bytesOfClaim(claim)).claims.push(claim);
  for (const address of yielded) pieceWith(bytesOfAddress(address)).yielded.push(address);
  const changes = pieces.map(
    (piece, index): ClaimsChange => ({
      type: 'claims-change',
      baseVersion: baseVersion + index,
      version: baseVersion + index + 1,
      ...piece,
    }),
  );
  return changes as [ClaimsChange, ...ClaimsChange[]];
}

/** All claims of a version as pages that fit a frame each: at least one, which is empty if there are no claims. */
export function pagesOf(version: number, claims: readonly OwnershipClaim[]): ClaimsPage[] {
  const pages = chunks(claims, bytesOfClaim, MAX_BODY_BYTES - PAGE_BYTES);
  return pages.map((part, page) => ({ type: 'claims-page', version, page, pages: pages.length, claims: part }));
}

/** A handover, or what is said to one, of however many addresses as messages that fit a frame each. */
export function splitRequest<Message extends Handover | Decline | Later>(message: Message): Message[] {
  return chunks(message.addresses, bytesOfAddress, MAX_BODY_BYTES - REQUEST_BYTES).map((addresses) => ({
    ...message,
    addresses,
  }));
}

/** Consecutive parts of at most `limit` bytes, at least one. */
function chunks<Item>(items: readonly Item[], bytesOf: (item: Item) => number, limit: number): Item[][] {
  const parts: Item[][] = [[]];
  let used = 0;
  for (const item of items) {
    const bytes = bytesOf(item);
    if (used + bytes > limit) {
      parts.push([]);
      used = 0;
    }
    parts.at(-1)!.push(item);
    used += bytes;
  }
  return parts;
}
