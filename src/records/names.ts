// Names and labels of the objects that speakers write.
import { createHash } from 'node:crypto';
import type { ObjectKey } from '../kubernetes/types.js';
import type { Address } from '../net/address.js';

/** Label of every Lease of ours; its value tells the kind. */
export const RECORD_LABEL = 'arpeggio.io/record';
export const OWNER = 'owner';
export const SESSION = 'session';
/** Annotation of an ownership Lease. */
export const ADDRESS_ANNOTATION = 'arpeggio.io/address';
/** Annotation of a session Lease: a name may be too long to stand in the Lease's. */
export const NODE_ANNOTATION = 'arpeggio.io/node';

/** Annotation of a session Lease: `fenced`, where that speaker records before it answers. */
export const TAKEOVER_ANNOTATION = 'arpeggio.io/takeover';

const MAX_NAME = 253;
const MAX_LABEL_VALUE = 63;
const HASH_DIGITS = 10;

/** Name of the Lease that records who owns an address. */
export function ownerLeaseName(address: Address): string {
  const name = `arpeggio-ip-${address.replaceAll(/[:.]/g, '-')}`;
  // A name ends in a letter or digit, and 2001:db8:: is an address.
  return name.endsWith('-') ? `${name}0` : name;
}

/** Name of the Lease that a node renews as long as its speaker runs. */
export function sessionLeaseName(node: string): string {
  return fit(`arpeggio-node-${node}`, MAX_NAME);
}

/** Name of the ServiceL2Status of a service on a node: the same after a restart, so that none is written twice. */
export function l2StatusName(service: ObjectKey, node: string): string {
  return `l2-${hash(`${service} ${node}`)}`;
}

/** A text as the value of a label; longer ones are cut and told apart by a hash. */
export function labelValue(text: string): string {
  return fit(text, MAX_LABEL_VALUE);
}

function fit(text: string, most: number): string {
  if (text.length <= most) return text;
  // Of the labels of a name each ends in a letter or digit, and none begins with "-".
  return `${text.slice(0, most - HASH_DIGITS - 1).replace(/[^A-Za-z0-9]+$/, '')}-${hash(text)}`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH_DIGITS);
}
