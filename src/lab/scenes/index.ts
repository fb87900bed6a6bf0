import type { Scene } from '../lab.js';
import { addService } from './add_service.js';
import { conflict } from './conflict.js';
import { drain } from './drain.js';
import { killed, linkLoss, powerLoss } from './node_gone.js';
import { partition } from './partition.js';
import { resolve } from './resolve.js';
import { start } from './start.js';
import { stop } from './stop.js';

/** In the order in which they are played: each builds on what the ones before it left. */
export const SCENES: readonly Scene[] = [
  start,
  resolve,
  powerLoss,
  linkLoss,
  killed,
  drain,
  partition,
  addService,
  conflict,
  stop,
];
