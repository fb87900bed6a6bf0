/** Length of a MAC address in bytes. */
export const MAC_BYTES = 6;

/** The bytes of "02:00:5e:10:00:01" (either case). Throws TypeError for any other form. */
export function parseMac(text: string): Uint8Array {
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/i.test(text))
    throw new TypeError(`"${text}" is not a MAC address; write six hexadecimal pairs as in 02:00:5e:10:00:01`);
  return Uint8Array.from(text.split(':'), (pair) => Number.parseInt(pair, 16));
}

/** Lower case and colon-separated, as LinkInfo and rivals carry it. Throws TypeError unless there are six bytes. */
export function formatMac(bytes: Uint8Array): string {
  if (bytes.length !== MAC_BYTES) throw new TypeError(`a MAC address has ${MAC_BYTES} bytes, not ${bytes.length}`);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** True if the address can be one host's: neither a group address (broadcast included) nor all zero. */
export function isUnicastMac(bytes: Uint8Array): boolean {
  return (bytes[0]! & 1) === 0 && bytes.some((byte) => byte !== 0);
}
