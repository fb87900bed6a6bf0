// The questions of the bench, with what MetalLB (main of July 2026) showed on a bed of this kind and what is aimed at.

export interface RowInfo {
  readonly title: string;
  /** Median/min/max of three, or what was seen. */
  readonly metallb: string;
  readonly goal: string;
  /** What the goal is compared with. */
  readonly judged: 'median' | 'p99' | 'max';
  /** The goal is met up to here; null: nothing is demanded. */
  readonly limit: number | null;
}

const OUTAGE = { goal: '<= 150', judged: 'median', limit: 150 } as const;

export const ROWS = {
  created: {
    title: 'service created: answered after, ms',
    metallb: '41/31/75',
    goal: '<= 200',
    judged: 'median',
    limit: 200,
  },
  createdUnprobed: {
    title: '... with `--probing none`',
    metallb: '41/31/75',
    goal: '<= 40',
    judged: 'median',
    limit: 40,
  },
  created200: {
    title: '... with 200 services present',
    metallb: '69/46/106',
    goal: '<= 200',
    judged: 'median',
    limit: 200,
  },
  created2000: { title: '... with 2,000 services present', metallb: '-', goal: '<= 400', judged: 'median', limit: 400 },
  burst: {
    title: '200 services in a row: all answered after the last was created, ms',
    metallb: '-',
    goal: '<= 1,000',
    judged: 'max',
    limit: 1000,
  },
  burstRequests: {
    title: '... API requests per created service',
    metallb: 'about 13',
    goal: '<= 5',
    judged: 'max',
    limit: 5,
  },
  restRequests: {
    title: 'at rest, 200 services: API requests/s',
    metallb: '0.1',
    goal: '-',
    judged: 'max',
    limit: null,
  },
  restWrites: {
    title: '... of them writes/s by speakers',
    metallb: '0',
    goal: '<= 0.3 (nodes/10)',
    judged: 'max',
    limit: 0.35,
  },
  restLeader: { title: '... and by the leading controller', metallb: '0', goal: '-', judged: 'max', limit: null },
  restWrites1000: {
    title: 'at rest, 1,000 services: writes/s by speakers',
    metallb: '-',
    goal: '<= 0.3 (nodes/10)',
    judged: 'max',
    limit: 0.35,
  },
  movedRecords: {
    title: 'its owner gone: writes of ownership records per moved address',
    metallb: '-',
    goal: '<= 1',
    judged: 'max',
    limit: 1,
  },
  movedWrites: {
    title: '... of anything, with status and event of the service',
    metallb: '-',
    goal: '-',
    judged: 'max',
    limit: null,
  },
  linkDown: { title: "owner's link down: outage, ms", metallb: '5350/5235/5865', ...OUTAGE },
  linkBack: {
    title: 'link back: two nodes answer for, ms',
    metallb: '17585/4480/28450',
    goal: '<= 50',
    judged: 'max',
    limit: 50,
  },
  portDisabled: { title: 'switch port stops forwarding: outage, ms', metallb: '5368/5335/7510', ...OUTAGE },
  portBack: {
    title: 'port back: two nodes answer for, ms',
    metallb: '17585/4480/28450',
    goal: '<= 50',
    judged: 'max',
    limit: 50,
  },
  gone: {
    title: 'both ways to be gone: outage, p99, ms',
    metallb: 'at most 7510',
    goal: '<= 200',
    judged: 'p99',
    limit: 200,
  },
  linkReturned: {
    title: 'addresses moved by these returns',
    metallb: 'flaps back',
    goal: '0',
    judged: 'max',
    limit: 0,
  },
  killed: { title: 'speaker killed: nobody answers for, ms', metallb: '5690/5580/6740', ...OUTAGE },
  killReturned: {
    title: '... addresses moved when it returns',
    metallb: 'flaps back',
    goal: '0',
    judged: 'max',
    limit: 0,
  },
  term: { title: 'SIGTERM: packets lost', metallb: '0', goal: '0', judged: 'max', limit: 0 },
  termOverlap: { title: '... two nodes answer for, ms', metallb: '200', goal: '<= 50', judged: 'max', limit: 50 },
  cordon: { title: 'cordon: packets lost by the move', metallb: 'does not move', goal: '0', judged: 'max', limit: 0 },
  notReady: {
    title: 'NotReady: packets lost by the move',
    metallb: 'does not move',
    goal: '0',
    judged: 'max',
    limit: 0,
  },
  local: {
    title: 'policy Local, endpoint moves: the right node alone after, ms',
    metallb: '35/8/45',
    goal: '<= 40',
    judged: 'median',
    limit: 40,
  },
  localLost: { title: '... packets lost, of 500/s', metallb: 'about 60', goal: '< 60', judged: 'max', limit: 59 },
  spread: {
    title: '30 dual-stack services: most minus fewest of 60 addresses',
    metallb: '16 (12, 20, 28)',
    goal: '<= 1',
    judged: 'max',
    limit: 1,
  },
  restart: {
    title: 'all restarted with 20 services: all answered after, ms',
    metallb: '730-948',
    goal: '<= 500',
    judged: 'max',
    limit: 500,
  },
  restartChanged: { title: '... addresses of services changed', metallb: '0', goal: '0', judged: 'max', limit: 0 },
  memory: { title: 'speaker with 2,000 services: RSS, MB', metallb: '-', goal: '<= 100', judged: 'max', limit: 100 },
  scaleMemory: {
    title: 'speaker with 10,000 services, 100 nodes: RSS, MB',
    metallb: '-',
    goal: '<= 120',
    judged: 'max',
    limit: 120,
  },
  scaleReady: {
    title: '... knows them all after its start, ms',
    metallb: '-',
    goal: '<= 10,000',
    judged: 'max',
    limit: 10_000,
  },
  flapUnchanged: {
    title: '... CPU of an endpoint flap without consequence, with 10 services = 1',
    metallb: '-',
    goal: '<= 2',
    judged: 'max',
    limit: 2,
  },
  flapTold: {
    title: '... of one that changes who may announce it',
    metallb: '-',
    goal: '<= 2',
    judged: 'max',
    limit: 2,
  },
  flapVanished: {
    title: '... of the only endpoint of a service that the node announces',
    metallb: '-',
    goal: '-',
    judged: 'max',
    limit: null,
  },
} as const satisfies Record<string, RowInfo>;

export type RowName = keyof typeof ROWS;
export const ROW_NAMES = Object.keys(ROWS) as RowName[];

/** What was seen, by question. */
export type Samples = Partial<Record<RowName, number[]>>;
