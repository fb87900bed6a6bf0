// The shell around the speaker: gives it events and time, carries out its effects.

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { MOVED_SCHEDULE } from '../claim/timing.js';
import { monotonicMs, WallTime } from '../clock.js';
import type { Config } from '../config/config.js';
import type { Logger } from '../log.js';
import { decode } from '../ownership/codec.js';
import { listLinks } from '../responder/addon.js';
import { Responder } from '../responder/responder.js';
import type { PeerHeard, ResponderEvent } from '../responder/types.js';
import { Speaker, type SpeakerEvent } from '../speaker.js';
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
  readonly config: Config;
  readonly stateFile: string;
  readonly log: Logger;
  /** Mistakes of a refused configuration, for the status. */
  readonly configProblems: () => readonly string[];
}

export class NodeProcess {
  readonly #options: NodeProcessOptions;
  /** Name, cluster and timings of the start; a reload changes none of them. */
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
  #config: Config;
  #started = false;
  #ended = false;
  #wake: NodeJS.Timeout | undefined;
  #renew: NodeJS.Timeout | undefined;
  /** Called when the speaker has given everything away. */
  #onStopped: (() => void) | null = null;

  /** @throws {ArpeggioError} ERR_NO_CAP_NET_RAW, ERR_ALREADY_RUNNING, ERR_SYSTEM */
  constructor(options: NodeProcessOptions) {
    const { config, stateFile } = options;
    const { node, cluster, heartbeat } = config;
    const { intervalMs, multiplier, keys } = heartbeat;
    const log = options.log.child({ module: 'speaker' });
    const incarnation = newIncarnation();
    this.#options = options;
    this.#config = config;
    this.#node = node;
    this.#log = log;
    this.#links = new NodeLinks(log, config.interfaces, listLinks());
    this.#speaker = new Speaker({ node, incarnation, random: Math.random, heartbeat: { intervalMs, multiplier } });
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
      { responder: this.#responder, log, moves: this.#moves, serve: (effect) => this.#serving.serve(effect) },
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

  start(): void {
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
    this.configure(this.#config);
    this.#renew = setInterval(() => {
      this.#effects.renew();
      this.#peerLog.tick(monotonicMs());
    }, RENEW_MS);
  }

  /**
   * Brings a configuration into force. What did not change is answered without a gap.
   * @throws {ArpeggioError} ERR_ALREADY_RUNNING while another process uses the state file; nothing has changed then
   */
  configure(config: Config): void {
    this.#serving.prepare(config.serve);
    const previous = this.#config;
    this.#config = config;
    this.#links.named = config.interfaces;
    if (!isDeepStrictEqual(fixedPart(previous), fixedPart(config))) {
      this.#log.warn(
        'node, cluster, heartbeat timings and status of the changed configuration take effect at the next start',
      );
    }
    if (!isDeepStrictEqual(previous.heartbeat.keys, config.heartbeat.keys)) this.#setKeys(config.heartbeat.keys);
    this.#serving.setMode(config.serve);
    this.#stepUsable();
    this.#stepDesired();
    this.#kernelCheck.soon();
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
    const ok = state !== 'joining' && state !== 'leaving' && this.#started;
    return ok ? { ok, reason: null } : { ok, reason: `the speaker is ${state}` };
  }

  status(): Status {
    const nowMs = monotonicMs();
    const heardMs = new Map(this.#responder.peersHeard().map((heard) => [processKey(heard), nowMs - heard.agoMs]));
    return statusReport({
      node: this.#node,
      state: this.#started ? this.#commands.state : 'joining',
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
        ...this.#options.configProblems(),
      ],
    });
  }

  #priority(): string {
    const { scheduling, nice } = this.#responder.describe();
    if (scheduling !== 'normal') return scheduling;
    return nice === 0 ? 'normal' : `nice ${nice}`;
  }

  #step(event: SpeakerEvent): void {
    const nowMs = monotonicMs();
    this.#effects.run(this.#speaker.step(event, nowMs), nowMs);
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
  }

  #stepDesired(): void {
    this.#step({ type: 'desired', desired: this.#config.desired, interfaces: this.#links.interfaces });
  }

  #scheduleWake(): void {
    clearTimeout(this.#wake);
    const nextMs = this.#speaker.nextMs(monotonicMs());
    if (nextMs === null || this.#ended) return;
    const delayMs = Math.max(0, Math.ceil(nextMs - monotonicMs()));
    this.#wake = setTimeout(() => this.#stepLast({ type: 'tick' }), delayMs);
  }

  #setKeys(keys: readonly Uint8Array[]): void {
    this.#responder.setKeys(keys);
    this.#trouble.signs = keys.length > 0;
    this.#log.info({ keys: keys.length }, 'the keys of heartbeats have changed');
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
        if (this.#links.setLinks(event.links)) this.#stepDesired();
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

/** What only a start brings into force. */
function fixedPart({ node, cluster, status, heartbeat: { intervalMs, multiplier } }: Config): unknown {
  return { node, cluster, status, intervalMs, multiplier };
}
