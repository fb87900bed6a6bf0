import { styleText } from 'node:util';
import type {
  AddressInterfaceStatus,
  AddressStatus,
  InterfaceStatus,
  MoveStatus,
  PeerStatus,
  Status,
} from './schema.js';
import { type Cell, durationText, tableText } from './table_text.js';

export interface RenderOptions {
  /** ANSI colours. */
  color: boolean;
}

type Style = Parameters<typeof styleText>[0];

/** The status as text for people, ending in a newline. */
export function renderStatus(status: Status, { color }: RenderOptions): string {
  const paint: Paint = (style) => (text) => (color ? styleText(style, text, { validateStream: false }) : text);
  const nowMs = Date.parse(status.time);
  const sections = [
    headerText(status),
    ...status.warnings.map((warning) => `${paint('yellow')('warning:')} ${warning}`),
    section(
      ['INTERFACE', 'STATE', 'MAC', 'INDEX', 'REASON'],
      status.interfaces.map((link) => interfaceRow(link, paint)),
      paint,
    ),
    section(
      ['ADDRESS', 'OWNER', 'ANSWERING', 'STATE', 'SINCE', 'REASON', 'SERVICES'],
      status.addresses.map((address) => addressRow(address, nowMs, paint)),
      paint,
    ),
    ...(status.peers.length > 0
      ? [
          section(
            ['PEER', 'INTERFACE', 'STATE', 'LINK', 'LAST HEARD', 'INTERVAL'],
            status.peers.map((peer) => peerRow(peer, paint)),
            paint,
          ),
        ]
      : []),
    ...(status.moves.length > 0
      ? [
          section(
            ['MOVED', 'INTERFACE', 'ADDRESSES', 'FROM', 'TO', 'WITHIN', 'CLIENTS', 'REASON'],
            status.moves.map((move) => moveRow(move, nowMs)),
            paint,
          ),
        ]
      : []),
  ];
  return `${sections.join('\n\n')}\n`;
}

type Paint = (style: Style) => (text: string) => string;

function headerText({ node, state, version, process, responder, addresses, peers, counters }: Status): string {
  const answering = addresses.filter((address) => address.answering).length;
  const { heartbeatsSent: sent, heartbeatsHeard: heard, heartbeatsRefused: refused } = counters;
  return [
    `node ${node} is ${state}: arpeggio ${version}, process ${process.pid}, up ${durationText(process.uptimeMs)}, ` +
      `${Math.round(process.rssBytes / 1_000_000)} MB`,
    `answers for ${answering} of ${addresses.length} service IPs: ${counters.requests} requests, ${counters.replies} replies, ` +
      `${counters.announcements} announcements; ${responder.filter} filter, priority ${responder.priority}`,
    ...(peers.length > 0
      ? [
          `hears ${hears(peers)} of ${new Set(peers.map(({ node: name }) => name)).size} other nodes: ` +
            `${sent} heartbeats sent, ${heard} heard, ${refused} refused`,
        ]
      : []),
  ].join('\n');
}

/** Nodes that are heard and hear us, on a segment at least. */
function hears(peers: readonly PeerStatus[]): number {
  return new Set(peers.filter(({ link }) => link === 'two-way').map(({ node }) => node)).size;
}

function section(titles: readonly string[], rows: readonly Cell[][], paint: Paint): string {
  const head = titles.map((text) => ({ text, style: paint('bold') }));
  return rows.length > 0 ? tableText([head, ...rows]) : `${tableText([head])}\n(none)`;
}

function interfaceRow({ name, state, mac, index, reason, up, carrier }: InterfaceStatus, paint: Paint): Cell[] {
  const missing = index === null ? 'no such interface' : !up ? 'down' : !carrier ? 'no carrier' : '';
  return [
    { text: name },
    { text: state, style: paint(state === 'open' ? 'green' : state === 'failed' ? 'red' : 'yellow') },
    { text: mac ?? '-' },
    { text: index === null ? '-' : String(index) },
    { text: reason ?? missing },
  ];
}

const STATE_STYLES: Record<AddressInterfaceStatus['state'], Style> = {
  waiting: 'yellow',
  probing: 'yellow',
  standby: 'green',
  tentative: 'yellow',
  newcomer: 'green',
  owned: 'green',
  conflict: 'red',
};

function addressRow(address: AddressStatus, nowMs: number, paint: Paint): Cell[] {
  const { interfaces } = address;
  const states = new Map(interfaces.map((entry) => [stateText(entry, nowMs), entry.name]));
  // On several interfaces with different states each is named.
  const text =
    states.size > 1
      ? interfaces.map((entry) => `${entry.name} ${stateText(entry, nowMs)}`).join(', ')
      : ([...states.keys()][0] ?? 'waiting');
  const worst =
    interfaces.find(({ state }) => state === 'conflict') ?? interfaces.find(({ state }) => state !== 'owned');
  const standsBy = interfaces.length > 0 && interfaces.every(({ state }) => state === 'standby');
  return [
    { text: address.address },
    { text: ownerText(address) },
    { text: address.answering ? 'yes' : 'no', style: paint(address.answering || standsBy ? 'green' : 'yellow') },
    { text, style: paint(STATE_STYLES[worst?.state ?? (interfaces.length > 0 ? 'owned' : 'waiting')]) },
    { text: durationText(nowMs - Date.parse(address.since)) },
    { text: address.reason },
    { text: address.services.join(', ') },
  ];
}

/** On segments with different owners each is named. */
function ownerText({ owner, interfaces }: AddressStatus): string {
  const owners = new Set(interfaces.map((entry) => entry.owner));
  return owners.size > 1 ? interfaces.map((entry) => `${entry.name} ${entry.owner ?? '-'}`).join(', ') : (owner ?? '-');
}

function stateText({ state, rivalMac, retryAt }: AddressInterfaceStatus, nowMs: number): string {
  return [
    state,
    ...(rivalMac === null ? [] : [`with ${rivalMac}`]),
    ...(retryAt === null ? [] : [`(retry in ${durationText(Date.parse(retryAt) - nowMs)})`]),
  ].join(' ');
}

function peerRow(peer: PeerStatus, paint: Paint): Cell[] {
  const { node, interface: name, state, link, lastHeardMs, intervalMs, multiplier } = peer;
  return [
    { text: node },
    { text: name },
    { text: state, style: paint(state === 'ready' ? 'green' : 'yellow') },
    { text: link, style: paint(link === 'two-way' ? 'green' : 'red') },
    { text: lastHeardMs === null ? '-' : agoText(lastHeardMs) },
    { text: `${intervalMs} ms, down after ${multiplier}` },
  ];
}

function agoText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms ago` : `${durationText(ms)} ago`;
}

function moveRow(move: MoveStatus, nowMs: number): Cell[] {
  const { clients, afterMs } = move;
  return [
    { text: agoText(Math.max(0, nowMs - Date.parse(move.time))) },
    { text: move.interface },
    { text: move.count === 1 ? (move.addresses[0] ?? '1') : String(move.count) },
    { text: move.from ?? '-' },
    { text: move.to ?? '-' },
    { text: afterMs === null ? '-' : `${Math.round(afterMs)} ms` },
    { text: clients === null ? '-' : `${clients.confirmed}/${clients.asked}` },
    { text: move.reason },
  ];
}
