/**
 * Whether an object is older than another state of it that is known, such as the answer to a write that overtook the watch:
 * resource versions of one kind are decimal numbers that only grow. What is no number is never older.
 */
export function isOlder(resourceVersion: string, known: string): boolean {
  const isNumber = (text: string) => /^[1-9]\d*$/.test(text);
  return isNumber(resourceVersion) && isNumber(known) && BigInt(resourceVersion) < BigInt(known);
}
