// A server over TLS that lists and watches as the API server does, and misbehaves on order.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';

export const SILENT = pino({ level: 'silent' });

export interface Seen {
  readonly kind: 'list' | 'watch' | 'other';
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string;
  readonly contentType: string;
  readonly body: string;
  readonly atMs: number;
  readonly socket: Socket;
}

/** Handles a request in place of the server; false: the server shall handle it after all. */
export type Fault = (response: ServerResponse, seen: Seen) => boolean | undefined;

export interface TestObject {
  metadata: { namespace?: string; name: string; resourceVersion?: string; [field: string]: unknown };
  [field: string]: unknown;
}

interface Logged {
  readonly version: number;
  readonly type: string;
  readonly object: TestObject;
}

interface Certificate {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Two, made once: by different authorities. */
export function certificates(directory: string): Certificate[] {
  return ['one', 'two'].map((name) => {
    const path = (what: string) => join(directory, `${name}.${what}`);
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', path('key'), '-out', path('crt'), ...subject], {
      stdio: 'ignore',
    });
    return { ca: path('crt'), cert: readFileSync(path('crt'), 'utf8'), key: readFileSync(path('key'), 'utf8') };
  });
}

export class TestServer {
  readonly directory = mkdtempSync(join(tmpdir(), 'arpeggio-api-'));
  readonly seen: Seen[] = [];
  readonly objects = new Map<string, TestObject>();
  token = 'first';
  private readonly certificates = certificates(this.directory);
  private readonly faults: { kind: Seen['kind'] | 'any'; fault: Fault; times: number }[] = [];
  private readonly watches = new Map<ServerResponse, (event: Logged) => void>();
  private readonly sockets = new Set<Socket>();
  private log: Logged[] = [];
  private readonly snapshots = new Map<string, readonly TestObject[]>();
  private version = 100;
  /** Versions up to here are forgotten. */
  private compacted = 0;
  private server: Server | null = null;
  private port = 0;

  static async start(): Promise<TestServer> {
    const server = new TestServer();
    await server.listen(0);
    return server;
  }

  get kubeconfig(): string {
    return join(this.directory, 'config');
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get openWatches(): number {
    return this.watches.size;
  }

  count(kind: Seen['kind']): number {
    return this.seen.filter((entry) => entry.kind === kind).length;
  }

  caFile(which = 0): string {
    return this.certificates[which]!.ca;
  }

  /** As kubectl writes it: in one step. */
  writeKubeconfig({ token = this.token, ca = this.caFile(), user = {} as object } = {}): void {
    const text = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster: { server: this.url, 'certificate-authority': ca } }],
      users: [{ name: 'tester', user: { token, ...user } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'tester', namespace: 'here' } }],
      'current-context': 'test',
    });
    writeFileSync(`${this.kubeconfig}.new`, text);
    renameSync(`${this.kubeconfig}.new`, this.kubeconfig);
  }

  /** Forgets what another test has left. */
  reset(): void {
    this.objects.clear();
    this.version += 1;
    this.faults.length = 0;
    this.seen.length = 0;
    this.token = 'first';
    this.writeKubeconfig();
  }

  async listen(certificate: number): Promise<void> {
    const { cert, key } = this.certificates[certificate]!;
    const server = createServer({ cert, key, keepAliveTimeout: 60_000 }, (request, response) =>
      this.take(request, response),
    );
    server.on('secureConnection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
    if (certificate === 0) this.writeKubeconfig();
  }

  /** As when the API server stops: connections end, new ones are refused. */
  async down(): Promise<void> {
    const { server } = this;
    if (!server) return;
    this.server = null;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
    this.watches.clear();
  }

  async close(): Promise<void> {
    await this.down();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The next requests of a kind are handled so. */
  fault(kind: Seen['kind'] | 'any', fault: Fault, times = 1): void {
    this.faults.push({ kind, fault, times });
  }

  put(name: string, fields: Record<string, unknown> = {}): TestObject {
    const before = this.objects.get(name);
    this.version += 1;
    const metadata = { name, resourceVersion: String(this.version) };
    const object: TestObject = { metadata, ...fields };
    this.objects.set(name, object);
    this.emit({ version: this.version, type: before ? 'MODIFIED' : 'ADDED', object });
    return object;
  }

  /** Something else changes: no watch hears of it. */
  elsewhere(): void {
    this.version += 1;
  }

  remove(name: string): void {
    const object = this.objects.get(name)!;
    this.objects.delete(name);
    this.version += 1;
    const metadata = { ...object.metadata, resourceVersion: String(this.version) };
    this.emit({ version: this.version, type: 'DELETED', object: { ...object, metadata } });
  }

  bookmark(): void {
    const object = { metadata: { name: '', resourceVersion: String(this.version) } };
    for (const send of this.watches.values()) send({ version: this.version, type: 'BOOKMARK', object });
  }

  /** Forgets all versions before the present one, as etcd does every five minutes. */
  compact(): void {
    this.compacted = this.version;
    this.log = [];
  }

  /** Watches end as at their timeout. */
  endWatches(): void {
    for (const response of this.watches.keys()) response.end();
  }

  /** What is sent to the present watches beside events. */
  rawToWatches(text: string): void {
    for (const response of this.watches.keys()) response.write(text);
  }

  breakWatches(): void {
    for (const response of this.watches.keys()) response.socket?.destroy();
  }

  private emit(event: Logged): void {
    this.log.push(event);
    for (const send of this.watches.values()) send(event);
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '', this.url);
      const collection = request.method === 'GET' && url.pathname === '/api/v1/things';
      const seen: Seen = {
        kind: collection ? (url.searchParams.get('watch') ? 'watch' : 'list') : 'other',
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        authorization: request.headers.authorization ?? '',
        contentType: request.headers['content-type'] ?? '',
        body: Buffer.concat(chunks).toString(),
        atMs: performance.now(),
        socket: request.socket,
      };
      this.seen.push(seen);
      this.handle(seen, response);
    });
  }

  private handle(seen: Seen, response: ServerResponse): void {
    if (seen.authorization !== `Bearer ${this.token}`) {
      status(response, 401, 'Unauthorized');
      return;
    }
    const index = this.faults.findIndex(({ kind }) => kind === 'any' || kind === seen.kind);
    const entry = this.faults[index];
    if (entry) {
      entry.times -= 1;
      if (entry.times <= 0) this.faults.splice(index, 1);
      if (entry.fault(response, seen) !== false) return;
    }
    if (seen.kind === 'list') this.list(seen.query, response);
    else if (seen.kind === 'watch') this.watch(seen.query, response);
    else status(response, 404, 'NotFound');
  }

  private list(query: URLSearchParams, response: ServerResponse): void {
    const [version = String(this.version), offset = '0'] = (query.get('continue') ?? '').split(':').filter(Boolean);
    if (Number(version) < this.compacted) {
      status(response, 410, 'Expired');
      return;
    }
    // All pages of a list show the same moment.
    const all = this.snapshots.get(version) ?? [...this.objects.values()];
    this.snapshots.set(version, all);
    const limit = Number(query.get('limit') ?? all.length);
    const end = Number(offset) + limit;
    json(response, 200, {
      kind: 'List',
      metadata: { resourceVersion: version, ...(end < all.length && { continue: `${version}:${end}` }) },
      items: all.slice(Number(offset), end),
    });
  }

  private watch(query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion'));
    if (from < this.compacted) {
      status(response, 410, 'Expired');
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const send = ({ type, object }: Logged) => response.write(`${JSON.stringify({ type, object })}\n`);
    for (const event of this.log) if (event.version > from) send(event);
    this.watches.set(response, send);
    const timer = setTimeout(() => response.end(), Number(query.get('timeoutSeconds') ?? 60) * 1000);
    response.on('error', () => {});
    response.on('close', () => {
      clearTimeout(timer);
      this.watches.delete(response);
    });
  }
}

export function json(
  response: ServerResponse,
  code: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function status(
  response: ServerResponse,
  code: number,
  reason: string,
  headers: Record<string, string> = {},
): void {
  const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: `test: ${reason}`, reason, code };
  json(response, code, body, headers);
}

/** Waits until it holds; fails with what it was about. */
export async function until(what: string, holds: () => boolean, limitMs = 5000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
