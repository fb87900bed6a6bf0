// Samples for the parts of the shell around the speaker.
import { type Logger, pino } from 'pino';
import type { PeerReport } from '../../src/responder/types.js';

/** A logger, and its lines as `level: message`. */
export function logOf(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = pino(
    { base: null, timestamp: false, level: 'debug', formatters: { level: (level) => ({ level }) } },
    {
      write: (text: string) => {
        const { level, msg } = JSON.parse(text) as { level: string; msg: string };
        lines.push(`${level}: ${msg}`);
      },
    },
  );
  return { log, lines };
}

/** host-b on eth0, as it is when all is well. */
export function peer(overrides: Partial<PeerReport> = {}): PeerReport {
  return {
    node: 'host-b',
    interfaceName: 'eth0',
    incarnation: '00000000000000b1',
    mac: '02:00:00:00:00:0b',
    state: 'ready',
    link: 'two-way',
    intervalMs: 50,
    multiplier: 3,
    hears: 1,
    claimsVersion: 1,
    claimsDigest: 2,
    heldVersion: 3,
    ...overrides,
  };
}
