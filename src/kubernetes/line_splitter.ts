/** An object of the API has at most 3 MB (the limit of a request). */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const LINE_END = 0x0a;

/** Cuts a stream of bytes into lines of text; a line, and a character, may come in pieces. */
export class LineSplitter {
  private rest: Buffer[] = [];
  private restBytes = 0;

  /** The lines that this piece completes, without their ends, without empty ones. @throws Error when a line never ends */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_END, start);
      if (end < 0) break;
      const line = this.complete(chunk.subarray(start, end));
      if (line.length > 0) lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) {
      this.rest.push(chunk.subarray(start));
      this.restBytes += chunk.length - start;
      if (this.restBytes > MAX_LINE_BYTES) throw new Error(`a line has more than ${MAX_LINE_BYTES} bytes`);
    }
    return lines;
  }

  private complete(tail: Buffer): string {
    if (this.restBytes === 0) return tail.toString();
    const line = Buffer.concat([...this.rest, tail], this.restBytes + tail.length).toString();
    this.rest = [];
    this.restBytes = 0;
    return line;
  }
}
