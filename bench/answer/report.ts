import { type Figure, figure, median } from '../statistics.js';
import { markdownTable } from '../table.js';
import type { Family } from './addresses.js';
import { compareWithGoals } from './goals.js';
import type { PeerName } from './peers.js';
import { figureOf, repliesPerCore } from './query.js';
import type { Results } from './results.js';
import { MIDDLE_SIZE, type Sample } from './rounds.js';

const FAMILY_TITLES: Record<Family, string> = { arp: 'ARP', ndp: 'NDP' };
const NONE = '-';

function thousands(value: number): string {
  return `${(value / 1000).toFixed(0)}k`;
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function spread(values: Figure | null, show: (value: number) => string): string {
  if (!values) return NONE;
  return values.min === values.max
    ? show(values.median)
    : `${show(values.median)} (${show(values.min)}-${show(values.max)})`;
}

function percent(value: number): string {
  return `${(value * 100).toFixed(value < 0.1 ? 2 : 0)} %`;
}

/** Everything a run saw as sections of Markdown; also what is printed on the terminal. */
export function tables(results: Results): { title: string; text: string }[] {
  const sections: { title: string; text: string }[] = [];
  sections.push({
    title: 'Goals',
    text: markdownTable(
      ['goal', 'wanted', 'seen', ''],
      compareWithGoals(results).map(({ what, wanted, seen, met }) => [what, wanted, seen, met ? 'met' : 'MISSED']),
    ),
  });
  for (const family of ['arp', 'ndp'] as const) {
    const seen = results.samples.filter((sample) => sample.family === family);
    if (seen.length === 0) continue;
    const name = FAMILY_TITLES[family];
    const sizes = [...new Set(seen.map(({ addresses }) => addresses))].sort((a, b) => a - b);
    const of = (peer: PeerName, size: number, value: (sample: Sample) => number | undefined): Figure | null =>
      figureOf(results, peer, family, size, value);
    const perPeer = (cells: (peer: PeerName) => string[]): string[][] =>
      results.peers.map((peer) => [peer.title, ...cells(peer.name)]);

    for (const size of sizes) {
      sections.push({
        title: `${name}, ${size.toLocaleString('en')} ${size === 1 ? 'address' : 'addresses'}`,
        text: markdownTable(
          ['', 'replies/s', 'µs CPU per reply', 'replies/s per core', 'p50 µs', 'p99 µs', 'p99.9 µs'],
          perPeer((peer) => [
            spread(
              of(peer, size, (sample) => sample.saturated.repliesPerSecond),
              thousands,
            ),
            spread(
              of(peer, size, (sample) => sample.saturated.cpuPerReplyUs),
              short,
            ),
            spread(of(peer, size, repliesPerCore), thousands),
            spread(
              of(peer, size, (sample) => sample.idle.p50Us),
              short,
            ),
            spread(
              of(peer, size, (sample) => sample.idle.p99Us),
              short,
            ),
            spread(
              of(peer, size, (sample) => sample.idle.p999Us),
              short,
            ),
          ]).filter((row) => row[1] !== NONE),
        ),
      });
    }
    if (!sizes.includes(MIDDLE_SIZE)) continue;
    sections.push({
      title: `${name}, ${MIDDLE_SIZE.toLocaleString('en')} addresses, in bad company`,
      text: markdownTable(
        [
          '',
          'replies/s at < 0.1 % loss',
          'µs CPU there',
          '90 % foreign: requests/s',
          'owned answered',
          'storm: lost',
          'storm: p50 µs',
          'calm: p50 µs',
          'storm: p99.9 µs',
        ],
        perPeer((peer) => [
          spread(
            of(peer, MIDDLE_SIZE, (sample) => sample.lossless?.repliesPerSecond),
            thousands,
          ),
          spread(
            of(peer, MIDDLE_SIZE, (sample) => sample.lossless?.cpuPerReplyUs),
            short,
          ),
          spread(
            of(peer, MIDDLE_SIZE, (sample) => sample.noisy?.sentPerSecond),
            thousands,
          ),
          spread(
            of(peer, MIDDLE_SIZE, (sample) => (sample.noisy && 1 - sample.noisy.loss) || undefined),
            percent,
          ),
          spread(
            of(peer, MIDDLE_SIZE, (sample) => (sample.storm ? sample.storm.lost / sample.storm.asked : undefined)),
            percent,
          ),
          spread(
            of(peer, MIDDLE_SIZE, (sample) => sample.storm?.p50Us),
            short,
          ),
          spread(
            of(peer, MIDDLE_SIZE, (sample) => sample.calm?.p50Us),
            short,
          ),
          spread(
            of(peer, MIDDLE_SIZE, (sample) => sample.storm?.p999Us),
            short,
          ),
        ]),
      ),
    });
  }
  sections.push(...furtherTables(results));
  return sections;
}

function furtherTables(results: Results): { title: string; text: string }[] {
  const rows: string[][] = [];
  for (const family of ['arp', 'ndp'] as const) {
    const values = results.announcementsMs[family];
    if (values.length > 0)
      rows.push([`10,000 announcements, ${FAMILY_TITLES[family]}, ms`, spread(figure(values), short)]);
  }
  const { swaps } = results;
  if (swaps.length > 0) {
    const of = (value: (swap: Results['swaps'][number]) => number): Figure => figure(swaps.map(value));
    rows.push(
      [
        '10,000-entry table swapped every 100 ms: p50 µs',
        spread(
          of(({ swapping }) => swapping.p50Us),
          short,
        ),
      ],
      [
        'the same table left alone: p50 µs',
        spread(
          of(({ still }) => still.p50Us),
          short,
        ),
      ],
      [
        'swapped: p99.9 µs',
        spread(
          of(({ swapping }) => swapping.p999Us),
          short,
        ),
      ],
      [
        'left alone: p99.9 µs',
        spread(
          of(({ still }) => still.p999Us),
          short,
        ),
      ],
      [
        'swapped: slowest µs',
        spread(
          of(({ swapping }) => swapping.maxUs),
          short,
        ),
      ],
      [
        'left alone: slowest µs',
        spread(
          of(({ still }) => still.maxUs),
          short,
        ),
      ],
    );
  }
  for (const { addresses, mb } of results.memoryMb) {
    rows.push([`memory, ${addresses.toLocaleString('en')} IPv4 addresses, MB`, mb.toFixed(1)]);
  }
  for (const protocol of ['ipv4', 'ipv6'] as const) {
    for (const withArpeggio of [false, true]) {
      const samples = results.plain.filter((one) => one.protocol === protocol && one.withArpeggio === withArpeggio);
      if (samples.length === 0) continue;
      const name = `plain ${protocol === 'ipv4' ? 'IPv4' : 'IPv6'} UDP ${withArpeggio ? 'with' : 'without'} Arpeggio`;
      rows.push(
        [`${name}, packets/s`, spread(figure(samples.map((sample) => sample.receivedPerSecond)), thousands)],
        [`${name}, loss`, percent(median(samples.map(({ loss }) => loss)))],
        [`${name}, µs CPU per packet`, spread(figure(samples.map((sample) => sample.cpuPerPacketUs)), short)],
      );
    }
  }
  return rows.length === 0 ? [] : [{ title: 'Further questions', text: markdownTable(['', 'seen'], rows) }];
}
