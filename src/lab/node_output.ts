// What a running speaker tells: its log, and its status on the socket.
import { request } from 'node:http';
import type { LogLine, NodeStatus } from './arpeggio_node.js';

const STATUS_PATH = '/api/v1/status';
const STATUS_TIMEOUT_MS = 2000;

/** null: not from the logger, as a crash of the process; NetProcess keeps it for messages. */
export function parseLogLine(text: string): LogLine | null {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return null;
  }
}

/** What GET /api/v1/status says. */
export function readStatus(socketPath: string): Promise<NodeStatus> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(STATUS_TIMEOUT_MS);
    const call = request({ socketPath, path: STATUS_PATH, agent: false, signal });
    call.on('error', reject).on('response', async (response) => {
      try {
        resolve(JSON.parse((await response.toArray()).join('')) as NodeStatus);
      } catch (error) {
        reject(error as Error);
      }
    });
    call.end();
  });
}
