import { styleText } from 'node:util';
import type { AddressInterfaceStatus, AddressStatus, InterfaceStatus, PeerStatus, Status } from './schema.js';
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
            ['PEER', 'INTERFACE', 'STATE', 'LAST HEARD'],
            status.peers.map((peer) => peerRow(peer, paint)),
            paint,
          ),
        ]
      : []),
  ];
  return `${sections.join('\n\n')}\n`;
}

type Paint = (style: Style) => (text: string) => string;

function headerText({ node, state, version, process, responder, addresses, counters }: Status): string {
  const answering = addresses.filter((address) => address.answering).length;
  return [
    `node ${node} is ${state}: arpeggio ${version}, process ${process.pid}, up ${durationText(process.uptimeMs)}, ` +
      `${Math.round(process.rssBytes / 1_000_000)} MB`,
    `answers for ${answering} of ${addresses.length} service IPs: ${counters.requests} requests, ${counters.replies} replies, ` +
      `${counters.announcements} announcements; ${responder.filter} filter, priority ${responder.priority}`,
  ].join('\n');
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
  standby: 'gray',
  probing: 'yellow',
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
  return [
    { text: address.address },
    { text: address.owner ?? '-' },
    { text: address.answering ? 'yes' : 'no', style: paint(address.answering ? 'green' : 'yellow') },
    { text, style: paint(STATE_STYLES[worst?.state ?? (interfaces.length > 0 ? 'owned' : 'waiting')]) },
    { text: durationText(nowMs - Date.parse(address.since)) },
    { text: address.reason },
    { text: address.services.join(', ') },
  ];
}

function stateText({ state, rivalMac, retryAt }: AddressInterfaceStatus, nowMs: number): string {
  return [
    state,
    ...(rivalMac === null ? [] : [`with ${rivalMac}`]),
    ...(retryAt === null ? [] : [`(retry in ${durationText(Date.parse(retryAt) - nowMs)})`]),
  ].join(' ');
}

function peerRow({ node, interface: name, state, lastHeardMs }: PeerStatus, paint: Paint): Cell[] {
  return [
    { text: node },
    { text: name },
    { text: state, style: paint(state === 'ready' ? 'green' : 'yellow') },
    { text: `${lastHeardMs} ms ago` },
  ];
}
