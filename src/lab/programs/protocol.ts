/** What the lab asks of client.ts on its standard input, one JSON object per line. Times are CLOCK_MONOTONIC in ms. */
export type ClientRequest =
  /** Start sending to these addresses; those already sent to go on. */
  | { readonly id: number; readonly do: 'stream'; readonly addresses: readonly string[] }
  /** Stop sending, and forget what was sent. */
  | { readonly id: number; readonly do: 'silence' }
  /** What became of the datagrams sent in [from, to). */
  | { readonly id: number; readonly do: 'report'; readonly from: number; readonly to: number }
  /** One TCP connection: send, and get the same back. */
  | { readonly id: number; readonly do: 'tcp'; readonly address: string };

/** Who answered, in the order in which the datagrams were sent. */
export interface AnsweredBy {
  readonly node: string;
  /** When the first datagram of this stretch was sent. */
  readonly sinceMs: number;
  readonly packets: number;
}

/** The datagrams to one address that were sent in a window. */
export interface StreamReport {
  readonly sent: number;
  readonly lost: number;
  /** When the first answer to a datagram of the window arrived; null without one. */
  readonly firstAnswerMs: number | null;
  /** The longest time without an answer arriving, the edges of the window included. */
  readonly longestGapMs: number;
  /** The longest time between two datagrams of the window: more than the interval means that the client was held up. */
  readonly longestPauseMs: number;
  /** A new entry wherever another node answered than before. */
  readonly answeredBy: readonly AnsweredBy[];
}

export interface ReportAnswer {
  readonly reports: Readonly<Record<string, StreamReport>>;
}

export interface TcpAnswer {
  /** null when it worked. */
  readonly error: string | null;
}
