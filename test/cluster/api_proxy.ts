// Stands between a client and the real API server, and harms what passes on order.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request as requestHttp, type ServerResponse } from 'node:http';
import { createServer, request, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlPlane } from '../../src/lab/kubernetes/control_plane.js';
import { certificates } from '../unit/kubernetes_server.js';

export interface Passed {
  readonly kind: 'list' | 'watch' | 'other';
  readonly method: string;
  readonly url: URL;
  readonly authorization: string;
  /** Status of the answer; 0 while there is none. */
  status: number;
  /** Of the answer so far. */
  text: string;
}

/** What happens to an answer; bytes not handed to `pass` are lost. */
export type Harm = (chunk: Buffer, response: ServerResponse, passed: Passed) => Buffer | null;

export class ApiProxy {
  readonly passed: Passed[] = [];
  private readonly directory = mkdtempSync(join(tmpdir(), 'arpeggio-proxy-'));
  private readonly authority = certificates(this.directory)[0]!;
  private readonly open = new Map<ServerResponse, Passed>();
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private answers: { kind: Passed['kind']; answer: (response: ServerResponse) => void }[] = [];
  private harms: { kind: Passed['kind']; harm: Harm }[] = [];
  private hanging = false;

  private constructor(private readonly control: ControlPlane) {
    const { cert, key } = this.authority;
    this.server = createServer({ cert, key }, (incoming, response) => this.forward(incoming, response));
    this.server.on('secureConnection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.sockets.delete(socket));
    });
  }

  static async start(control: ControlPlane): Promise<ApiProxy> {
    const proxy = new ApiProxy(control);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get kubeconfig(): string {
    return join(this.directory, 'config');
  }

  /** For the client; the token passes through. Default: the administrator's. */
  writeKubeconfig(token?: string): void {
    const { port } = this.server.address() as AddressInfo;
    const config = JSON.parse(readFileSync(this.control.kubeconfig('admin'), 'utf8'));
    const cluster = { server: `https://127.0.0.1:${port}`, 'certificate-authority': this.authority.ca };
    config.clusters[0].cluster = cluster;
    if (token !== undefined) config.users[0].user = { token };
    writeFileSync(this.kubeconfig, JSON.stringify(config));
  }

  count(kind: Passed['kind']): number {
    return this.passed.filter((entry) => entry.kind === kind).length;
  }

  /** Of all answers of a kind, what was sent. */
  text(kind: Passed['kind']): string {
    return this.passed.map((entry) => (entry.kind === kind ? entry.text : '')).join('');
  }

  get openWatches(): number {
    return [...this.open.values()].filter(({ kind, status }) => kind === 'watch' && status === 200).length;
  }

  /** The next request of a kind is answered so, and never reaches the API server. */
  answer(kind: Passed['kind'], answer: (response: ServerResponse) => void): void {
    this.answers.push({ kind, answer });
  }

  /** What comes for the next answer of a kind goes through this. */
  harm(kind: Passed['kind'], harm: Harm): void {
    this.harms.push({ kind, harm });
  }

  /** Connections stay, but no byte of a watch passes any more. */
  hang(): void {
    this.hanging = true;
  }

  /** Watches to come pass again; those that hang do so for ever. */
  unhang(): void {
    this.hanging = false;
  }

  cutWatches(): void {
    for (const [response, { kind }] of this.open) if (kind === 'watch') response.socket?.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
    rmSync(this.directory, { recursive: true, force: true });
  }

  private forward(incoming: IncomingMessage, response: ServerResponse): void {
    const url = new URL(incoming.url ?? '', this.control.server);
    const { method = '' } = incoming;
    const collection = method === 'GET' && /\/(services|configmaps)$/.test(url.pathname);
    const kind = collection ? (url.searchParams.get('watch') ? 'watch' : 'list') : 'other';
    const { authorization = '' } = incoming.headers;
    const passed: Passed = { kind, method, url, authorization, status: 0, text: '' };
    this.passed.push(passed);
    const answer = this.take(this.answers, kind);
    if (answer) {
      answer.answer(response);
      return;
    }
    const harm = this.take(this.harms, kind)?.harm;
    this.open.set(response, passed);
    const headers = { ...incoming.headers, host: url.host };
    const call = (url.protocol === 'http:' ? requestHttp : request)(url, { method, headers, ca: this.control.ca });
    call.on('error', () => response.socket?.destroy());
    response.on('close', () => {
      this.open.delete(response);
      call.destroy();
    });
    response.on('error', () => {});
    let hung = false;
    call.on('response', (answered) => {
      passed.status = answered.statusCode ?? 0;
      const { 'content-length': _, ...rest } = answered.headers;
      response.writeHead(passed.status, rest);
      response.flushHeaders();
      answered.on('error', () => response.socket?.destroy());
      answered.on('data', (chunk: Buffer) => {
        hung ||= this.hanging && kind === 'watch';
        if (hung) return;
        const left = harm ? harm(chunk, response, passed) : chunk;
        passed.text += left?.toString() ?? '';
        if (left) response.write(left);
      });
      answered.on('end', () => {
        if (!hung) response.end();
      });
    });
    incoming.pipe(call);
  }

  private take<T extends { kind: Passed['kind'] }>(from: T[], kind: Passed['kind']): T | undefined {
    const index = from.findIndex((entry) => entry.kind === kind);
    return index < 0 ? undefined : from.splice(index, 1)[0];
  }
}
