import { randomInt } from 'node:crypto';
import { wallMs } from '../clock.js';

const RANDOM_BITS = 20;

/**
 * Names this start of the process to its peers: 16 hexadecimal digits, greater than those of every start before, as far as
 * the clock knows; the lower bits tell apart what started within a millisecond.
 */
export function newIncarnation(nowMs = wallMs(), random = randomInt(1, 2 ** RANDOM_BITS)): string {
  const number = (BigInt(Math.floor(nowMs)) << BigInt(RANDOM_BITS)) | BigInt(random);
  return BigInt.asUintN(64, number).toString(16).padStart(16, '0');
}
