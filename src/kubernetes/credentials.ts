// Where the API server is and how to prove who we are: kubeconfig or service account, read again as their files change.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ArpeggioError } from '../errors.js';
import type { Logger } from '../log.js';
import { type KubeConfig, newKubeConfig } from './client_node.js';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** A dead server is found by TCP this long after the last byte, and 10 probes of a second. */
const KEEP_ALIVE_DELAY_MS = 10_000;
/** An idle connection is closed before the API server closes it (90 s), so that no request meets its end. */
const IDLE_SOCKET_MS = 45_000;

export interface CredentialsOptions {
  /** A file; null: KUBECONFIG, else the pod's service account, else ~/.kube/config. */
  kubeconfig: string | null;
  log: Logger;
  environment?: NodeJS.ProcessEnv;
  /** The pod's root directory. Default: /. */
  root?: string;
}

/** What a request needs. */
export interface Access {
  readonly server: URL;
  readonly agent: HttpAgent;
  readonly headers: Readonly<Record<string, string>>;
  /** "user:password"; null: other means. */
  readonly auth: string | null;
}

interface Loaded {
  readonly config: KubeConfig;
  readonly server: URL;
  readonly namespace: string;
  /** Files that it is made of, and their state when they were read. */
  readonly files: readonly string[];
  readonly signature: string;
}

/** @throws ArpeggioError ERR_KUBECONFIG that says what is missing */
export class Credentials {
  private loaded: Loaded;
  private agent: HttpAgent | null = null;
  /** Of what the agent was made: a new one is due as soon as it differs. */
  private agentKey = '';
  /** Agents whose watches may still run. */
  private readonly retired = new Set<HttpAgent>();
  private failedSignature = '';

  constructor(private readonly options: CredentialsOptions) {
    this.loaded = load(options);
  }

  get server(): string {
    return this.loaded.server.href.replace(/\/$/, '');
  }

  get namespace(): string {
    return this.loaded.namespace;
  }

  /** Looks whether the files have changed, which costs microseconds. @throws what an exec plugin or a missing file throws */
  async access(): Promise<Access> {
    if (signatureOf(this.loaded.files) !== this.loaded.signature) this.reload();
    const { config, server } = this.loaded;
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name] = String(value).trim();
    return { server, agent: this.agentFor(config, server, options), headers, auth: options.auth ?? null };
  }

  /** Reads everything again, also what caches by itself: for when the API server no longer accepts us. */
  reload(): void {
    try {
      this.loaded = load(this.options);
      this.failedSignature = '';
    } catch (error) {
      // A file that is being written: what worked stays, and it is looked at again with the next request.
      const signature = signatureOf(this.loaded.files);
      if (signature !== this.failedSignature) this.options.log.warn({ err: error }, 'the old credentials stay in use');
      this.failedSignature = signature;
    }
  }

  close(): void {
    for (const agent of this.retired) agent.destroy();
    this.agent?.destroy();
  }

  private agentFor(config: KubeConfig, server: URL, options: RequestOptions): HttpAgent {
    const { ca, cert, key, passphrase, servername, rejectUnauthorized } = options;
    const proxy = config.getCurrentCluster()?.proxyUrl ?? null;
    const material = [ca, cert, key].map((value) => (value === undefined ? null : String(value)));
    const agentKey = JSON.stringify([server.host, proxy, servername, rejectUnauthorized, passphrase, ...material]);
    if (this.agent && agentKey === this.agentKey) return this.agent;
    for (const agent of this.retired) agent.destroy();
    this.retired.clear();
    if (this.agent) this.retired.add(this.agent);
    this.agentKey = agentKey;
    const keep = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_DELAY_MS, timeout: IDLE_SOCKET_MS };
    const tls = {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(passphrase !== undefined && { passphrase }),
      ...(servername !== undefined && { servername }),
      ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
    };
    if (proxy) this.agent = options.agent as HttpAgent;
    else if (server.protocol === 'http:') this.agent = new HttpAgent(keep);
    else this.agent = new HttpsAgent({ ...keep, ...tls });
    return this.agent;
  }
}

function load({ kubeconfig, environment = process.env, root = '' }: CredentialsOptions): Loaded {
  const { config, sources } = read(kubeconfig, environment, root);
  const origin = sources.join(', ');
  const cluster = config.getCurrentCluster();
  if (!cluster?.server)
    throw new ArpeggioError(
      'ERR_KUBECONFIG',
      `${origin}: ${config.currentContext ? `the context "${config.currentContext}" names no cluster with a server` : 'current-context is missing'}; choose one with "kubectl config use-context"`,
    );
  if (!config.getCurrentUser())
    throw new ArpeggioError('ERR_KUBECONFIG', `${origin}: the context "${config.currentContext}" names no user`);
  const user = config.getCurrentUser();
  const files = [...sources, cluster.caFile, user?.certFile, user?.keyFile, user?.authProvider?.config?.tokenFile];
  const present = files.filter((file): file is string => typeof file === 'string' && file !== '');
  const signature = signatureOf(present);
  let server: URL;
  try {
    server = new URL(cluster.server);
  } catch (cause) {
    throw new ArpeggioError('ERR_KUBECONFIG', `${origin}: ${JSON.stringify(cluster.server)} is no URL of a server`, {
      cause,
    });
  }
  const namespace = config.getContextObject(config.currentContext)?.namespace?.trim() || 'default';
  return { config, server, namespace, files: present, signature };
}

function read(kubeconfig: string | null, environment: NodeJS.ProcessEnv, root: string) {
  if (kubeconfig !== null) return fromFiles([kubeconfig], 'named with --kubeconfig');
  const listed = (environment.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '');
  if (listed.length > 0) return fromFiles(listed, 'named in KUBECONFIG');
  if (environment.KUBERNETES_SERVICE_HOST) return fromServiceAccount(root);
  const home = join(environment.HOME ?? homedir(), '.kube/config');
  if (existsSync(home)) return fromFiles([home], 'the default');
  throw new ArpeggioError(
    'ERR_KUBECONFIG',
    `nothing says where the API server is: this is no pod (KUBERNETES_SERVICE_HOST is not set), KUBECONFIG is not set, and there is no ${home}; name a file with --kubeconfig`,
  );
}

function fromFiles(paths: readonly string[], why: string): { config: KubeConfig; sources: string[] } {
  const config = newKubeConfig();
  paths.forEach((path, index) => {
    try {
      if (index === 0) {
        config.loadFromFile(path);
        return;
      }
      const further = newKubeConfig();
      further.loadFromFile(path);
      config.mergeConfig(further);
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      const said = code === 'ENOENT' ? 'does not exist' : `cannot be used: ${message.split('\n')[0]}`;
      throw new ArpeggioError('ERR_KUBECONFIG', `the kubeconfig ${path} (${why}) ${said}`, { cause });
    }
  });
  return { config, sources: [...paths] };
}

function fromServiceAccount(root: string): { config: KubeConfig; sources: string[] } {
  for (const name of ['token', 'ca.crt']) {
    const path = `${root}${SERVICE_ACCOUNT}/${name}`;
    try {
      if (readFileSync(path).length === 0) throw new Error('it is empty');
    } catch (cause) {
      throw new ArpeggioError(
        'ERR_KUBECONFIG',
        `the service account's ${path} cannot be read (${(cause as Error).message}); let the pod mount it (automountServiceAccountToken: true), or name a file with --kubeconfig`,
        { cause },
      );
    }
  }
  const config = newKubeConfig();
  config.loadFromCluster(root);
  return { config, sources: [] };
}

/** Differs as soon as one of the files was replaced or written; projected volumes are replaced by a link elsewhere. */
function signatureOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const found = statSync(file, { throwIfNoEntry: false });
      return found ? `${found.dev}:${found.ino}:${found.size}:${found.mtimeMs}` : '-';
    })
    .join(' ');
}
