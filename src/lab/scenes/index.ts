import type { Scene } from '../lab.js';
import { addService } from './add_service.js';
import { cleanup } from './cleanup.js';
import { conflict } from './conflict.js';
import { firstClaim } from './first_claim.js';
import { link } from './link.js';
import { resolve } from './resolve.js';
import { stop } from './stop.js';

/** In the order in which they are played: each builds on what the ones before it left. */
export const SCENES: readonly Scene[] = [firstClaim, resolve, addService, conflict, link, stop, cleanup];
