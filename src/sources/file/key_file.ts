import { readFileSync, statSync } from 'node:fs';
import { MAKE_KEY, parseKeys } from '../../config/heartbeat_key.js';

const OTHERS_MAY_READ_OR_WRITE = 0o006;
const MAX_BYTES = 4_096;

/**
 * Reads the keys of heartbeats.
 * @throws {Error} whose message says what is wrong with the file, and what to do
 */
export function readKeyFile(path: string): Uint8Array[] {
  const text = readText(path);
  try {
    return parseKeys(text);
  } catch (error) {
    throw new Error(`${path} ${(error as Error).message}`);
  }
}

function readText(path: string): string {
  try {
    const stat = statSync(path);
    const wrong = wrongFile(stat.isFile(), stat.mode, stat.size);
    if (wrong === null) return readFileSync(path, 'utf8');
    throw new Error(`${path} ${wrong}`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    if (code === 'ENOENT')
      throw new Error(`there is no ${path}; make a key, and give the same to all nodes: ${MAKE_KEY} > ${path}`);
    if (code === 'EACCES') throw new Error(`${path} may not be read; make it readable for the user that runs Arpeggio`);
    throw new Error(`${path} cannot be read (${code}): ${message}`);
  }
}

function wrongFile(isFile: boolean, mode: number, size: number): string | null {
  if (!isFile) return 'is no regular file; name the file that holds the key';
  if ((mode & OTHERS_MAY_READ_OR_WRITE) !== 0)
    return 'may be read or written by every user of this host; run: chmod o= FILE';
  return size > MAX_BYTES ? `has ${size} bytes, too many for a file of keys` : null;
}
