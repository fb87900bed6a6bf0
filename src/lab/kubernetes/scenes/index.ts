import type { KubernetesScene } from '../kubernetes_lab.js';
import { apiOutage } from './api_outage.js';
import { localPolicy } from './local_policy.js';
import { cordon, powerLoss, restart } from './node_gone.js';
import { deletion, services } from './services.js';
import { start } from './start.js';

/** In the order in which they are played: each builds on what the ones before it left. */
export const KUBERNETES_SCENES: readonly KubernetesScene[] = [
  start,
  services,
  powerLoss,
  cordon,
  restart,
  localPolicy,
  apiOutage,
  deletion,
];
