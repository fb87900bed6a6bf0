// What the flags and variables of `arpeggio speaker` say, checked.
import { join } from 'node:path';
import { MAX_INTERFACES } from '../config/interfaces.js';
import type { Probing } from '../desired/desired.js';
import type { LogLevel } from '../log.js';
import type { Takeover } from '../ownership/fence.js';
import { type ListenAddress, parseListenAddress } from '../status/listen_address.js';
import { DEFAULT_STATUS_SOCKET } from '../status/paths.js';
import { invalid, logLevel, text, yesNo } from './cluster_flags.js';

/** As commander gives them; what is empty counts as not given, as unset variables in manifests are. */
export interface SpeakerOptions {
  readonly nodeName?: string;
  readonly namespace?: string;
  readonly lbClass?: string;
  readonly ignoreExcludeLb?: string | true;
  readonly drainOnCordon?: string;
  readonly takeover?: string;
  readonly probing?: string;
  readonly interfaces?: string;
  readonly heartbeatKeyFile?: string;
  readonly cluster?: string;
  readonly stateDir?: string;
  readonly socket?: string;
  readonly listen?: string;
  readonly kubeconfig?: string;
  readonly logLevel?: string;
}

export interface SpeakerSettings {
  readonly node: string;
  /** null: the one that the API client finds. */
  readonly namespace: string | null;
  /** null: services without a class. */
  readonly lbClass: string | null;
  readonly ignoreExcludeLB: boolean;
  readonly drainOnCordon: boolean;
  readonly takeover: Takeover;
  readonly probing: Probing;
  /** null: every eligible Ethernet interface. */
  readonly interfaces: readonly string[] | null;
  readonly heartbeatKeyFile: string | null;
  readonly cluster: string;
  readonly stateDir: string;
  readonly socket: string;
  readonly listen: ListenAddress | null;
  readonly kubeconfig: string | null;
  readonly logLevel: LogLevel;
}

const PROBINGS = ['fast', 'rfc5227', 'none'] as const satisfies readonly Probing[];
/** A Node's name, RFC 1123 subdomain; also what a heartbeat has room for. */
const MAX_NODE_NAME = 253;

/** Where the process remembers under the state directory that the node is drained. */
export const drainedStateFile = (stateDir: string): string => join(stateDir, 'speaker.json');

/** @throws {ArpeggioError} ERR_INVALID_ARGUMENT that names the flag */
export function speakerSettings(options: SpeakerOptions): SpeakerSettings {
  const node = text(options.nodeName);
  if (node === null)
    throw invalid(
      '--node-name is missing; give it, or METALLB_NODE_NAME, the name of this Node (in a pod: fieldRef spec.nodeName)',
    );
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(node) || node.length > MAX_NODE_NAME)
    throw invalid(`--node-name: ${JSON.stringify(node)} is no name of a Node; kubectl get nodes lists them`);
  const listen = text(options.listen);
  return {
    node,
    namespace: text(options.namespace),
    lbClass: text(options.lbClass),
    ignoreExcludeLB: yesNo('--ignore-exclude-lb', options.ignoreExcludeLb, false),
    drainOnCordon: yesNo('--drain-on-cordon', options.drainOnCordon, true),
    takeover: oneOf('--takeover', ['fast', 'fenced'], options.takeover, 'fast'),
    probing: oneOf('--probing', PROBINGS, options.probing, 'fast'),
    interfaces: names('--interfaces', options.interfaces),
    heartbeatKeyFile: text(options.heartbeatKeyFile),
    cluster: text(options.cluster) ?? 'arpeggio',
    stateDir: text(options.stateDir) ?? '/var/lib/arpeggio',
    socket: text(options.socket) ?? DEFAULT_STATUS_SOCKET,
    listen: listen === null ? null : parseListenAddress(listen),
    kubeconfig: text(options.kubeconfig),
    logLevel: logLevel(options.logLevel),
  };
}

function oneOf<T extends string>(flag: string, values: readonly T[], value: string | undefined, fallback: T): T {
  const given = text(value);
  if (given === null) return fallback;
  const found = values.find((candidate) => candidate === given);
  if (found === undefined) throw invalid(`${flag}: ${JSON.stringify(given)} is none of ${values.join(', ')}`);
  return found;
}

function names(flag: string, value: string | undefined): string[] | null {
  const given = text(value);
  if (given === null) return null;
  const list = given.split(',').map((name) => name.trim());
  if (list.some((name) => name === '') || new Set(list).size !== list.length)
    throw invalid(`${flag}: ${JSON.stringify(given)} names an interface twice or not at all; write it like eth0,eth1`);
  if (list.length > MAX_INTERFACES)
    throw invalid(`${flag}: names ${list.length} interfaces; one node can use ${MAX_INTERFACES} at most`);
  return list;
}
