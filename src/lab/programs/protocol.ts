/** What the lab asks of client.ts on its standard input, one JSON object per line. Times are Date.now(). */
export type ClientRequest =
  /** Start sending to this address. */
  | { readonly id: number; readonly do: 'stream'; readonly address: string }
  /** Count what was sent in [from, to). */
  | { readonly id: number; readonly do: 'count'; readonly address: string; readonly from: number; readonly to: number }
  /** One TCP connection: send, and get the same back. */
  | { readonly id: number; readonly do: 'tcp'; readonly address: string };

/** The answers, one per line, with the request's id. */
export interface StreamCount {
  readonly sent: number;
  readonly lost: number;
  /** When the first echo of a datagram sent in the window arrived; null without one. */
  readonly firstEchoAt: number | null;
}

export interface TcpResult {
  /** null when it worked. */
  readonly error: string | null;
}
