// A real etcd and kube-apiserver (RBAC, service accounts, validation, audit), and the controllers that somebody asks for, on
// loopback ports of the namespace that this process runs in.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArpeggioError } from '../../errors.js';
import { type Closable, closeAtEnd, isClosed } from '../clean_up.js';
import { type CommandResult, runCommand } from '../command.js';
import { type AuditEvent, readAudit } from './audit.js';
import { Background } from './background.js';
import { LabApi } from './lab_api.js';

const READY_TIMEOUT_MS = 60_000;
const CLUSTER_IPS = '10.96.0.0/16,fd00:10:96::/112';
/** Who may log in, by a token: name and groups. Service accounts get theirs by {@link ControlPlane.token}. */
const USERS = {
  admin: ['admin', 'system:masters'],
  'kube-proxy': ['system:kube-proxy', ''],
} as const;

export type User = keyof typeof USERS;

export interface ControlPlaneOptions {
  /** Of kube-controller-manager, such as "endpointslice-controller"; none: it does not run. */
  readonly controllers?: readonly string[];
  /** Further flags of the API server. */
  readonly apiFlags?: readonly string[];
}

/** Metadata of all requests, told once they are answered. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata' }],
};

const DIRECTORY = 'arpeggio-cluster-';

/** Removes the files that killed processes left; theirs have died with them. */
export function sweepFiles(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(DIRECTORY) ? /^(\d+)-/.exec(name.slice(DIRECTORY.length))?.[1] : undefined;
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Somebody else's, who will sweep it.
    }
  }
}

/** Its processes and files: gone when it is closed, however this process ends. */
class Belongings implements Closable {
  readonly parts: Background[] = [];
  readonly directory = mkdtempSync(join(tmpdir(), `${DIRECTORY}${process.pid}-`));

  constructor() {
    closeAtEnd(this);
  }

  start(name: string, argv: readonly string[]): Background {
    const part = new Background(name, argv, join(this.directory, `${name}.log`));
    this.parts.push(part);
    return part;
  }

  close(): void {
    isClosed(this);
    for (const part of this.parts) part.signal('SIGKILL');
    // A process that dies may be writing still.
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  }

  async stop(): Promise<void> {
    await Promise.all(this.parts.map((part) => part.stop('SIGKILL')));
    this.close();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export class ControlPlane {
  /** As admin. */
  readonly api: LabApi;

  private constructor(
    readonly program: string,
    private readonly belongings: Belongings,
    private readonly tokens: Readonly<Record<User, string>>,
    /** Where the API server listens: 127.0.0.1 and a port. */
    readonly address: string,
    readonly ca: string,
    private apiServer: Background,
    private readonly apiArgv: readonly string[],
    readonly etcdUrl: string,
  ) {
    this.api = new LabApi(this.server, ca, tokens.admin);
  }

  /** Starts everything and waits until the API server is ready, some seconds. */
  static async start(program: string, options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    sweepFiles();
    const belongings = new Belongings();
    try {
      return await ControlPlane.startWith(belongings, program, options);
    } catch (error) {
      await belongings.stop();
      throw error;
    }
  }

  private static async startWith(
    belongings: Belongings,
    program: string,
    { controllers = [], apiFlags = [] }: ControlPlaneOptions,
  ): Promise<ControlPlane> {
    const path = (name: string) => join(belongings.directory, name);
    const [clientPort, peerPort, apiPort] = await Promise.all([freePort(), freePort(), freePort()]);
    const etcdUrl = `http://127.0.0.1:${clientPort}`;
    belongings.start('etcd', [program, 'etcd', path('etcd'), etcdUrl, `http://127.0.0.1:${peerPort}`]);

    const tokens = Object.fromEntries(
      Object.keys(USERS).map((user) => [user, randomBytes(16).toString('hex')]),
    ) as Record<User, string>;
    const lines = Object.entries(USERS).map(
      ([user, [name, group]]) => `${tokens[user as User]},${name},${user}${group === '' ? '' : `,"${group}"`}`,
    );
    writeFileSync(path('tokens.csv'), `${lines.join('\n')}\n`, { mode: 0o600 });
    const { publicKey, privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'sec1', format: 'pem' },
    });
    writeFileSync(path('sa.pub'), publicKey);
    writeFileSync(path('sa.key'), privateKey, { mode: 0o600 });
    writeFileSync(path('audit-policy.yaml'), JSON.stringify(AUDIT_POLICY));
    const apiArgv = [
      program,
      'kube-apiserver',
      `--etcd-servers=${etcdUrl}`,
      `--cert-dir=${path('certificates')}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${apiPort}`,
      // Nobody uses it; else the API server looks for a default route.
      '--advertise-address=192.0.2.254',
      '--endpoint-reconciler-type=none',
      `--service-cluster-ip-range=${CLUSTER_IPS}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${path('sa.pub')}`,
      `--service-account-signing-key-file=${path('sa.key')}`,
      '--authorization-mode=RBAC',
      `--token-auth-file=${path('tokens.csv')}`,
      '--allow-privileged',
      '--profiling=false',
      `--audit-policy-file=${path('audit-policy.yaml')}`,
      `--audit-log-path=${path('audit.log')}`,
      ...apiFlags,
    ];
    const apiServer = belongings.start('kube-apiserver', apiArgv);
    const certificate = join(path('certificates'), 'apiserver.crt');
    await apiServer.until('a certificate', async () => existsSync(certificate), READY_TIMEOUT_MS);
    // Written in one go, but perhaps not yet when we look.
    await apiServer.until(
      'a whole certificate',
      async () => /END CERT.*\n$/.test(readFileSync(certificate, 'utf8')),
      1000,
    );
    const ca = readFileSync(certificate, 'utf8');
    const address = `127.0.0.1:${apiPort}`;
    const control = new ControlPlane(program, belongings, tokens, address, ca, apiServer, apiArgv, etcdUrl);
    await control.ready();
    if (controllers.length > 0) control.startControllers(controllers);
    return control;
  }

  /** For further files, too; removed by {@link stop}. */
  get directory(): string {
    return this.belongings.directory;
  }

  get server(): string {
    return `https://${this.address}`;
  }

  get apiPid(): number {
    return this.apiServer.pid;
  }

  /** A file for whoever takes a kubeconfig. @param server default where the API server listens. */
  kubeconfig(user: User | { readonly token: string; readonly namespace?: string }, server = this.server): string {
    const { token, namespace = 'default' } = typeof user === 'string' ? { token: this.tokens[user] } : user;
    const certificate = Buffer.from(this.ca).toString('base64');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'lab', cluster: { server, 'certificate-authority-data': certificate } }],
      users: [{ name: 'user', user: { token } }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'user', namespace } }],
      'current-context': 'lab',
    };
    const path = join(this.directory, `kubeconfig-${randomBytes(4).toString('hex')}`);
    // JSON is YAML.
    writeFileSync(path, JSON.stringify(config, null, 2), { mode: 0o600 });
    return path;
  }

  /** A token of a service account, as its pods get it. */
  async token(namespace: string, serviceAccount: string, seconds = 3600): Promise<string> {
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: seconds },
    };
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
    return (await this.api.create(path, body)).status.token;
  }

  /** Runs kubectl as admin. */
  async kubectl(...args: readonly string[]): Promise<CommandResult> {
    const argv = [this.program, 'kubectl', '--kubeconfig', this.kubeconfig('admin'), ...args];
    return runCommand(argv, { timeoutMs: 60_000 });
  }

  /** The API server hangs: connections stay, nothing is answered. */
  pauseApi(): void {
    this.apiServer.signal('SIGSTOP');
  }

  resumeApi(): void {
    this.apiServer.signal('SIGCONT');
  }

  /** The API server is gone: connections are reset, new ones refused. SIGTERM: it ends in order. */
  async stopApi(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.apiServer.stop(signal, 30_000);
  }

  /** Starts it again, with the same certificate at the same address, and waits until it is ready. */
  async startApi(): Promise<void> {
    this.apiServer = this.belongings.start('kube-apiserver', this.apiArgv);
    await this.ready();
  }

  /** Everything that was asked of the API server so far. */
  audit(): readonly AuditEvent[] {
    return readAudit(join(this.directory, 'audit.log'));
  }

  /** Forgets all history: watches from an older resourceVersion get 410 once they are not in the API server's cache. */
  async compact(): Promise<void> {
    const ask = async (path: string, body: object) => {
      const response = await fetch(`${this.etcdUrl}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
      if (!response.ok) throw new ArpeggioError('ERR_SYSTEM', `etcd: ${await response.text()}`);
      return (await response.json()) as { header: { revision: string } };
    };
    const { header } = await ask('range', { key: Buffer.from('compact').toString('base64') });
    await ask('compaction', { revision: header.revision, physical: true });
  }

  /** Ends every process and removes the files. */
  async stop(): Promise<void> {
    this.api.close();
    await this.belongings.stop();
  }

  private async ready(): Promise<void> {
    const isReady = async () => (await this.api.get('/readyz').catch(() => null)) === 'ok';
    await this.apiServer.until('readiness', isReady, READY_TIMEOUT_MS);
  }

  private startControllers(controllers: readonly string[]): void {
    const argv = [
      this.program,
      'kube-controller-manager',
      `--kubeconfig=${this.kubeconfig('admin')}`,
      `--controllers=${controllers.join(',')}`,
      '--leader-elect=false',
      '--secure-port=0',
      `--service-account-private-key-file=${join(this.directory, 'sa.key')}`,
    ];
    this.belongings.start('kube-controller-manager', argv);
  }
}
