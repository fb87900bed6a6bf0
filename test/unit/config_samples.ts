import fc from 'fast-check';
import type { Config } from '../../src/config/config.js';
import type { DesiredService } from '../../src/desired/desired.js';
import { type Address, addressFromBytes, parseAddress } from '../../src/net/address.js';
import { unusableReason } from '../../src/net/service_address.js';

/** Any address that a service may have. */
export const serviceAddress: fc.Arbitrary<Address> = fc
  .oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => parseAddress(bytes.join('.'))),
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map(addressFromBytes),
  )
  .filter((address) => unusableReason(address) === null);

/** Objects as the parser makes them, for deepEqual. */
const PLAIN = { noNullPrototype: true };

const NODE_INTERFACES = ['eth0', 'bond0', 'eno1.100', 'null', 'true', '7'];

const NODES = ['host-a', 'true', '7', 'b.c'];

const service: fc.Arbitrary<DesiredService> = fc
  .record(
    {
      name: fc.oneof(
        fc.stringMatching(/^[a-z][a-z0-9/.-]{0,8}$/),
        fc.constantFrom(
          'null',
          'true',
          '12',
          '1e3',
          '0x1f',
          '1.5',
          '~',
          '#a',
          'a#b',
          "it's",
          '"',
          '[',
          '&a',
          '!',
          'ä',
          '😀',
          '-',
        ),
      ),
      addresses: fc.uniqueArray(serviceAddress, { minLength: 1, maxLength: 4 }),
      interfaces: fc.option(fc.uniqueArray(fc.constantFrom(...NODE_INTERFACES), { minLength: 1 })),
      nodes: fc.option(fc.uniqueArray(fc.constantFrom(...NODES), { minLength: 1 })),
      prefer: fc.uniqueArray(
        fc.record({ node: fc.constantFrom(...NODES), weight: fc.integer({ min: 1, max: 100 }) }, PLAIN),
        { selector: ({ node }) => node },
      ),
    },
    PLAIN,
  )
  .map((made) => ({
    ...made,
    prefer: made.prefer.filter(({ node }) => made.nodes === null || made.nodes.includes(node)),
  }));

const heartbeat: fc.Arbitrary<Config['heartbeat']> = fc
  .record({ intervalMs: fc.integer({ min: 10, max: 2_499 }), multiplier: fc.integer({ min: 2, max: 50 }) })
  .filter(({ intervalMs, multiplier }) => intervalMs * multiplier >= 60 && intervalMs * multiplier < 5_000)
  .chain((timing) =>
    fc
      .option(fc.constantFrom('/etc/arpeggio/heartbeat.key', '/k'))
      .map((keyFile) => ({ ...timing, keyFile, keys: [] })),
  );

/** Any configuration that a file can say. */
export const config: fc.Arbitrary<Config> = fc
  .record(
    {
      node: fc.stringMatching(/^[a-zA-Z0-9]([a-z0-9._-]{0,8}[a-z0-9])?$/),
      interfaces: fc.option(fc.constant(NODE_INTERFACES)),
      cluster: fc.constantFrom('arpeggio', 'b/c', '12', '~'),
      serve: fc.constantFrom('loopback' as const, 'none' as const),
      heartbeat,
      status: fc.record(
        {
          socket: fc.stringMatching(/^\/[a-z. #]{0,9}[a-z]$/),
          listen: fc.option(
            fc.record(
              {
                host: fc.constantFrom(...['127.0.0.1', '127.5.4.3', '::1'].map(parseAddress)),
                port: fc.integer({ min: 1, max: 65535 }),
              },
              PLAIN,
            ),
          ),
        },
        PLAIN,
      ),
      desired: fc.record(
        {
          services: fc.uniqueArray(service, { selector: ({ name }) => name, maxLength: 5 }).map(distinctAddresses),
          probing: fc.constantFrom('fast' as const, 'rfc5227' as const, 'none' as const),
        },
        PLAIN,
      ),
    },
    PLAIN,
  )
  .filter((made) => made.desired.services.every(({ addresses }) => addresses.length > 0));

function distinctAddresses(services: DesiredService[]): DesiredService[] {
  const seen = new Set<Address>();
  return services.map((each) => ({
    ...each,
    addresses: each.addresses.filter((address) => !seen.has(address) && seen.add(address)),
  }));
}

/** The configuration as plain data in the file's shape. */
export function fileOf(made: Config): Record<string, unknown> {
  const { listen } = made.status;
  return {
    node: made.node,
    ...(made.interfaces && { interfaces: made.interfaces }),
    cluster: made.cluster,
    serve: made.serve,
    probing: made.desired.probing,
    heartbeat: {
      interval: `${made.heartbeat.intervalMs}ms`,
      multiplier: made.heartbeat.multiplier,
      ...(made.heartbeat.keyFile && { key: { file: made.heartbeat.keyFile } }),
    },
    services: made.desired.services.map(({ name, addresses, interfaces, nodes, prefer = [] }) => ({
      name,
      addresses,
      ...(interfaces && { interfaces }),
      ...(nodes && { nodes }),
      ...(prefer.length > 0 && { prefer }),
    })),
    status: {
      socket: made.status.socket,
      listen:
        listen && (listen.host.includes(':') ? `[${listen.host}]:${listen.port}` : `${listen.host}:${listen.port}`),
    },
  };
}

/** One of `usual`, or sometimes one of `odd`. */
function mostly(usual: readonly string[], odd: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom(...usual) },
    { weight: 1, arbitrary: fc.constantFrom(...odd) },
  );
}

/** Files in the layouts that people and generators write, most of them valid. */
export const plainText: fc.Arbitrary<string> = fc
  .record({
    services: fc.array(
      fc.record({
        name: mostly(['web', 'api/v1', '"x"', "'y.z'", 'nullable'], ['null', 'True', '12', '', 'a b', '&a c', '*a']),
        addresses: fc.array(
          mostly(
            ['192.0.2.1', '"2001:db8::1"', '2001:db8::2', "'::3'", 'abcd:1::9', '12:30', '010.0.0.1'],
            ['::4', 'abcd:1::', '1.5', 'a, b', '[192.0.2.1]', ''],
          ),
          { minLength: 1, maxLength: 3 },
        ),
        flow: fc.boolean(),
        interfaces: fc.option(mostly(['[eth0]', '[ eth0, eth1 ]', '[eth0,eth1]'], ['[]', 'eth0', '&n [eth0]', '*n'])),
        nodes: fc.option(mostly(['[a]', '[ host-b, "c" ]'], ['[]', '[1]', 'a', '*n'])),
        swapped: fc.boolean(),
        comment: mostly(['', ' # why', '  '], ['# why']),
      }),
      { maxLength: 4 },
    ),
    indent: fc.constantFrom('', '  ', '    '),
    itemIndent: fc.constantFrom('', '  '),
    before: mostly(
      [
        '',
        '# head\n',
        '---\n',
        'node: a\n',
        'x:\n  y: 1\n',
        'a: &n [b]\n',
        'serve: |\n',
        'heartbeat:\n  interval: 50ms\n  key:\n    file: /k\n',
      ],
      ['node: "a\n', '{node: "a\n', '{\n'],
    ),
    after: mostly(
      ['', 'serve: none\n', '# tail\n', 'x: 1\n'],
      ['services: []\n', '"\n', 'y": 1, services: }\n', '---\n', ' - x\n'],
    ),
    newline: mostly(['\n'], ['\r\n']),
  })
  .map(({ services, indent, itemIndent, before, after, newline }) => {
    const items = services.map(({ name, addresses, flow, interfaces, nodes, swapped, comment }) => {
      const list = flow
        ? `addresses: [${addresses.join(', ')}]${comment}\n`
        : `addresses:${comment}\n${addresses.map((address) => `${indent}  ${itemIndent}- ${address}\n`).join('')}`;
      const keys = [
        `name: ${name}${comment}\n`,
        list,
        ...(interfaces === null ? [] : [`interfaces: ${interfaces}\n`]),
        ...(nodes === null ? [] : [`nodes: ${nodes}\n`]),
      ];
      if (swapped) keys.reverse();
      return `${indent}- ${keys.join(`${indent}  `)}`;
    });
    return `${before}services:\n${items.join('')}${after}`.replaceAll('\n', newline);
  });

/** A text with a few characters or lines deleted, doubled, moved or replaced. */
export function mutated(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.record({
    at: fc.nat(),
    length: fc.nat(3),
    lines: fc.boolean(),
    insert: fc.constantFrom(
      '',
      ' ',
      '\n',
      ':',
      '- ',
      '"',
      "'",
      '[',
      ']',
      '{',
      '}',
      '#',
      ' #',
      '&a ',
      '*a',
      '!x ',
      '\t',
      ',',
      '|',
      '%',
      '\0',
      '1',
    ),
  });
  return fc.tuple(text, fc.array(change, { minLength: 1, maxLength: 3 })).map(([start, changes]) =>
    changes.reduce((current, { at, length, lines, insert }) => {
      const parts = current.split(lines ? /(?<=\n)/ : '');
      parts.splice(at % (parts.length + 1), length, insert);
      return parts.join('');
    }, start),
  );
}
