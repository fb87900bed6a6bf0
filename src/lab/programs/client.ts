// node client.js PORT INTERVAL_MS: a client of service IPs, told on standard input what to do (protocol.ts). Sends each
// address a numbered datagram every INTERVAL_MS and remembers which came back and when. Ends with its standard input.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { ClientRequest, StreamCount, TcpResult } from './protocol.js';

const TCP_TIMEOUT_MS = 2000;
const TCP_MESSAGE = 'are you the backend?';

const [port, intervalMs] = process.argv.slice(2).map(Number) as [number, number];

class Stream {
  private readonly sentAt: number[] = [];
  private readonly echoedAt: (number | undefined)[] = [];
  private readonly timer: NodeJS.Timeout;
  private readonly socket;

  constructor(address: string) {
    // Connected: the kernel then refuses echoes from any other address than the one asked.
    this.socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    this.socket.on('message', (message) => {
      this.echoedAt[message.readUInt32BE()] ??= Date.now();
    });
    // An unreachable host or a port not yet open: that datagram is lost, which is what we count.
    this.socket.on('error', () => {});
    this.socket.connect(port, address);
    this.timer = setInterval(() => this.send(), intervalMs);
  }

  count(from: number, to: number): StreamCount {
    const window = this.sentAt.flatMap((at, number) => (at >= from && at < to ? [number] : []));
    const echoes = window.flatMap((number) => this.echoedAt[number] ?? []);
    const firstEchoAt = echoes.length === 0 ? null : Math.min(...echoes);
    return { sent: window.length, lost: window.length - echoes.length, firstEchoAt };
  }

  close(): void {
    clearInterval(this.timer);
    this.socket.close();
  }

  private send(): void {
    const message = Buffer.alloc(4);
    message.writeUInt32BE(this.sentAt.length);
    this.sentAt.push(Date.now());
    try {
      this.socket.send(message, () => {});
    } catch {
      // Not connected yet, as when the route is missing: lost, too.
    }
  }
}

function tryTcp(address: string): Promise<TcpResult> {
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

const streams = new Map<string, Stream>();

async function obey(request: ClientRequest): Promise<object> {
  if (request.do === 'tcp') return tryTcp(request.address);
  if (request.do === 'stream') {
    streams.set(request.address, streams.get(request.address) ?? new Stream(request.address));
    return {};
  }
  const nothing: StreamCount = { sent: 0, lost: 0, firstEchoAt: null };
  return streams.get(request.address)?.count(request.from, request.to) ?? nothing;
}

const input = createInterface({ input: process.stdin });
input.on('line', async (line) => {
  const request = JSON.parse(line) as ClientRequest;
  process.stdout.write(`${JSON.stringify({ id: request.id, ...(await obey(request)) })}\n`);
});
input.once('close', () => {
  for (const stream of streams.values()) stream.close();
});
