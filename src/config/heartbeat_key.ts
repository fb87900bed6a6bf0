const LEAST_BYTES = 16;
/** More than SHA-256's block of 64 bytes gains nothing. */
const MOST_BYTES = 256;

export const MAX_KEYS = 2;

/** How to make one, for messages. */
export const MAKE_KEY = 'head -c 32 /dev/urandom | base64';

/**
 * The keys of a key file: one a line, the bytes of the line without the spaces around it. Nothing is decoded: there is
 * nothing to be mistaken about. Empty lines and those that begin with "#" are left out.
 * @throws {Error} whose message says what is wrong; it never shows a key
 */
export function parseKeys(text: string): Uint8Array[] {
  const keys = text
    .split('\n')
    .map((line, index) => ({ key: line.trim(), number: index + 1 }))
    .filter(({ key }) => key !== '' && !key.startsWith('#'));
  if (keys.length === 0) throw new Error(`holds no key; make one with: ${MAKE_KEY}`);
  if (keys.length > MAX_KEYS)
    throw new Error(
      `holds ${keys.length} keys, one a line; it may have ${MAX_KEYS}: the one that signs, and another that is accepted`,
    );
  return keys.map(({ key, number }) => {
    const bytes = Buffer.byteLength(key);
    if (/\p{Cc}/u.test(key)) throw new Error(`has a control character on line ${number}; a key is a line of text`);
    if (bytes < LEAST_BYTES || bytes > MOST_BYTES)
      throw new Error(
        `has a key of ${bytes} bytes on line ${number}; it must have ${LEAST_BYTES} to ${MOST_BYTES}, such as ${MAKE_KEY} prints`,
      );
    return new TextEncoder().encode(key);
  });
}
