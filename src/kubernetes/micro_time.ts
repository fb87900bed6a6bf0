import { wallMs } from '../clock.js';

/** Now, as metav1.MicroTime of the API server writes it: with six digits. */
export function microTime(): string {
  return new Date(wallMs()).toISOString().replace('Z', '000Z');
}
