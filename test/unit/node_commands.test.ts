import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { DrainedFile } from '../../src/cli/drained_file.js';
import { NodeCommands, type NodeCommandsOptions } from '../../src/cli/node_commands.js';
import type { ClaimView } from '../../src/cli/status_report.js';
import { parseAddress } from '../../src/net/address.js';
import type { NodeState, PeerReport } from '../../src/responder/types.js';
import type { SpeakerEvent } from '../../src/speaker.js';
import { peer } from './shell_sample.js';

const A = parseAddress('192.0.2.10');

let folder: string;
let events: SpeakerEvent[];
/** What the speaker says; changed by the tests. */
let owner: string | null;
let peers: PeerReport[];
let state: NodeState;
let claimState: ClaimView['state'];
let nodes: ReadonlySet<string> | null;
let refusal: string | null;

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'arpeggio-commands-'));
  events = [];
  owner = 'host-a';
  peers = [peer()];
  state = 'ready';
  claimState = 'owned';
  nodes = null;
  refusal = null;
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const drainedPath = () => path.join(folder, 'serve.drained');

function speaker(): NodeCommandsOptions['speaker'] {
  const claim = (): ClaimView => ({
    interfaceName: 'eth0',
    state: claimState,
    answered: true,
    sinceMs: 0,
    reason: '',
    rivalMac: '02:00:00:00:00:99',
    retryMs: null,
  });
  return {
    get desired() {
      return new Map([
        [A, { address: A, services: ['web'], interfaces: null, nodes, scopes: null, prefer: new Map() }],
      ]);
    },
    get claims() {
      return new Map([[A, [claim()]]]);
    },
    interfaces: ['eth0'],
    ownerOf: () => (owner === null ? null : { node: owner, term: 1, firm: true, sinceMs: 0 }),
    peers: () => peers,
    stateOf: () => state,
    moveRefusal: () => refusal,
  };
}

function commands(): NodeCommands {
  const drainedFile = new DrainedFile(path.join(folder, 'serve.json'));
  return new NodeCommands({
    node: 'host-a',
    speaker: speaker(),
    drainedFile,
    step: (event) => events.push(event),
  });
}

describe('drain', () => {
  it('is told to the speaker once, and remembered', () => {
    const node = commands();
    assert.deepEqual(node.drain(), { node: 'host-a', state: 'draining', owned: 1 });
    node.drain();
    assert.deepEqual(events, [{ type: 'drain' }]);
    assert.ok(existsSync(drainedPath()));
    owner = 'host-b';
    assert.deepEqual(node.drainProgress(), { node: 'host-a', state: 'drained', owned: 0 });
  });

  it('outlasts a restart, until undrain', () => {
    commands().drain();
    events = [];
    const next = commands();
    next.resume();
    assert.deepEqual(events, [{ type: 'drain' }]);
    assert.deepEqual(next.undrain(), { node: 'host-a', state: 'ready', owned: 1 });
    assert.deepEqual(events, [{ type: 'drain' }, { type: 'undrain' }]);
    assert.ok(!existsSync(drainedPath()));
    commands().resume();
    assert.equal(events.length, 2);
  });

  it('that cannot be remembered is not begun', () => {
    writeFileSync(path.join(folder, 'file'), '');
    const node = new NodeCommands({
      node: 'host-a',
      speaker: speaker(),
      drainedFile: new DrainedFile(path.join(folder, 'file', 'serve.json')),
      step: (event) => events.push(event),
    });
    assert.throws(() => node.drain(), { code: 'ERR_SYSTEM', message: /cannot remember/ });
    assert.deepEqual(events, []);
  });
});

describe('the state of the node', () => {
  it('is joining while it listens, then ready, and leaving at the end', () => {
    const node = commands();
    state = 'joining';
    assert.equal(node.state, 'joining');
    state = 'ready';
    assert.equal(node.state, 'ready');
    node.leave();
    assert.equal(node.state, 'leaving');
    assert.throws(() => node.drain(), { code: 'ERR_REFUSED', message: /is being stopped/ });
  });
});

describe('move', () => {
  const move = (node = 'host-b', address: string = A) => commands().move({ address, node });

  it('is told to the speaker, and how far it is', () => {
    assert.deepEqual(move(), { address: A, owners: [{ interface: 'eth0', node: 'host-a' }], done: false });
    assert.deepEqual(events, [{ type: 'move', address: A, node: 'host-b' }]);
    owner = 'host-b';
    assert.equal(move().done, true);
    assert.equal(events.length, 1, 'nothing is left to do');
  });

  const rows: [name: string, prepare: () => void, node: string, message: RegExp][] = [
    ['an unknown node', () => {}, 'host-x', /^there is no node "host-x"; known are host-a, host-b$/],
    [
      'a node that the service does not name',
      () => {
        nodes = new Set(['host-a', 'host-c']);
      },
      'host-b',
      /^host-b may not own 192\.0\.2\.10: nodes of service web names host-a, host-c$/,
    ],
    [
      'a node that is down',
      () => {
        peers = [peer({ link: 'down' })];
      },
      'host-b',
      /^host-b cannot own 192\.0\.2\.10: it is down on eth0$/,
    ],
    [
      'a node that does not hear this one',
      () => {
        peers = [peer({ link: 'one-way' })];
      },
      'host-b',
      /it does not hear this node on eth0$/,
    ],
    [
      'a drained node',
      () => {
        peers = [peer({ state: 'draining' })];
      },
      'host-b',
      /it is drained; call arpeggio undrain there first$/,
    ],
    [
      'a node that listens',
      () => {
        peers = [peer({ state: 'joining' })];
      },
      'host-b',
      /it is joining on eth0$/,
    ],
    [
      'this node, where another host uses the address',
      () => {
        claimState = 'conflict';
        owner = 'host-b';
      },
      'host-a',
      /another host uses it on eth0 \(02:00:00:00:00:99\)$/,
    ],
    [
      'an address that nobody owns',
      () => {
        owner = null;
      },
      'host-b',
      /^nobody owns 192\.0\.2\.10 at present/,
    ],
    [
      'what the speaker does not want',
      () => {
        refusal = 'host-b has declined it';
      },
      'host-b',
      /^192\.0\.2\.10 cannot be moved to host-b: host-b has declined it$/,
    ],
  ];
  for (const [name, prepare, node, message] of rows)
    it(`to or of ${name} is refused with the reason`, () => {
      prepare();
      assert.throws(() => move(node), { code: 'ERR_REFUSED', message });
      assert.deepEqual(events, []);
    });

  it('to this node while it is drained is refused', () => {
    const node = commands();
    node.drain();
    owner = 'host-b';
    assert.throws(() => node.move({ address: A, node: 'host-a' }), { message: /it is drained; call arpeggio undrain/ });
  });

  it('of no service IP is refused, of no address wrong', () => {
    assert.throws(() => move('host-b', '192.0.2.99'), { code: 'ERR_REFUSED', message: /is no service IP/ });
    assert.throws(() => move('host-b', 'web'), { code: 'ERR_INVALID_ARGUMENT', message: /is not an IP address/ });
  });
});
