// `arpeggio run` as its user meets it: mistakes, reloads, a second process, missing capabilities, interfaces.
import assert from 'node:assert/strict';
import { mkdir, rmdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ArpeggioNode } from '../../src/lab/arpeggio_node.js';
import type { Network } from '../../src/lab/netns.js';
import type { NetworkSpec } from '../../src/lab/network_spec.js';
import type { Status } from '../../src/status/schema.js';
import { arp, hexIpv4, hexMac } from './harness/frames.js';
import { withNetwork } from './harness/network.js';
import { answersFor, startNode } from './harness/node.js';
import { type Frame, Wire } from './harness/wire.js';

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const SERVICE = '192.0.2.10';
const OTHER = '192.0.2.11';
const WEB = { name: 'web', addresses: [SERVICE] };
const CLIENT_MAC = '02:00:00:00:00:02';
const NODE_MAC = '02:00:00:00:00:01';
const EXIT_TIMEOUT_MS = 10_000;

const SPEC: NetworkSpec = {
  switches: [{ name: 'switch' }],
  hosts: [
    { name: 'node', interfaces: [{ switch: 'switch', mac: NODE_MAC, addresses: ['192.0.2.1/24'] }] },
    { name: 'client', interfaces: [{ switch: 'switch', mac: CLIENT_MAC, addresses: ['192.0.2.2/24'] }] },
  ],
};

const TWO_SEGMENTS: NetworkSpec = {
  switches: [{ name: 'left' }, { name: 'right' }],
  hosts: ['192.0.2.1', '192.0.2.2'].map((address, index) => ({
    name: index === 0 ? 'node' : 'client',
    interfaces: [
      { name: 'eth0', switch: 'left', addresses: [`${address}/24`] },
      { name: 'eth1', switch: 'right', addresses: [`${address.replace('192.0.2', '198.51.100')}/24`] },
    ],
  })),
};

const directoryOf = (network: Network) => join(network.directory, 'node');
const isReplyFor = (address: string) => (frame: Frame) =>
  frame.hex.slice(2 * 12, 2 * 22) === '08060001080006040002' && frame.hex.slice(2 * 28, 2 * 32) === hexIpv4(address);
const question = (address: string, mac = CLIENT_MAC) => arp({ sha: mac, spa: '192.0.2.77', tpa: address });

/** `arpeggio run` on the node with this text as its file, until it ends by itself. */
async function runToEnd(network: Network, text: string, { before = [], after = [] }: Record<string, string[]> = {}) {
  const directory = directoryOf(network);
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'once.yaml');
  await writeFile(file, text);
  const files = ['--config', file, '--state-file', join(directory, 'once.json')];
  const child = network.host('node').spawn([...before, process.execPath, CLI, 'run', ...files, ...after]);
  const timer = setTimeout(() => child.signal('SIGKILL'), EXIT_TIMEOUT_MS);
  const { code } = await child.exited;
  clearTimeout(timer);
  return { code, output: child.lastOutput, lines: child.lastOutput.trim().split('\n'), file };
}

/** The whole status, with what the lab does not look at. */
async function statusOf(node: ArpeggioNode, network: Network): Promise<Status> {
  const socket = join(directoryOf(network), 'status.sock');
  const { stdout } = await node.host.exec([process.execPath, CLI, 'status', '--json', '--socket', socket]);
  return JSON.parse(stdout) as Status;
}

async function eventually(what: string, holds: () => Promise<boolean>, timeoutMs = 5_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `${what}: not so after ${timeoutMs} ms`);
    await delay(20);
  }
}

async function endsWell(node: ArpeggioNode): Promise<void> {
  assert.deepEqual(await node.stop(), { code: 0, signal: null }, node.lastOutput);
}

async function onLoopback(node: ArpeggioNode): Promise<string[]> {
  const [lo] = await node.host.query<{ addr_info: { local: string }[] }[]>('addr', 'show', 'dev', 'lo');
  return (lo?.addr_info ?? []).map(({ local }) => local);
}

async function isAnswered(wire: Wire, address: string, mac = CLIENT_MAC, timeoutMs = 300): Promise<boolean> {
  await wire.send(question(address, mac));
  return wire.expect(isReplyFor(address), timeoutMs).then(
    () => true,
    () => false,
  );
}

async function withNode(
  t: TestContext,
  settings: Record<string, unknown>,
  body: (node: ArpeggioNode, wire: Wire, network: Network) => Promise<void>,
): Promise<void> {
  await withNetwork(t, SPEC, async (network) => {
    const wire = await Wire.open(network.host('client'));
    const node = await startNode(network, 'node', [WEB], settings);
    await body(node, wire, network);
    await endsWell(node);
  });
}

test('mistakes: all of them at once, a line each with its place, and exit code 2', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const text = [
      'interfaces: [eth0, eth7]',
      'colour: red',
      'services:',
      '  - name: web',
      '    addresses: [192.0.2.010, 127.0.0.1]',
      '  - name: db',
      '    addresses: [224.0.0.1]',
      '',
    ].join('\n');
    const { code, lines, file } = await runToEnd(network, text);
    assert.equal(code, 2);
    const places = lines.map((line) => line.slice(0, line.indexOf(': ')));
    assert.deepEqual(places, [`${file}:2:1`, `${file}:5:17`, `${file}:5:30`, `${file}:7:17`]);
  });
});

test('what does not fit the host is a mistake as well: unknown interface, own address', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const text = 'interfaces: [eth0, eth7]\nservices:\n  - {name: web, addresses: [192.0.2.1, 192.0.2.255]}\n';
    const { code, lines, file } = await runToEnd(network, text);
    assert.equal(code, 2);
    assert.equal(lines.length, 3, lines.join('\n'));
    assert.match(lines[0] ?? '', /:1:20: .*there is no interface eth7.*eth0/);
    assert.match(lines[1] ?? '', /:3:29: .*192\.0\.2\.1 is an address of this node/);
    assert.match(lines[2] ?? '', /:3:40: .*broadcast/);
    assert.ok(lines.every((line) => line.startsWith(`${file}:`)));
  });
});

test('a file that is not there is exit code 2 too', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const missing = join(network.directory, 'missing.yaml');
    const { code, output } = await runToEnd(network, 'services: []\n', { after: ['--config', missing] });
    assert.equal(code, 2);
    assert.match(output, /missing\.yaml: .*there is no such file/);
  });
});

test('without CAP_NET_RAW it says what to do, and exit code 1', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const before = ['setpriv', '--bounding-set', '-net_raw', '--inh-caps', '-net_raw'];
    const { code, output } = await runToEnd(network, 'services: []\n', { before });
    assert.equal(code, 1);
    assert.match(output, /needs the capability CAP_NET_RAW: run as root, or grant it.*\[ERR_NO_CAP_NET_RAW\]/);
  });
});

test('a second process on the same socket ends with ERR_ALREADY_RUNNING; the first goes on', async (t) => {
  await withNode(t, { serve: 'none' }, async (node, wire, network) => {
    const socket = join(directoryOf(network), 'status.sock');
    const config = `serve: none\nservices:\n  - {name: web, addresses: [${OTHER}]}\n`;
    const { code, output } = await runToEnd(network, config, { after: ['--socket', socket] });
    assert.equal(code, 1, output);
    assert.match(output, /\[ERR_ALREADY_RUNNING\]/);
    assert.equal(await isAnswered(wire, SERVICE), true);
    assert.equal(await isAnswered(wire, OTHER), false);
    await answersFor(node, [SERVICE]);
  });
});

test('so does one with the same state file', async (t) => {
  await withNode(t, {}, async (_node, wire, network) => {
    const socket = join(directoryOf(network), 'second.sock');
    const state = join(directoryOf(network), 'serve.json');
    const { code, output } = await runToEnd(network, `services:\n  - {name: web, addresses: [${OTHER}]}\n`, {
      after: ['--socket', socket, '--state-file', state],
    });
    assert.equal(code, 1, output);
    assert.match(output, /\[ERR_ALREADY_RUNNING\]/);
    assert.equal(await isAnswered(wire, SERVICE), true);
  });
});

test('a reload with a mistake keeps what is in force and says so; a good one takes over', async (t) => {
  await withNode(t, {}, async (node, wire, network) => {
    await node.configure([{ name: 'web', addresses: ['192.0.2.300'] }]);
    node.reload();
    await node.waitForLog('refusal', ({ msg }) => msg.includes('the old one stays in force'));
    assert.equal(await isAnswered(wire, SERVICE), true);
    const { warnings } = await statusOf(node, network);
    assert.match(warnings.join('\n'), /arpeggio\.yaml:\d+:\d+: services\.0\.addresses\.0: .*192\.0\.2\.300/);

    await node.configure([{ name: 'web', addresses: [OTHER] }]);
    node.reload();
    await answersFor(node, [OTHER]);
    assert.deepEqual([await isAnswered(wire, OTHER), await isAnswered(wire, SERVICE)], [true, false]);
    assert.deepEqual((await statusOf(node, network)).warnings, []);
  });
});

test('a reload back to what is in force ends the complaint', async (t) => {
  await withNode(t, {}, async (node, _wire, network) => {
    await node.configure([{ name: '', addresses: [] }]);
    node.reload();
    await eventually('a warning', async () => (await statusOf(node, network)).warnings.length > 0);
    await node.configure([WEB]);
    node.reload();
    await node.waitForLog('end of the refusal', ({ msg }) => msg.includes('is again what is in force'));
    assert.deepEqual((await statusOf(node, network)).warnings, []);
  });
});

test('serve: loopback -> none takes the addresses from lo, and puts them back; answered in both', async (t) => {
  await withNode(t, {}, async (node, wire, network) => {
    assert.ok((await onLoopback(node)).includes(SERVICE));
    const serve = async (mode: string) => {
      const same = new ArpeggioNode(node.host, { directory: directoryOf(network), settings: { serve: mode } });
      await same.configure([WEB]);
      node.reload();
    };
    await serve('none');
    await eventually('lo without the address', async () => !(await onLoopback(node)).includes(SERVICE));
    assert.equal(await isAnswered(wire, SERVICE), true);
    await serve('loopback');
    await eventually('lo with the address', async () => (await onLoopback(node)).includes(SERVICE));
    assert.equal(await isAnswered(wire, SERVICE), true);
    // One right after the other: the last one counts.
    const changes = () => node.log.filter(({ msg }) => msg === 'the changed configuration is in force').length;
    for (const mode of ['none', 'loopback', 'none', 'loopback']) {
      const before = changes();
      await serve(mode);
      await eventually('reload', async () => changes() > before);
    }
    await delay(1_000);
    assert.ok((await onLoopback(node)).includes(SERVICE), node.lastOutput);
    await answersFor(node, [SERVICE]);
  });
});

test('what the host does not permit at a reload is refused, and does not end the speaker', async (t) => {
  await withNode(t, {}, async (owner, wire, network) => {
    const directory = join(network.directory, 'second');
    const second = new ArpeggioNode(owner.host, { directory, settings: { serve: 'none', probing: 'none' } });
    await second.configure([{ name: 'db', addresses: [OTHER] }]);
    second.start();
    await answersFor(second, [OTHER]);
    // From here on both share a state file, which belongs to the first one.
    await symlink(join(directoryOf(network), 'serve.json'), join(directory, 'serve.json'));
    const refusals = () => second.log.filter(({ msg }) => msg.includes('the old one stays in force')).length;
    await new ArpeggioNode(owner.host, { directory }).configure([{ name: 'db', addresses: [OTHER] }]);
    second.reload();
    await eventually('refusal', async () => refusals() === 1);
    assert.match(second.lastOutput, /arpeggio\.yaml: .*uses the state file/);
    assert.equal(await isAnswered(wire, OTHER), true);

    await unlink(join(directory, 'serve.json'));
    await mkdir(join(directory, 'serve.json'));
    second.reload();
    await eventually('refusal', async () => refusals() === 2);
    assert.match(second.lastOutput, /arpeggio\.yaml: the state file .* cannot be read/);
    assert.equal(await isAnswered(wire, OTHER), true);

    await rmdir(join(directory, 'serve.json'));
    second.reload();
    await second.waitForLog('success', ({ msg }) => msg === 'the changed configuration is in force');
    await eventually('lo with the address', async () => (await onLoopback(second)).includes(OTHER));
    await endsWell(second);
  });
});

test('node and status of a changed file wait for the next start, and the log says so', async (t) => {
  await withNode(t, {}, async (node, _wire, network) => {
    const directory = directoryOf(network);
    await new ArpeggioNode(node.host, { directory, settings: { node: 'renamed' } }).configure([WEB]);
    node.reload();
    await node.waitForLog('warning', ({ level, msg }) => level === 'warn' && msg.includes('at the next start'));
    await answersFor(node, [SERVICE]);
  });
});

test('probing: rfc5227 probes three times at its pace, and answers only after that', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const wire = await Wire.open(network.host('client'));
    const settings = { probing: 'rfc5227' };
    const node = new ArpeggioNode(network.host('node'), { directory: directoryOf(network), settings });
    await node.configure([WEB]);
    node.start();
    const own = (spa: string) => (frame: Frame) =>
      frame.hex.startsWith(`ffffffffffff${hexMac(NODE_MAC)}08060001080006040001${hexMac(NODE_MAC)}${hexIpv4(spa)}`) &&
      frame.hex.slice(2 * 38, 2 * 42) === hexIpv4(SERVICE);
    await wire.expect(own('0.0.0.0'), 5_000);
    const asker = await Wire.open(network.host('client'));
    assert.equal(await isAnswered(asker, SERVICE), false, 'not while it is probed');
    const announced = await wire.expect(own(SERVICE), 10_000);
    const probesMs = wire.captured(own('0.0.0.0')).map(({ ns }) => ns / 1e6);
    assert.equal(probesMs.length, 3);
    const [first = 0, second = 0, third = 0] = probesMs;
    for (const pauseMs of [second - first, third - second])
      assert.ok(pauseMs > 950 && pauseMs < 2_100, `PROBE_MIN to PROBE_MAX, not ${pauseMs}`);
    // A busy machine captures late by some milliseconds.
    const waitedMs = announced.ns / 1e6 - third;
    assert.ok(waitedMs > 1_900 && waitedMs < 2_150, `ANNOUNCE_WAIT, not ${waitedMs}`);
    assert.ok(announced.ns / 1e6 - first > 3_950);
    assert.equal(wire.captured(isReplyFor(SERVICE)).filter(({ ns }) => ns < announced.ns - 50e6).length, 0);
    assert.equal(await isAnswered(asker, SERVICE), true);
    await endsWell(node);
  });
});

test('a reload that adds 1,000 services loses no answer for what stays', async (t) => {
  await withNode(t, {}, async (node, _wire, network) => {
    const client = network.host('client');
    const [asker, listener] = [await Wire.open(client, 'eth0', [0x0806]), await Wire.open(client, 'eth0', [0x0806])];
    // Each question has a sender of its own, so that each answer tells which one it belongs to.
    const senders: string[] = [];
    let asking = true;
    const asked = (async () => {
      while (asking) {
        const sender = `10.${senders.length >> 8}.${senders.length & 255}.1`;
        senders.push(sender);
        await asker.send(arp({ sha: CLIENT_MAC, spa: sender, tpa: SERVICE }));
        await delay(1);
      }
    })();
    await delay(300);
    const added = Array.from({ length: 1_000 }, (_, n) => ({
      name: `added-${n}`,
      addresses: [`198.18.${n >> 8}.${n & 255}`],
    }));
    await node.configure([...added, WEB]);
    node.reload();
    await answersFor(node, [SERVICE, ...added.flatMap(({ addresses }) => addresses)]);
    await delay(500);
    asking = false;
    await asked;
    await delay(200);
    const answered = new Set(listener.captured(isReplyFor(SERVICE)).map(({ hex }) => hex.slice(2 * 38, 2 * 42)));
    const missing = senders.filter((sender) => !answered.has(hexIpv4(sender)));
    assert.deepEqual(missing, [], `of ${senders.length}`);
    assert.ok(senders.length > 300, `only ${senders.length} questions`);
  });
});

test('a service is answered on its own interfaces only', async (t) => {
  await withNetwork(t, TWO_SEGMENTS, async (network) => {
    const client = network.host('client');
    const [left, right] = [await Wire.open(client, 'eth0'), await Wire.open(client, 'eth1')];
    const services = [
      { name: 'left', addresses: [SERVICE], interfaces: ['eth0'] },
      { name: 'right', addresses: [OTHER], interfaces: ['eth1'] },
      { name: 'both', addresses: ['192.0.2.12'] },
    ];
    const node = await startNode(network, 'node', services, { interfaces: ['eth0', 'eth1'] });
    const answered = async (address: string) => [
      await isAnswered(left, address, client.interface('eth0').mac),
      await isAnswered(right, address, client.interface('eth1').mac),
    ];
    assert.deepEqual(await answered(SERVICE), [true, false]);
    assert.deepEqual(await answered(OTHER), [false, true]);
    await eventually('both', async () => (await answered('192.0.2.12')).every(Boolean));
    await endsWell(node);
  });
});

test('an interface of the file that vanishes is waited for; the other one goes on', async (t) => {
  await withNetwork(t, TWO_SEGMENTS, async (network) => {
    const host = network.host('node');
    const left = await Wire.open(network.host('client'), 'eth0');
    const mac = network.host('client').interface('eth0').mac;
    const node = await startNode(network, 'node', [WEB], { interfaces: ['eth0', 'eth1'] });
    const stateOf = async (name: string) =>
      (await statusOf(node, network)).interfaces.find((found) => found.name === name);
    await eventually('eth1 open', async () => (await stateOf('eth1'))?.state === 'open');
    await host.batch(['link del eth1']);
    await eventually('eth1 waiting', async () => (await stateOf('eth1'))?.state === 'waiting');
    assert.equal((await stateOf('eth1'))?.reason, 'there is no such interface now');
    assert.equal(await isAnswered(left, SERVICE, mac), true);
    // A reload meanwhile does not take the missing interface for a mistake.
    await node.configure([WEB, { name: 'db', addresses: [OTHER] }]);
    node.reload();
    await answersFor(node, [SERVICE, OTHER]);

    await host.batch(['link add eth1 type veth peer name far1', 'link set far1 up', 'link set eth1 up']);
    await eventually('eth1 open again', async () => (await stateOf('eth1'))?.state === 'open');
    const far = await Wire.open(host, 'far1');
    for (const address of [SERVICE, OTHER])
      await eventually(`${address} on eth1`, () => isAnswered(far, address, '02:00:00:00:00:77'));
    await endsWell(node);
  });
});

test('an address that cannot be put on lo is not answered; what is there is, and the log says what to do', async (t) => {
  await withNetwork(t, SPEC, async (network) => {
    const directory = directoryOf(network);
    await mkdir(directory, { recursive: true });
    const file = join(directory, 'weak.yaml');
    const socket = join(directory, 'status.sock');
    await writeFile(file, `interfaces: [eth0]\nservices:\n  - {name: web, addresses: [${SERVICE}]}\n`);
    const weak = ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin'];
    const files = ['--config', file, '--state-file', join(directory, 'weak.json'), '--socket', socket];
    const child = network.host('node').spawn([...weak, process.execPath, CLI, 'run', ...files]);
    await eventually('error', async () => child.lastOutput.includes('cannot be put on lo'));
    assert.match(child.lastOutput, /ERR_NO_CAP_NET_ADMIN/);
    const wire = await Wire.open(network.host('client'));
    assert.equal(await isAnswered(wire, SERVICE), false);
    assert.deepEqual(await child.stop(), { code: 0, signal: null });
  });
});

test('a control plane that stands still stops answering, says so, and answers again', async (t) => {
  await withNode(t, { serve: 'none' }, async (node, wire, network) => {
    const { pid } = (await statusOf(node, network)).process;
    process.kill(pid, 'SIGSTOP');
    try {
      // What it sent just before is not mistaken for an answer.
      await delay(100);
      assert.equal(await isAnswered(wire, SERVICE), false);
      // Longer than a table lives.
      await delay(5_500);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await node.waitForLog('expiry', ({ msg }) => msg.includes('stood still'));
    await eventually('an answer', () => isAnswered(wire, SERVICE));
  });
});
