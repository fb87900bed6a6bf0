// A node of a Kubernetes cluster: source -> speaker -> what the cluster is told.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs, WallTime } from '../clock.js';
import type { ApiClient } from '../kubernetes/api_client.js';
import { EventRecorder } from '../kubernetes/events.js';
import type { Service } from '../kubernetes/types.js';
import type { Logger } from '../log.js';
import { missingInterfaces } from '../metallb/configuration.js';
import type { ConfigurationProblem } from '../metallb/types.js';
import { Records } from '../records/records.js';
import { ServiceL2Statuses } from '../records/service_l2_statuses.js';
import { KubernetesSource } from '../sources/kubernetes/kubernetes_source.js';
import { type SavedState, StateFile } from '../sources/kubernetes/state_file.js';
import type { SourceUpdate } from '../sources/kubernetes/types.js';
import type { Effect } from '../speaker.js';
import { ClusterPeers } from './cluster_peers.js';
import { clusterWarnings, logProblems, otherModeText } from './cluster_warnings.js';
import { NodeProcess } from './node_process.js';
import { offLinkWarning } from './off_link.js';
import { OwnershipReports } from './ownership_reports.js';
import { ServiceReports } from './service_reports.js';
import { drainedStateFile, type SpeakerSettings } from './speaker_settings.js';

const HEARTBEAT = { intervalMs: 50, multiplier: 3 };
const LOOK_MS = 1_000;
const RESTORE_LOOK_MS = 100;
/** How long the API server may take to tell everything before what is on disk is used; at once if it cannot be reached. */
const RESTORE_AFTER_MS = 5_000;
/** What the cluster wants waits so long at most until it is known whose the addresses were. */
const RECORDS_WAIT_MS = 1_000;
/** After the start, and then as often, one node takes away what nobody else will. */
const TIDY_FIRST_MS = 30_000;
const TIDY_EVERY_MS = 600_000;
/** What is still written at a stop, each for as long at most. */
const LAST_WRITES_MS = 1_000;

export interface SpeakerNodeOptions {
  readonly settings: SpeakerSettings;
  readonly api: ApiClient;
  /** Of the pools and of our Leases. */
  readonly namespace: string;
  readonly keys: readonly Uint8Array[];
  readonly log: Logger;
}

export class SpeakerNode {
  readonly #options: SpeakerNodeOptions;
  readonly #log: Logger;
  readonly #process: NodeProcess;
  readonly #source: KubernetesSource;
  readonly #stateFile: StateFile;
  /** As it was at the start; null once it is not needed any more. */
  #saved: SavedState | null;
  readonly #records: Records;
  readonly #statuses: ServiceL2Statuses;
  readonly #recorder: EventRecorder;
  readonly #reports: ServiceReports;
  readonly #ownership: OwnershipReports;
  readonly #peers: ClusterPeers;
  #problems: readonly ConfigurationProblem[] = [];
  /** none: nothing is known yet; saved: from disk; cluster: from the API server. */
  #wish: 'none' | 'saved' | 'cluster' = 'none';
  /** What the source told while nobody knew yet whose the addresses were; null: that is known, or was waited for. */
  #early: SourceUpdate[] | null = [];
  #earlyLimit: NodeJS.Timeout | undefined;
  #startedMs = 0;
  /** Nodes that take over in another way, as was told last. */
  #otherMode: readonly string[] = [];
  #tidyMs = 0;
  #look: NodeJS.Timeout | undefined;
  #restore: NodeJS.Timeout | undefined;

  /** @throws {ArpeggioError} ERR_NO_CAP_NET_RAW, ERR_SYSTEM */
  constructor(options: SpeakerNodeOptions) {
    const { settings, api, namespace, keys, log } = options;
    const { node, cluster, interfaces, stateDir } = settings;
    this.#options = options;
    this.#log = log.child({ module: 'kubernetes' });
    this.#process = new NodeProcess({
      settings: { node, cluster, interfaces, serve: 'none', heartbeat: { ...HEARTBEAT, keys } },
      servedElsewhere: true,
      stateFile: drainedStateFile(stateDir),
      takeover: settings.takeover,
      log,
      warnings: () => this.#warnings(),
      onEffects: (effects) => this.#onEffects(effects),
      onUsable: () => this.#reports?.markAll(),
    });
    const { speaker } = this.#process;
    this.#peers = new ClusterPeers({ node, peers: () => speaker.interfaces.flatMap((name) => speaker.peers(name)) });
    this.#stateFile = new StateFile({ path: join(stateDir, 'kubernetes.json'), log: this.#log });
    this.#saved = this.#stateFile.load();
    this.#source = new KubernetesSource({
      ...settings,
      saved: this.#saved,
      api,
      namespace,
      log,
      onUpdate: (update) => this.#onUpdate(update),
      onProblems: (problems) => {
        if (problems.length + this.#problems.length > 0) logProblems(this.#log, problems);
        this.#problems = problems;
      },
    });
    this.#records = new Records({
      api,
      namespace,
      node,
      log,
      isHeard: (name) => this.#peers.isHeard(name),
      takeover: settings.takeover,
      core: speaker,
      isSettled: () => this.#wish === 'cluster' && this.#process.health().ok,
      onRenewed: (untilMs) => this.#process.renewed(untilMs),
      onRecords: (records) => this.#process.recorded(records),
      onSessions: (live, ended) => {
        this.#log.debug({ live }, 'other speakers whose session lasts');
        this.#process.setSessions(live, ended);
        this.#takeEarly();
      },
      onResumed: () => this.#process.resume(),
      onConnected: () => this.#statuses.retryNow(),
    });
    this.#statuses = new ServiceL2Statuses({ api, namespace, node, log });
    this.#recorder = new EventRecorder({ api, component: 'arpeggio-speaker', node, log: this.#log });
    const wallTime = new WallTime();
    this.#reports = new ServiceReports({
      node,
      speaker,
      usable: () => this.#process.usable,
      services: () => this.#source.services,
      announcements: () => this.#source.announcements,
      alive: () => (this.#records.status.state === 'watching' ? this.#peers.alive(this.#records.live) : null),
      statuses: this.#statuses,
      event: (service, type, reason, message) => this.#event(service, type, reason, message),
      iso: (ms) => wallTime.iso(ms),
      isSpokesman: () => this.#peers.isSpokesman,
    });
    this.#ownership = new OwnershipReports({ node, speaker, records: this.#records });
  }

  get process(): NodeProcess {
    return this.#process;
  }

  start(): void {
    this.#startedMs = monotonicMs();
    this.#tidyMs = this.#startedMs + TIDY_FIRST_MS;
    this.#process.start(null);
    this.#records.start();
    this.#statuses.start();
    this.#source.start();
    this.#look = setInterval(() => this.#onLook(), LOOK_MS);
    this.#restore = setInterval(() => this.#restoreIfDue(monotonicMs()), RESTORE_LOOK_MS);
  }

  /** Hands everything over, tells the cluster that this node announces nothing, and ends. */
  async stop(hurry: AbortSignal): Promise<void> {
    clearTimeout(this.#earlyLimit);
    // What it says of services goes in one request at the end, not one by one as they are handed over.
    this.#reports.end();
    await this.#process.leave(hurry);
    clearInterval(this.#look);
    clearInterval(this.#restore);
    await Promise.all([
      this.#source.stop(),
      this.#stateFile.close(),
      this.#statuses
        .stop(LAST_WRITES_MS)
        .catch((error: unknown) => this.#log.debug({ err: error }, 'ServiceL2Status objects of this node are left')),
      this.#records.stop(LAST_WRITES_MS),
      Promise.race([this.#recorder.flush(), sleep(LAST_WRITES_MS, undefined, { ref: false })]),
    ]);
  }

  close(): Promise<void> {
    clearInterval(this.#look);
    clearInterval(this.#restore);
    clearTimeout(this.#earlyLimit);
    this.#reports.end();
    return this.#process.close();
  }

  #takeEarly(): void {
    const early = this.#early ?? [];
    clearTimeout(this.#earlyLimit);
    this.#early = null;
    for (const update of early) this.#onUpdate(update);
  }

  #onUpdate(update: SourceUpdate): void {
    if (this.#early !== null) {
      this.#early.push(update);
      this.#earlyLimit ??= setTimeout(() => this.#takeEarly(), RECORDS_WAIT_MS);
      return;
    }
    const { desired: known } = this.#process.speaker;
    if (update.type === 'last-resort') this.#process.setLastResort(update.nodes);
    else if (update.type === 'services') {
      this.#process.changeServices(update.changed, update.removed);
      this.#reports.mark([...update.changed.map(({ name }) => name), ...update.removed]);
      if (update.removed.length > 0 || known.size > 0) this.#ownership.onDesired();
    } else {
      if (this.#wish !== 'cluster') this.#tellInForce(update.desired.services.length);
      this.#wish = 'cluster';
      this.#process.desire(update.desired);
      this.#reports.markAll();
      this.#ownership.onDesired();
    }
    this.#stateFile.changed(() => ({ desired: this.#source.desired(), configuration: this.#source.configuration }));
  }

  #onEffects(effects: readonly Effect[]): void {
    this.#reports.onEffects(effects);
    this.#ownership.onEffects(effects);
  }

  #onLook(): void {
    const nowMs = monotonicMs();
    this.#peers.look(this.#process.speaker.unheard, this.#records.live, nowMs);
    for (const node of this.#peers.takeGone()) this.#statuses.clear(node);
    for (const node of this.#peers.takeUnheard()) this.#tellUnheard(node);
    this.#tellOtherMode();
    this.#reports.lookForFailures(nowMs);
    if (this.#wish !== 'cluster' || !this.#process.health().ok) return;
    this.#statuses.complete();
    if (nowMs < this.#tidyMs) return;
    this.#tidyMs = nowMs + TIDY_EVERY_MS;
    const { desired } = this.#process.speaker;
    const { nodes } = this.#source;
    if (this.#peers.isSpokesman && this.#source.status.synced)
      this.#records.tidy(
        (address) => desired.has(address),
        (name) => nodes.has(name),
      );
  }

  /** Once at most. */
  #restoreIfDue(nowMs: number): void {
    if (this.#wish !== 'none') {
      clearInterval(this.#restore);
      this.#saved = null;
      return;
    }
    const reflectors = Object.values(this.#source.status.reflectors);
    const away = reflectors.some(({ synced, state }) => !synced && state === 'waiting');
    if (!away && nowMs - this.#startedMs < RESTORE_AFTER_MS) return;
    clearInterval(this.#restore);
    const saved = this.#saved;
    this.#saved = null;
    if (saved === null) return;
    this.#wish = 'saved';
    this.#log.warn(
      { services: saved.desired.services.length },
      'the API server has not told what to announce; what it said before the start is in force',
    );
    this.#process.desire(saved.desired);
  }

  #tellInForce(services: number): void {
    const { settings, api } = this.#options;
    this.#log.info({ services, server: api.server }, `${settings.node} speaks for ${services} services`);
  }

  #tellOtherMode(): void {
    const { otherMode } = this.#records;
    if (otherMode.join() === this.#otherMode.join()) return;
    this.#otherMode = otherMode;
    if (otherMode.length > 0) this.#log.warn(otherModeText(this.#options.settings.takeover, otherMode));
  }

  #tellUnheard(node: string): void {
    this.#log.warn({ node }, `${this.#peers.unheardText(node)}`);
    const object = {
      kind: 'Node',
      apiVersion: 'v1',
      namespace: '',
      name: node,
      uid: this.#source.nodes.get(node)?.uid ?? '',
    };
    this.#recorder.event(object, 'Warning', 'HeartbeatsMissing', this.#peers.unheardText(node));
  }

  #event({ namespace, name, uid }: Service, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#recorder.event({ kind: 'Service', apiVersion: 'v1', namespace, name, uid }, type, reason, message);
  }

  #warnings(): string[] {
    const { node } = this.#options.settings;
    const { speaker, links } = this.#process;
    return clusterWarnings({
      wish: this.#wish,
      source: this.#source.status,
      problems: [...this.#problems, ...this.#missingInterfaces()],
      records: this.#records.status,
      pendingRecords: this.#records.pending,
      takeover: this.#options.settings.takeover,
      otherMode: this.#records.otherMode,
      unheard: this.#peers.unheard.map((node) => this.#peers.unheardText(node)),
      failures: this.#reports.failures,
      unknownNode: this.#source.status.synced && !this.#source.nodes.has(node) ? node : null,
      offLink: offLinkWarning(speaker.desired, speaker.interfaces, links),
    });
  }

  #missingInterfaces(): ConfigurationProblem[] {
    const { configuration, nodes } = this.#source;
    const node = nodes.get(this.#options.settings.node);
    if (configuration === null || node === undefined) return [];
    return missingInterfaces(configuration, node, this.#process.speaker.interfaces, this.#options.namespace);
  }
}
