// A client whose neighbour tables are not Linux's: the program of test/net/gvisor, built once.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { TestContext } from 'node:test';
import { runCommand } from '../../../src/lab/command.js';
import type { Host } from '../../../src/lab/host.js';
import type { NetProcess } from '../../../src/lab/net_process.js';

const ROOT = join(import.meta.dirname, '../../../..');
const SOURCE = join(ROOT, 'test/net/gvisor');
const CACHE = join(ROOT, '.cache/gvisor');
// The first build compiles the stack and fetches it before.
const BUILD_TIMEOUT_MS = 300_000;
const NO_MODULES = /dial tcp|lookup |no such host|network is unreachable|Client\.Timeout|40[34] /;

/** What the program says, one object a line; see main.go. Times are CLOCK_MONOTONIC, as process.hrtime.bigint(). */
export interface GvisorLine {
  readonly type: 'ready' | 'neighbour' | 'echo' | 'counts';
  readonly address?: string;
  readonly mac?: string;
  readonly state?: string;
  readonly ns: number;
  readonly sent?: number;
  readonly echoed?: number;
}

/** Path of the program, or why it cannot be had here. Throws when our own source does not compile. */
async function build(): Promise<{ readonly program: string } | { readonly missing: string }> {
  const sources = readdirSync(SOURCE).filter((name) => /\.(go|mod|sum)$/.test(name));
  const hash = createHash('sha256');
  for (const name of sources.sort()) hash.update(name).update(readFileSync(join(SOURCE, name)));
  const program = join(CACHE, `client-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return { program };

  const wanted = /^go (\S+)$/m.exec(readFileSync(join(SOURCE, 'go.mod'), 'utf8'))?.[1];
  const env = ['env', 'CGO_ENABLED=0', 'GOTOOLCHAIN=local', 'GOFLAGS=-mod=readonly'];
  const version = await runCommand(['env', 'GOTOOLCHAIN=local', 'go', 'version'], { allowFailure: true });
  if (version.code !== 0) return { missing: `needs Go ${wanted} or later` };
  mkdirSync(CACHE, { recursive: true });
  const draft = `${program}.${process.pid}`;
  const command = [...env, 'go', 'build', '-C', SOURCE, '-trimpath', '-ldflags', '-s -w', '-o', draft, '.'];
  const { code, stderr } = await runCommand(command, { allowFailure: true, timeoutMs: BUILD_TIMEOUT_MS });
  if (/requires go >= /.test(stderr)) return { missing: `needs Go ${wanted} or later: ${version.stdout.trim()}` };
  if (code !== 0 && NO_MODULES.test(stderr))
    return {
      missing: `its modules cannot be fetched ("go mod download" in test/net/gvisor does): ${stderr.slice(0, 300).trim()}`,
    };
  assert.equal(code, 0, stderr);
  for (const name of readdirSync(CACHE)) if (name !== basename(draft)) rmSync(join(CACHE, name), { force: true });
  renameSync(draft, program);
  return { program };
}

/** The program, where Go is there; else the test is skipped, loudly, and with CI=true it fails. */
export async function requireGvisor(t: TestContext): Promise<string | null> {
  const built = await build();
  if ('program' in built) return built.program;
  const reason = `a client on gVisor's stack: ${built.missing}`;
  if (process.env.CI === 'true') throw new Error(reason);
  process.stderr.write(`!! SKIPPED ${t.name}: ${reason}\n`);
  t.skip(reason);
  return null;
}

export interface GvisorOptions {
  readonly program: string;
  /** Its own addresses, with prefix length. */
  readonly addresses: readonly string[];
  readonly targets: readonly string[];
  readonly port: number;
}

/** The kernel must have no address on eth0 of the host, not even a link-local one. */
export class GvisorClient {
  readonly lines: GvisorLine[] = [];
  private readonly process: NetProcess;
  private readonly waiters = new Set<() => void>();

  constructor(host: Host, { program, addresses, targets, port }: GvisorOptions) {
    const ports = targets.map((address) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`));
    this.process = host.spawn([program, '-interface', 'eth0', ...addresses, ...ports], (text) => {
      this.lines.push(JSON.parse(text) as GvisorLine);
      for (const waiter of [...this.waiters]) waiter();
    });
  }

  /** The first line at or after `fromNs` that matches. */
  find(matches: (line: GvisorLine) => boolean, fromNs = 0): GvisorLine | undefined {
    return this.lines.find((line) => line.ns >= fromNs && matches(line));
  }

  /** As {@link find}, waiting for it; fails with all that was said after `timeoutMs`. */
  expect(what: string, matches: (line: GvisorLine) => boolean, fromNs = 0, timeoutMs = 5000): Promise<GvisorLine> {
    return new Promise((resolve, reject) => {
      const settle = (): boolean => {
        const found = this.find(matches, fromNs);
        if (found === undefined) return false;
        clearTimeout(timer);
        this.waiters.delete(settle);
        resolve(found);
        return true;
      };
      const timer = setTimeout(() => {
        this.waiters.delete(settle);
        reject(new Error(`no ${what} within ${timeoutMs} ms; the client said: ${this.process.lastOutput}`));
      }, timeoutMs);
      if (!settle()) this.waiters.add(settle);
    });
  }

  /** MAC of the neighbour entry of an address as last told. */
  macOf(address: string): string | null {
    return this.lines.findLast((line) => line.type === 'neighbour' && line.address === address)?.mac ?? null;
  }

  /** Ends it; resolves with the datagrams sent to and echoed from each address. */
  async finish(): Promise<ReadonlyMap<string, { readonly sent: number; readonly echoed: number }>> {
    await this.process.finish();
    const counts = this.lines.filter(({ type }) => type === 'counts');
    return new Map(counts.map(({ address = '', sent = 0, echoed = 0 }) => [address, { sent, echoed }]));
  }
}
