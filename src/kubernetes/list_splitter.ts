/** An object of the API has at most 3 MB (the limit of a request). */
const MAX_ITEM_BYTES = 16 * 1024 * 1024;
const MAX_REST_BYTES = 1024 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** Within the array `items`. */
const ITEM_DEPTH = 2;

/**
 * Cuts a list of the API into its items while it is received: a list of thousands is never in memory as a whole. The bytes may
 * be cut anywhere; what is between the items is checked as JSON in the end.
 */
export class ListSplitter {
  private depth = 0;
  private inString = false;
  private escaped = false;
  private inItems = false;
  /** Pieces of the item that is being received. */
  private item: Buffer[] = [];
  private itemBytes = 0;
  /** The list without its items. */
  private rest = '';

  /** @param onItem is given each item, parsed */
  constructor(private readonly onItem: (item: unknown) => void) {}

  /** @throws Error when it cannot be a list, and what onItem throws */
  push(chunk: Buffer): void {
    let { depth, inString, escaped } = this;
    /** Where the present item, or what is between items, begins in this chunk. */
    let start = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) {
        inString = true;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (depth === 1 && byte === OPEN_BRACKET) {
          this.keep(chunk, start, at);
          start = at;
          this.inItems = /"items"\s*:\s*$/.test(this.rest);
        } else if (depth === ITEM_DEPTH && this.inItems) {
          // Not the comma before it.
          start = at;
        }
        depth += 1;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        depth -= 1;
        if (this.inItems && depth === ITEM_DEPTH) {
          this.gather(chunk.subarray(start, at + 1));
          this.emit();
          start = at + 1;
        } else if (this.inItems && depth === 1) {
          this.inItems = false;
          this.rest += '[';
          start = at;
        }
      }
    }
    this.depth = depth;
    this.inString = inString;
    this.escaped = escaped;
    if (!this.inItems) this.keep(chunk, start, chunk.length);
    else if (depth > ITEM_DEPTH) this.gather(chunk.subarray(start));
  }

  /** The list with an empty array of items, parsed. @throws Error when it is not whole */
  end(): unknown {
    return JSON.parse(this.rest);
  }

  private keep(chunk: Buffer, start: number, end: number): void {
    // A character may be cut here; nothing of what is read of the rest needs more than ASCII.
    this.rest += chunk.toString('latin1', start, end);
    if (this.rest.length > MAX_REST_BYTES) throw new Error('the answer is no list');
  }

  private gather(piece: Buffer): void {
    this.item.push(piece);
    this.itemBytes += piece.length;
    if (this.itemBytes > MAX_ITEM_BYTES) throw new Error(`an item has more than ${MAX_ITEM_BYTES} bytes`);
  }

  private emit(): void {
    const bytes = this.item.length === 1 ? this.item[0]! : Buffer.concat(this.item, this.itemBytes);
    this.item = [];
    this.itemBytes = 0;
    this.onItem(JSON.parse(bytes.toString()));
  }
}
