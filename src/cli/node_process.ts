// The shell around the speaker: gives it events and time, carries out its effects.
import { MOVED_SCHEDULE } from '../claim/timing.js';
import { monotonicMs, WallTime } from '../clock.js';
import type { Config } from '../config/config.js';
import { eligibleInterfaces } from '../config/interfaces.js';
import type { Logger } from '../log.js';
import type { Address } from '../net/address.js';
import { listLinks } from '../responder/addon.js';
import { Responder } from '../responder/responder.js';
import type { LinkInfo, ResponderEvent } from '../responder/types.js';
import { kernelAnswers, readArpIgnore } from '../serve/kernel_answers.js';
import { LoopbackServer } from '../serve/loopback_server.js';
import { type Effect, Speaker, type SpeakerEvent } from '../speaker.js';
import type { Health, Status } from '../status/schema.js';
import { logChanges } from './change_log.js';
import { type PortState, statusReport } from './status_report.js';

/** The dead-man switch: a control plane that stands still this long stops answering for its node. */
const TABLE_LIFETIME_MS = 5_000;
const RENEW_MS = 1_000;
const SERVE_RETRY_MS = 5_000;
/** Links come in bursts; the check of what the kernel would answer can wait for their end. */
const KERNEL_CHECK_DELAY_MS = 500;

export interface NodeProcessOptions {
  readonly config: Config;
  readonly stateFile: string;
  readonly log: Logger;
  /** Mistakes of a refused configuration, for the status. */
  readonly configProblems: () => readonly string[];
}

export class NodeProcess {
  readonly #options: NodeProcessOptions;
  readonly #log: Logger;
  readonly #wallTime = new WallTime();
  readonly #speaker = new Speaker({
    node: 'x',
    incarnation: '0000000000000001',
    heartbeat: { intervalMs: 50, multiplier: 3 },
    random: Math.random,
  });
  readonly #responder: Responder;
  readonly #ports = new Map<string, PortState>();
  #config: Config;
  #links: readonly LinkInfo[];
  /** Opened by the first `serve: loopback`, and kept: it does one thing after the other, however fast reloads come. */
  #loopbackServer: LoopbackServer | null = null;
  #state: Status['state'] = 'joining';
  #publishedMs = monotonicMs();
  #serve: Extract<Effect, { type: 'serve' }> | null = null;
  #kernelWarnings: readonly string[] = [];
  #timers: { wake?: NodeJS.Timeout; renew?: NodeJS.Timeout; serve?: NodeJS.Timeout; check?: NodeJS.Timeout } = {};

  /** @throws {ArpeggioError} ERR_NO_CAP_NET_RAW, ERR_ALREADY_RUNNING, ERR_SYSTEM */
  constructor(options: NodeProcessOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#log = options.log.child({ module: 'speaker' });
    this.#links = listLinks();
    this.#responder = new Responder({
      onEvent: (event) => this.#onEvent(event),
      linkSchedule: { ipv4Ms: MOVED_SCHEDULE.ipv4, ipv6Ms: MOVED_SCHEDULE.ipv6 },
    });
  }

  start(): void {
    const { filter, filterReason, nice, scheduling } = this.#responder.describe();
    if (filter === 'classic') this.#log.info(`classic filter in use (${filterReason}); CAP_BPF permits the faster one`);
    if (scheduling === 'normal' && nice === 0) {
      this.#log.info('normal priority; CAP_SYS_NICE permits the packet thread to answer on time under load');
    }
    this.#state = 'ready';
    this.configure(this.#config);
    this.#timers.renew = setInterval(() => this.#responder.renew(TABLE_LIFETIME_MS), RENEW_MS);
  }

  /**
   * Brings a configuration into force. What did not change is answered without a gap.
   * @throws {ArpeggioError} ERR_ALREADY_RUNNING while another process uses the state file; nothing has changed then
   */
  configure(config: Config): void {
    if (config.serve === 'loopback') {
      this.#loopbackServer ??= LoopbackServer.open({
        stateFile: this.#options.stateFile,
        log: this.#options.log.child({ module: 'serve' }),
      });
    }
    const previous = this.#config;
    this.#config = config;
    if (previous.node !== config.node || JSON.stringify(previous.status) !== JSON.stringify(config.status)) {
      this.#log.warn('node and status of the changed configuration take effect at the next start');
    }
    this.#step({ type: 'usable', interfaces: this.#usable() });
    this.#step({ type: 'desired', desired: config.desired, interfaces: this.#interfaces() });
    if (previous.serve !== config.serve) this.#changeServe();
    this.#checkKernelSoon();
  }

  /** Stops answering. Addresses stay on `lo`. */
  stop(): void {
    this.#state = 'leaving';
    this.#step({ type: 'stop' });
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
  }

  async close(): Promise<void> {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#responder.close();
    await this.#loopbackServer?.close();
  }

  describe(): { interfaces: readonly string[]; filter: string; priority: string } {
    const { filter } = this.#responder.describe();
    return { interfaces: this.#interfaces(), filter, priority: this.#priority() };
  }

  health(): Health {
    return this.#state === 'ready'
      ? { ok: true, reason: null }
      : { ok: false, reason: `the speaker is ${this.#state}` };
  }

  status(): Status {
    return statusReport({
      config: this.#config,
      state: this.#state,
      nowMs: monotonicMs(),
      iso: (ms) => this.#wallTime.iso(ms),
      links: this.#links,
      ports: this.#ports,
      speaker: this.#speaker,
      responder: { filter: this.#responder.describe().filter, priority: this.#priority() },
      tableAgeMs: monotonicMs() - this.#publishedMs,
      addressCounters: this.#responder.addressCounters(),
      interfaceCounters: this.#responder.interfaceCounters(),
      warnings: [...this.#kernelWarnings, ...this.#options.configProblems()],
    });
  }

  #priority(): string {
    const { scheduling, nice } = this.#responder.describe();
    if (scheduling !== 'normal') return scheduling;
    return nice === 0 ? 'normal' : `nice ${nice}`;
  }

  #interfaces(): readonly string[] {
    return this.#config.interfaces ?? eligibleInterfaces(this.#links);
  }

  /** Where the packet thread can send: what is probed before that is heard by nobody. */
  #usable(): ReadonlySet<string> {
    return new Set([...this.#ports].filter(([, { state }]) => state === 'open').map(([name]) => name));
  }

  #step(event: SpeakerEvent): void {
    const nowMs = monotonicMs();
    const changes: Extract<Effect, { type: 'changed' }>[] = [];
    for (const effect of this.#speaker.step(event, nowMs)) {
      switch (effect.type) {
        case 'publish':
          this.#responder.publish(effect.table, TABLE_LIFETIME_MS);
          this.#publishedMs = nowMs;
          break;
        case 'probe':
          this.#responder.probe(effect.addresses, effect.interfaceName, effect.offsetsMs);
          break;
        case 'announce': {
          const { ipv4: ipv4Ms, ipv6: ipv6Ms } = effect.schedule;
          this.#responder.announce(effect.addresses, effect.interfaceName, { ipv4Ms, ipv6Ms }, effect.urgent);
          break;
        }
        case 'serve':
          this.#serve = effect;
          this.#doServe();
          break;
        case 'changed':
          changes.push(effect);
          break;
      }
    }
    logChanges(this.#log, changes);
    this.#scheduleWake();
  }

  #scheduleWake(): void {
    clearTimeout(this.#timers.wake);
    const nextMs = this.#speaker.nextMs(monotonicMs());
    if (nextMs === null || this.#state === 'leaving') return;
    const delayMs = Math.max(0, Math.ceil(nextMs - monotonicMs()));
    this.#timers.wake = setTimeout(() => this.#step({ type: 'tick' }), delayMs);
  }

  /** null: somebody else serves the addresses. */
  get #loopback(): LoopbackServer | null {
    return this.#config.serve === 'loopback' ? this.#loopbackServer : null;
  }

  #changeServe(): void {
    if (this.#config.serve === 'none') {
      this.#loopbackServer?.cleanup().catch((error: unknown) => {
        this.#log.error({ err: error }, 'service IPs are left on lo; after a stop, arpeggio cleanup takes them off');
      });
    }
    this.#doServe();
  }

  #doServe(): void {
    clearTimeout(this.#timers.serve);
    const serve = this.#serve;
    if (!serve) return;
    const done = (): void => this.#step({ type: 'served', generation: serve.generation });
    if (!this.#loopback) {
      // After this step: the effects that follow come first.
      queueMicrotask(done);
      return;
    }
    void this.#loopback.setInterfaces(this.#links.filter(speaksArp)).catch(() => {});
    this.#whenServed(this.#loopback.setAddresses(serve.addresses).then(done));
  }

  /** What could not be served is not answered, and tried again. */
  #whenServed(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#log.error({ err: error }, 'the service IPs cannot be put on lo, so they are not answered; trying again');
      if (this.#state === 'leaving') return;
      clearTimeout(this.#timers.serve);
      this.#timers.serve = setTimeout(() => this.#doServe(), SERVE_RETRY_MS);
    });
  }

  #onEvent(event: ResponderEvent): void {
    switch (event.type) {
      case 'links':
        this.#onLinks(event.links);
        break;
      case 'rival':
        this.#step(event);
        break;
      case 'port-opened':
        this.#log.info({ interface: event.interfaceName, mac: event.mac }, `${event.interfaceName} is open`);
        this.#setPort(event.interfaceName, { state: 'open', reason: null });
        break;
      case 'port-closed':
        this.#log.warn(
          { interface: event.interfaceName, reason: event.reason },
          `${event.interfaceName} is not usable`,
        );
        this.#setPort(event.interfaceName, { state: 'waiting', reason: event.reason });
        break;
      case 'port-failed':
        this.#log.error(
          { interface: event.interfaceName, reason: event.error },
          `${event.interfaceName} cannot be opened`,
        );
        this.#setPort(event.interfaceName, { state: 'failed', reason: event.error });
        break;
      case 'links-failed':
        this.#log.error({ reason: event.error }, 'the interfaces cannot be read; trying again at the next change');
        break;
      case 'filter-fallback':
        this.#log.warn(
          { reason: event.reason },
          'the table does not fit the eBPF filter; the classic filter is in use',
        );
        break;
      case 'table-expired':
        this.#log.error('the control plane stood still; nothing was answered until now');
        break;
      case 'events-lost':
        this.#log.warn({ count: event.count }, 'too many events; some conflicts may be noticed later');
        break;
    }
  }

  #setPort(interfaceName: string, port: PortState): void {
    this.#ports.set(interfaceName, port);
    this.#step({ type: 'usable', interfaces: this.#usable() });
  }

  #onLinks(links: readonly LinkInfo[]): void {
    const before = this.#interfaces();
    this.#links = links;
    for (const [name, port] of this.#ports) {
      // A new link of that name is a new chance.
      if (port.state === 'failed' && !links.some((link) => link.name === name)) this.#ports.delete(name);
    }
    const after = this.#interfaces();
    if (before.join('/') !== after.join('/')) {
      this.#step({ type: 'desired', desired: this.#config.desired, interfaces: after });
    }
    if (this.#loopback) this.#whenServed(this.#loopback.setInterfaces(links.filter(speaksArp)));
    this.#checkKernelSoon();
  }

  /** The kernel must not answer as well, or clients see two MACs. */
  #checkKernelSoon(): void {
    clearTimeout(this.#timers.check);
    this.#timers.check = setTimeout(() => this.#checkKernel(), KERNEL_CHECK_DELAY_MS);
  }

  #checkKernel(): void {
    const names = this.#interfaces();
    const serviceIps: ReadonlySet<Address> = new Set(this.#speaker.desired.keys());
    const warnings = kernelAnswers(listLinks(), names, serviceIps, readArpIgnore(names)).map(({ warning }) => warning);
    for (const warning of warnings) if (!this.#kernelWarnings.includes(warning)) this.#log.warn(warning);
    this.#kernelWarnings = warnings;
  }
}

function speaksArp({ ethernet, noArp, loopback }: LinkInfo): boolean {
  return ethernet && !noArp && !loopback;
}
