// A container of deploy/base as a process on a node: its arguments, environment, service account, mounts, user and
// capabilities as the manifest says, in a mount namespace of its own. Only the root file system is the machine's.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ArpeggioError } from '../../errors.js';
import type { LogLine, NodeStatus } from '../arpeggio_node.js';
import type { Host } from '../host.js';
import type { Exit, NetProcess } from '../net_process.js';
import { parseLogLine, readStatus } from '../node_output.js';
import type { ControlPlane } from './control_plane.js';
import { DOOR_PORT } from './doors.js';
import { type ApiObject, LabApiError } from './lab_api.js';
import { type Manifests, NAMESPACE } from './manifests.js';

const CLI = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const SERVICE_ACCOUNT = '/run/secrets/kubernetes.io/serviceaccount';

// $1 is the pod's directory, then pairs of source and target, then "--" and the command. /run, /etc and /var/lib are the
// pod's own, so that mount points can be made; ip netns exec has made the mount namespace.
const ENTER = `
dir=$1; shift
mkdir -p "$dir/etc" "$dir/var-lib"
cp /etc/ld.so.cache "$dir/etc/" 2>/dev/null || :
mount -t tmpfs tmpfs /mnt
mkdir /mnt/pod
mount --bind "$dir" /mnt/pod
mount --bind /mnt/pod/etc /etc
mount --bind /mnt/pod/var-lib /var/lib
mount -t tmpfs tmpfs /run
while [ "$1" != -- ]; do
  mkdir -p "$2"
  mount --bind "/mnt/pod/$1" "$2"
  shift 2
done
shift
[ -n "\${NODE_V8_COVERAGE:-}" ] || mount -o bind,remount,ro /
exec "$@"
`;

export interface PodProcessOptions {
  /** Flags after those of the manifest. */
  readonly args?: readonly string[];
  readonly onLog?: (line: LogLine) => void;
}

export interface PodPlan {
  readonly host: Host;
  readonly control: ControlPlane;
  readonly manifests: Manifests;
  readonly workload: ApiObject;
  readonly podName: string;
  readonly directory: string;
  readonly options: PodProcessOptions;
}

/** Only root of the whole machine can become another user. */
const mayBecomeOthers = () =>
  process.getuid?.() === 0 && /^\s*0\s+0\s+4294967295/.test(readFileSync('/proc/self/uid_map', 'utf8'));

export class PodProcess {
  readonly log: LogLine[] = [];
  private process: NetProcess | null = null;

  /** See workloads.ts. */
  constructor(private readonly plan: PodPlan) {}

  get name(): string {
    return this.plan.podName;
  }

  get pid(): number | null {
    return this.process?.pid ?? null;
  }

  get isRunning(): boolean {
    return this.process?.isRunning ?? false;
  }

  get lastOutput(): string {
    return this.process?.lastOutput.slice(-4000) ?? 'it was not started';
  }

  /** Starts it, again too: what is mounted from the host is kept. */
  async start(args: readonly string[] = this.plan.options.args ?? []): Promise<void> {
    const { host, control, manifests, workload, directory, options } = this.plan;
    const {
      serviceAccountName,
      securityContext: podContext = {},
      volumes = [],
      containers,
    } = workload.spec.template.spec;
    const container = containers[0];
    const context = { ...podContext, ...container.securityContext };
    try {
      this.writeServiceAccount(await control.token(NAMESPACE, serviceAccountName));
    } catch (error) {
      // A container that is started again while the API server is away has the token that kubelet got before.
      const isAway = error instanceof LabApiError && error.status === 0;
      if (!isAway || !existsSync(join(directory, 'service-account/token'))) throw error;
    }
    const mounts: [string, string][] = [['service-account', SERVICE_ACCOUNT]];
    for (const { name, mountPath } of container.volumeMounts ?? []) {
      const volume = volumes.find((candidate: ApiObject) => candidate.name === name);
      const folder = `volume-${name}`;
      mkdirSync(join(directory, folder), { recursive: true, mode: 0o755 });
      if (volume.secret !== undefined) {
        const { data } = manifests.find('Secret', volume.secret.secretName);
        for (const entry of Object.keys(data)) {
          const file = { mode: volume.secret.defaultMode ?? 0o644 };
          writeFileSync(join(directory, folder, entry), manifests.secret(volume.secret.secretName, entry), file);
        }
      }
      mounts.push([folder, mountPath]);
    }
    const argv = ['sh', '-e', '-c', ENTER, 'sh', directory, ...mounts.flat(), '--'];
    argv.push(...this.credentials(context), 'env', '-i', ...this.environment(container));
    argv.push(process.execPath, CLI, ...container.args, ...args);
    this.process = host.spawn(argv, (text) => {
      const line = parseLogLine(text);
      if (line === null) return;
      this.log.push(line);
      options.onLog?.(line);
    });
  }

  /** What GET /api/v1/status says. */
  status(): Promise<NodeStatus> {
    return readStatus(join(this.plan.directory, 'volume-run/arpeggio.sock'));
  }

  signal(signal: NodeJS.Signals): void {
    this.process?.signal(signal);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.process === null) throw new ArpeggioError('ERR_SYSTEM', `${this.name} was not started`);
    return this.process.stop(signal, 10_000);
  }

  private writeServiceAccount(token: string): void {
    const folder = join(this.plan.directory, 'service-account');
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    writeFileSync(join(folder, 'token'), token);
    writeFileSync(join(folder, 'ca.crt'), this.plan.control.ca);
    writeFileSync(join(folder, 'namespace'), NAMESPACE);
  }

  /** As a container runtime sets user, capabilities and no_new_privs. Another user gets no signal of our death any more: once again. */
  private credentials(context: ApiObject): string[] {
    const kept = (context.capabilities?.add ?? []).map((name: string) => `,+${name.toLowerCase()}`).join('');
    const argv = ['setpriv', '--pdeathsig=KILL', `--bounding-set=-all${kept}`, '--inh-caps=-all'];
    if (context.allowPrivilegeEscalation === false) argv.push('--no-new-privs');
    if (context.runAsUser && mayBecomeOthers())
      argv.push(`--reuid=${context.runAsUser}`, `--regid=${context.runAsGroup}`, '--clear-groups');
    return argv;
  }

  private environment({ env = [] }: ApiObject): string[] {
    const { host, podName } = this.plan;
    const fields: Record<string, string> = {
      'spec.nodeName': host.name,
      'metadata.namespace': NAMESPACE,
      'metadata.name': podName,
    };
    const given = env.map(({ name, value, valueFrom }: ApiObject) => {
      const found = value ?? fields[valueFrom?.fieldRef?.fieldPath];
      if (found === undefined)
        throw new ArpeggioError('ERR_SYSTEM', `${name}: nobody here knows ${JSON.stringify(valueFrom)}`);
      return `${name}=${found}`;
    });
    // What kubelet adds, and where a test run counts coverage.
    given.push(
      'KUBERNETES_SERVICE_HOST=127.0.0.1',
      `KUBERNETES_SERVICE_PORT=${DOOR_PORT}`,
      'PATH=/usr/local/bin:/usr/bin:/bin',
    );
    const coverage = process.env.NODE_V8_COVERAGE;
    if (coverage) given.push(`NODE_V8_COVERAGE=${coverage}`);
    return given;
  }
}
