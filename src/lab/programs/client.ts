// node client.js PORT INTERVAL_MS: a client of service IPs, told on standard input what to do (protocol.ts). Sends each
// address a numbered datagram every INTERVAL_MS and remembers which came back, when, and from which node. Ends with its
// standard input.
import { createSocket, type Socket } from 'node:dgram';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { monotonicMs } from '../monotonic.js';
import type { ClientRequest, ReportAnswer, TcpAnswer } from './protocol.js';
import { StreamRecord } from './stream_record.js';

const TCP_TIMEOUT_MS = 2000;
const TCP_MESSAGE = 'are you the backend?';
/** Timers have whole milliseconds: the schedule is kept by the clock, looked at this often. */
const TICK_MS = 1;

const [port, intervalMs] = process.argv.slice(2).map(Number) as [number, number];

class Stream {
  readonly record = new StreamRecord();
  private readonly socket: Socket;

  constructor(address: string) {
    // Connected: the kernel then refuses echoes from any other address than the one asked.
    this.socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    this.socket.on('message', (message) => {
      this.record.answered(message.readUInt32BE(), message.toString('utf8', 4), monotonicMs());
    });
    // An unreachable host or a port not yet open: that datagram is lost, which is what we count.
    this.socket.on('error', () => {});
    this.socket.connect(port, address);
  }

  send(): void {
    const message = Buffer.alloc(4);
    message.writeUInt32BE(this.record.sent(monotonicMs()));
    try {
      this.socket.send(message, () => {});
    } catch {
      // Not connected yet, as when the route is missing: lost, too.
    }
  }

  close(): void {
    this.socket.close();
  }
}

const streams = new Map<string, Stream>();
let nextMs = 0;

const timer = setInterval(() => {
  const now = monotonicMs();
  if (now < nextMs) return;
  // After a pause of ours the schedule goes on from now: a burst would tell nothing about the past.
  nextMs = nextMs + intervalMs < now ? now + intervalMs : nextMs + intervalMs;
  for (const stream of streams.values()) stream.send();
}, TICK_MS);

function silence(): void {
  for (const stream of streams.values()) stream.close();
  streams.clear();
}

function tryTcp(address: string): Promise<TcpAnswer> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: TCP_TIMEOUT_MS });
    const settle = (error: string | null) => {
      socket.destroy();
      resolve({ error });
    };
    let echoed = '';
    socket.setEncoding('utf8');
    socket.once('connect', () => socket.write(TCP_MESSAGE));
    socket.on('data', (text) => {
      echoed += text;
      if (echoed === TCP_MESSAGE) settle(null);
    });
    socket.once('timeout', () => settle(`no answer within ${TCP_TIMEOUT_MS} ms`));
    socket.once('error', (error) => settle(error.message));
  });
}

async function obey(request: ClientRequest): Promise<object> {
  switch (request.do) {
    case 'tcp':
      return tryTcp(request.address);
    case 'stream':
      for (const address of request.addresses) {
        if (!streams.has(address)) streams.set(address, new Stream(address));
      }
      return {};
    case 'silence':
      silence();
      return {};
    case 'report': {
      const reports = [...streams].map(([address, { record }]) => [address, record.report(request.from, request.to)]);
      return { reports: Object.fromEntries(reports) } satisfies ReportAnswer;
    }
  }
}

const input = createInterface({ input: process.stdin });
input.on('line', async (line) => {
  const request = JSON.parse(line) as ClientRequest;
  process.stdout.write(`${JSON.stringify({ id: request.id, ...(await obey(request)) })}\n`);
});
input.once('close', () => {
  clearInterval(timer);
  silence();
});
