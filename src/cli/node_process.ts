// The shell around the speaker: gives it events and time, carries out its effects.

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { MOVED_SCHEDULE } from '../claim/timing.js';
import { monotonicMs, WallTime } from '../clock.js';
import type { DesiredService, DesiredState } from '../desired/desired.js';
import type { Logger } from '../log.js';
import { decode } from '../ownership/codec.js';
import type { Takeover } from '../ownership/fence.js';
import type { OwnershipRecord } from '../ownership/records.js';
import { listLinks } from '../responder/addon.js';
import { Responder } from '../responder/responder.js';
import type { LinkInfo, PeerHeard, ResponderEvent } from '../responder/types.js';
import { type Effect, Speaker, type SpeakerEvent } from '../speaker.js';
import type { CommandHandlers } from '../status/commands.js';
import type { Health, Status } from '../status/schema.js';
import { DrainedFile } from './drained_file.js';
import { EffectRunner } from './effects.js';
import { HeartbeatTrouble } from './heartbeat_trouble.js';
import { newIncarnation } from './incarnation.js';
import { KernelCheck } from './kernel_check.js';
import { MoveRecord } from './move_record.js';
import { NodeCommands } from './node_commands.js';
import { NodeLinks } from './node_links.js';
import type { NodeSettings } from './node_settings.js';
import { PeerLog } from './peer_log.js';
import { Serving } from './serving.js';
import { statusReport } from './status_report.js';

/** The table's life is prolonged, and what is judged by time looked at. */
const RENEW_MS = 1_000;
/** The speaker gives up after 3 s of handing over; whatever happens, the process ends. */
const LEAVE_LIMIT_MS = 3_500;
/** Three heartbeats say that this node leaves, within 10 ms. */
const LEAVING_HEARTBEATS_MS = 25;

export interface NodeProcessOptions {
  /** Name, cluster and timings stay as they are given here. */
  readonly settings: NodeSettings;
  /** What `serve: loopback` has changed; beside it, whether the node is drained. */
  readonly stateFile: string;
  /** Default: fast. */
  readonly takeover?: Takeover;
  readonly log: Logger;
  /** What the source has to say, such as the mistakes of a refused configuration: for the status. */
  readonly warnings: () => readonly string[];
  /** Whether something else takes the traffic to every service IP for good, whatever `serve` of the settings. Default: false. */
  readonly servedElsewhere?: boolean;
  /** Who also wants to know what the speaker did; it has been carried out. */
  readonly onEffects?: (effects: readonly Effect[]) => void;
  /** Other interfaces can be used than before. */
  readonly onUsable?: () => void;
}

export class NodeProcess {
  readonly #options: NodeProcessOptions;
  readonly #node: string;
  readonly #log: Logger;
  readonly #wallTime = new WallTime();
  readonly #speaker: Speaker;
  readonly #responder: Responder;
  readonly #effects: EffectRunner;
  readonly #serving: Serving;
  readonly #kernelCheck: KernelCheck;
  readonly #moves: MoveRecord;
  readonly #peerLog: PeerLog;
  readonly #trouble: HeartbeatTrouble;
  readonly #links: NodeLinks;
  readonly #commands: NodeCommands;
  #keys: readonly Uint8Array[];
  /** Whether the source has said what it wants. */
  #wished = false;
  #started = false;
  #ended = false;
  #wake: NodeJS.Timeout | undefined;
  #renew: NodeJS.Timeout | undefined;
  /** Called when the speaker has given everything away. */
  #onStopped: (() => void) | null = null;

  /** @throws {ArpeggioError} ERR_NO_CAP_NET_RAW, ERR_ALREADY_RUNNING, ERR_SYSTEM */
  constructor(options: NodeProcessOptions) {
    const { settings, stateFile } = options;
    const { node, cluster, heartbeat } = settings;
    const { intervalMs, multiplier, keys } = heartbeat;
    const log = options.log.child({ module: 'speaker' });
    const incarnation = newIncarnation();
    this.#options = options;
    this.#keys = keys;
    this.#node = node;
    this.#log = log;
    this.#links = new NodeLinks(log, settings.interfaces, listLinks());
    this.#speaker = new Speaker({
      node,
      incarnation,
      random: Math.random,
      heartbeat: { intervalMs, multiplier },
      servedElsewhere: options.servedElsewhere ?? false,
      takeover: options.takeover ?? 'fast',
    });
    this.#responder = new Responder({
      onEvent: (event) => this.#onEvent(event),
      linkSchedule: { ipv4Ms: MOVED_SCHEDULE.ipv4, ipv6Ms: MOVED_SCHEDULE.ipv6 },
      heartbeat: { node, cluster, incarnation, intervalMs, multiplier, keys },
    });
    this.#peerLog = new PeerLog(log);
    this.#trouble = new HeartbeatTrouble(log, keys.length > 0);
    this.#moves = new MoveRecord({
      node,
      log,
      nowMs: monotonicMs,
      after: (ms, act) => void setTimeout(act, ms).unref(),
    });
    this.#serving = new Serving({
      stateFile,
      log: options.log,
      links: () => this.#links.links,
      onServed: (generation) => this.#stepLast({ type: 'served', generation }),
    });
    this.#effects = new EffectRunner(
      {
        responder: this.#responder,
        log,
        moves: this.#moves,
        serve: (effect) => this.#serving.serve(effect),
        answerUntilMs: () => this.#speaker.answerUntilMs,
      },
      monotonicMs(),
    );
    this.#kernelCheck = new KernelCheck(log, () => ({
      interfaces: this.#links.interfaces,
      serviceIps: new Set(this.#speaker.desired.keys()),
    }));
    this.#commands = new NodeCommands({
      node,
      speaker: this.#speaker,
      drainedFile: new DrainedFile(stateFile),
      step: (event) => this.#step(event),
    });
  }

  get commands(): CommandHandlers {
    return this.#commands;
  }

  /** What other parts of the process read of it, and never change. */
  get speaker(): Pick<
    Speaker,
    'desired' | 'claims' | 'interfaces' | 'ownerOf' | 'peers' | 'unheard' | 'isFree' | 'isConfirmed'
  > {
    return this.#speaker;
  }

  /** Interfaces that can carry frames now. */
  get usable(): ReadonlySet<string> {
    return this.#links.usable;
  }

  get links(): readonly LinkInfo[] {
    return this.#links.links;
  }

  /**
   * Begins to speak. Without `desired` it listens, and claims from the first `desire` on.
   */
  start(desired: DesiredState | null): void {
    const { filter, filterReason, nice, scheduling } = this.#responder.describe();
    if (filter === 'classic') this.#log.info(`classic filter in use (${filterReason}); CAP_BPF permits the faster one`);
    if (scheduling === 'normal' && nice === 0) {
      this.#log.info('normal priority; CAP_SYS_NICE permits the packet thread to answer on time under load');
    }
    this.#started = true;
    this.#commands.resume();
    if (this.#commands.drainProgress().state === 'drained') {
      this.#log.warn('this node was drained before it was started, and stays so; arpeggio undrain ends it');
    }
    const { settings } = this.#options;
    if (desired) this.configure(settings, desired);
    else {
      this.#apply(settings);
      this.#step({ type: 'listen', interfaces: this.#links.interfaces });
    }
    this.#renew = setInterval(() => {
      // Who stood still may have been replaced: nothing is prolonged before that is looked at.
      if (this.#options.takeover === 'fenced') this.#step({ type: 'tick' });
      this.#effects.renew(monotonicMs());
      this.#peerLog.tick(monotonicMs());
    }, RENEW_MS);
  }

  /**
   * Brings settings and a wish into force together. What did not change is answered without a gap.
   * @throws {ArpeggioError} ERR_ALREADY_RUNNING while another process uses the state file; nothing has changed then
   */
  configure(settings: NodeSettings, desired: DesiredState): void {
    this.#serving.prepare(settings.serve);
    this.#apply(settings);
    this.desire(desired);
  }

  /** The complete wish of the source. */
  desire(desired: DesiredState): void {
    this.#wished = true;
    this.#step({ type: 'desired', desired, interfaces: this.#links.interfaces });
    this.#kernelCheck.soon();
  }

  /** Single services have changed since the complete wish; names of `removed` that are not known are left out. */
  changeServices(changed: readonly DesiredService[], removed: readonly string[]): void {
    const before = this.#speaker.desired.size;
    this.#step({ type: 'services', changed, removed });
    // It looks at all addresses; an endpoint that comes and goes changes nothing for it.
    if (this.#speaker.desired.size > before) this.#kernelCheck.soon();
  }

  /** Nodes that own something only where no other node may. */
  setLastResort(nodes: readonly string[]): void {
    this.#step({ type: 'last-resort', nodes });
  }

  /** What ownership records say that is new. */
  recorded(records: readonly OwnershipRecord[]): void {
    this.#step({ type: 'record', records });
  }

  /** The other nodes whose speakers run and reach the API server, from now on, and those that ended in order. */
  setSessions(live: readonly string[], ended: readonly string[]): void {
    this.#step({ type: 'sessions', live, ended });
  }

  /** The session of this node lasts until then, monotonic. */
  renewed(untilMs: number): void {
    if (this.#options.takeover !== 'fenced') return;
    this.#step({ type: 'renewed', untilMs });
    this.#effects.renew(monotonicMs());
  }

  /** A process of this node ended a moment ago, without giving anything away. */
  resume(): void {
    this.#step({ type: 'resume' });
  }

  setKeys(keys: readonly Uint8Array[]): void {
    if (isDeepStrictEqual(this.#keys, keys)) return;
    this.#keys = keys;
    this.#responder.setKeys(keys);
    this.#trouble.signs = keys.length > 0;
    this.#log.info({ keys: keys.length }, 'the keys of heartbeats have changed');
  }

  /**
   * Hands everything over to other nodes, stops answering, and tells them that this node is gone; at once if `hurry` is
   * aborted. Addresses stay on `lo`.
   */
  async leave(hurry: AbortSignal): Promise<void> {
    this.#serving.end();
    this.#kernelCheck.end();
    if (!this.#started) return;
    this.#commands.leave();
    const stopped = new Promise<void>((resolve) => {
      this.#onStopped = resolve;
    });
    this.#step({ type: 'stop' });
    const abort = new AbortController();
    const signal = AbortSignal.any([hurry, abort.signal]);
    const limit = sleep(LEAVE_LIMIT_MS, undefined, { signal }).catch(() => {});
    await Promise.race([stopped, limit]);
    abort.abort();
    this.#effects.leave();
    this.#moves.flush();
    await sleep(LEAVING_HEARTBEATS_MS);
  }

  async close(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#wake);
    clearInterval(this.#renew);
    this.#kernelCheck.end();
    this.#responder.close();
    await this.#serving.close();
  }

  describe(): { interfaces: readonly string[]; filter: string; priority: string } {
    const { filter } = this.#responder.describe();
    return { interfaces: this.#links.interfaces, filter, priority: this.#priority() };
  }

  health(): Health {
    const { state } = this.#commands;
    if (!this.#started || !this.#wished) return { ok: false, reason: 'the speaker does not know yet what to announce' };
    const ok = state !== 'joining' && state !== 'leaving';
    return ok ? { ok, reason: null } : { ok, reason: `the speaker is ${state}` };
  }

  status(): Status {
    const nowMs = monotonicMs();
    const heardMs = new Map(this.#responder.peersHeard().map((heard) => [processKey(heard), nowMs - heard.agoMs]));
    return statusReport({
      node: this.#node,
      state: this.#state,
      nowMs,
      iso: (ms) => this.#wallTime.iso(ms),
      links: this.#links.links,
      ports: this.#links.ports,
      speaker: this.#speaker,
      heardMs: (peer) => heardMs.get(processKey(peer)) ?? null,
      moves: this.#moves.list((ms) => this.#wallTime.iso(ms)),
      responder: { filter: this.#responder.describe().filter, priority: this.#priority() },
      tableAgeMs: nowMs - this.#effects.publishedMs,
      addressCounters: this.#responder.addressCounters(),
      interfaceCounters: this.#responder.interfaceCounters(),
      warnings: [
        ...this.#links.warnings,
        ...this.#trouble.warnings(nowMs),
        ...this.#kernelCheck.warnings,
        ...this.#options.warnings(),
      ],
    });
  }

  get #state(): Status['state'] {
    const { state } = this.#commands;
    return state === 'leaving' || (this.#started && this.#wished) ? state : 'joining';
  }

  #priority(): string {
    const { scheduling, nice } = this.#responder.describe();
    if (scheduling !== 'normal') return scheduling;
    return nice === 0 ? 'normal' : `nice ${nice}`;
  }

  #step(event: SpeakerEvent): void {
    const nowMs = monotonicMs();
    const effects = this.#speaker.step(event, nowMs);
    this.#effects.run(effects, nowMs);
    this.#options.onEffects?.(effects);
    if (this.#speaker.stopped) this.#onStopped?.();
    this.#scheduleWake();
  }

  /** After all that the packet thread has told: a busy event loop must not take an answer for silence that was there in time. */
  #stepLast(event: SpeakerEvent): void {
    setImmediate(() => {
      if (!this.#ended) this.#step(event);
    });
  }

  #stepUsable(): void {
    this.#step({ type: 'usable', interfaces: this.#links.usable });
    this.#options.onUsable?.();
  }

  #scheduleWake(): void {
    clearTimeout(this.#wake);
    const nextMs = this.#speaker.nextMs(monotonicMs());
    if (nextMs === null || this.#ended) return;
    const delayMs = Math.max(0, Math.ceil(nextMs - monotonicMs()));
    this.#wake = setTimeout(() => this.#stepLast({ type: 'tick' }), delayMs);
  }

  #apply({ interfaces, heartbeat, serve }: NodeSettings): void {
    this.#links.named = interfaces;
    this.setKeys(heartbeat.keys);
    this.#serving.setMode(serve);
    this.#stepUsable();
  }

  #onEvent(event: ResponderEvent): void {
    switch (event.type) {
      case 'peer':
        this.#peerLog.report(event.peer, monotonicMs());
        this.#step(event);
        break;
      case 'message':
        this.#onMessage(event);
        break;
      case 'took':
        this.#moves.took(event);
        this.#step(event);
        break;
      case 'held':
        this.#log.warn(
          { interface: event.interfaceName, reason: event.reason },
          `${event.interfaceName} is silent until its peers have been heard (${event.reason})`,
        );
        this.#step(event);
        break;
      case 'confirmed':
        this.#moves.confirmed(event);
        break;
      case 'heartbeat-refused':
        this.#trouble.refused(event, monotonicMs());
        break;
      case 'name-in-use':
        this.#trouble.nameInUse(event, monotonicMs());
        break;
      case 'same-segment':
        this.#links.onSameSegment(event.interfaceName, event.otherInterfaceName);
        this.#stepUsable();
        break;
      case 'rival':
        this.#step(event);
        break;
      case 'links':
        if (this.#links.setLinks(event.links) && this.#started) {
          this.#step({ type: 'interfaces', interfaces: this.#links.interfaces });
        }
        this.#serving.linksChanged();
        this.#kernelCheck.soon();
        break;
      default:
        if (this.#links.onEvent(event)) this.#stepUsable();
    }
  }

  #onMessage({ interfaceName, node, incarnation, body }: Extract<ResponderEvent, { type: 'message' }>): void {
    const message = decode(body);
    // Of a later release, or not meant for us to read.
    if (message === null) this.#log.debug({ peer: node, interface: interfaceName }, 'a message that cannot be read');
    else this.#step({ type: 'message', interfaceName, node, incarnation, message });
  }
}

/** A process of a node, heard on one interface. */
function processKey({ interfaceName, incarnation }: Pick<PeerHeard, 'interfaceName' | 'incarnation'>): string {
  return `${interfaceName} ${incarnation}`;
}
