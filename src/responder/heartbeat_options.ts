import { ArpeggioError } from '../errors.js';
import type { HeartbeatOptions } from './types.js';

const MAX_NAME_BYTES = 253;
const MAX_MULTIPLIER = 255;
// The field of the frames has 32 bits, of microseconds.
const MAX_INTERVAL_MS = 4_000_000;

/**
 * What the native code takes for granted.
 * @throws {ArpeggioError} ERR_INVALID_ARGUMENT
 */
export function checkHeartbeatOptions({ node, incarnation, intervalMs, multiplier, keys }: HeartbeatOptions): void {
  const nameBytes = Buffer.byteLength(node);
  const mistake =
    nameBytes < 1 || nameBytes > MAX_NAME_BYTES
      ? `the name of the node has ${nameBytes} bytes; it may have 1 to ${MAX_NAME_BYTES}`
      : !/^[0-9a-f]{16}$/.test(incarnation) || /^0+$/.test(incarnation)
        ? `the incarnation "${incarnation}" is not 16 lower-case hexadecimal digits, or zero`
        : !(intervalMs > 0 && intervalMs <= MAX_INTERVAL_MS)
          ? `a heartbeat interval of ${intervalMs} ms is not between 0 and ${MAX_INTERVAL_MS}`
          : !(Number.isInteger(multiplier) && multiplier >= 1 && multiplier <= MAX_MULTIPLIER)
            ? `a multiplier of ${multiplier} is no whole number from 1 to ${MAX_MULTIPLIER}`
            : null;
  if (mistake !== null) throw new ArpeggioError('ERR_INVALID_ARGUMENT', mistake);
  checkKeys(keys);
}

/** @throws {ArpeggioError} ERR_INVALID_ARGUMENT for an empty key */
export function checkKeys(keys: readonly Uint8Array[]): void {
  if (keys.some(({ length }) => length === 0)) {
    throw new ArpeggioError('ERR_INVALID_ARGUMENT', 'a heartbeat key is empty; give it at least one byte');
  }
}
