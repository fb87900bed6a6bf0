import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../src/config/config.js';
import { formatProblem, type Problem } from '../../src/config/problem.js';
import { parseAddress } from '../../src/net/address.js';
import type { LinkInfo } from '../../src/responder/types.js';
import { FileSource, type FileSourceOptions } from '../../src/sources/file/file_source.js';
import { sampleLink } from './link_sample.js';

const DEBOUNCE_MS = 40;
/** Long enough for a change to be noticed, had there been one. */
const QUIET_MS = 250;

const ETH0 = sampleLink('eth0', { addresses: [[parseAddress('192.0.2.1'), 24]] });

function yaml(...names: string[]): string {
  return `services:\n${names.map((name, index) => `- name: ${name}\n  addresses: [192.0.2.${10 + index}]\n`).join('')}`;
}

let directory: string;
let file: string;
let events: string[];
let links: LinkInfo[];
let source: FileSource;

/** What the source says, as texts: "web,api" for a configuration, "!problem" for each problem, "clear" for none. */
function newSource(options: Partial<FileSourceOptions> = {}): FileSource {
  source = new FileSource({
    file,
    defaultNode: 'host',
    readLinks: () => links,
    onChange: (config) => events.push(names(config)),
    onProblems: (problems) => events.push(...(problems.length === 0 ? ['clear'] : problems.map(short))),
    debounceMs: DEBOUNCE_MS,
    ...options,
  });
  return source;
}

function names(config: Config): string {
  return config.desired.services.map((service) => service.name).join();
}

function short(problem: Problem): string {
  return `!${formatProblem(problem).replace(file, 'FILE')}`;
}

/** Waits until there is another event, and until no further one follows. */
async function nextEvents(): Promise<string[]> {
  const deadline = Date.now() + 5000;
  while (events.length === 0) {
    assert.ok(Date.now() < deadline, 'no event within 5 s');
    await sleep(10);
  }
  await sleep(QUIET_MS);
  return events.splice(0);
}

async function noEvents(): Promise<void> {
  await sleep(QUIET_MS);
  assert.deepEqual(events, []);
}

/** A source that has loaded `text` and watches. */
async function watching(text = yaml('web')): Promise<void> {
  writeFileSync(file, text);
  newSource().load();
  source.start();
  await noEvents();
}

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'arpeggio-file-'));
  file = path.join(directory, 'arpeggio.yaml');
  events = [];
  links = [ETH0];
});

afterEach(() => {
  source.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('FileSource.load', () => {
  it('gives the configuration and the warnings', () => {
    writeFileSync(file, 'services:\n- name: web\n  addresses: [10.0.0.1]\n');
    const { config, warnings } = newSource().load();
    assert.equal(names(config), 'web');
    assert.equal(config.node, 'host');
    assert.deepEqual(warnings.map(short), [
      '!FILE:3:15: services.0.addresses.0: 10.0.0.1 is in no subnet of eth0; clients need a route to it',
    ]);
    assert.deepEqual(events, []);
  });

  it('throws all problems of the text, one a line', () => {
    writeFileSync(file, 'services: []\nserve: x\nfoo: 1\n');
    assert.throws(() => newSource().load(), {
      name: 'ArpeggioError',
      code: 'ERR_CONFIG',
      message: new RegExp(`^${file}:2:8: serve: .*\n${file}:3:1: foo: .*$`),
    });
  });

  it('throws what does not fit the host', () => {
    writeFileSync(file, 'services: []\ninterfaces: [eth7]\n');
    assert.throws(() => newSource().load(), { code: 'ERR_CONFIG', message: /:2:14: .*no interface eth7/ });
  });

  it('reads the key file that it names', () => {
    const keyFile = path.join(directory, 'heartbeat.key');
    writeFileSync(keyFile, 'the first key of two\nthe second key of two\n', { mode: 0o600 });
    writeFileSync(file, `services: []\nheartbeat:\n  key:\n    file: ${keyFile}\n`);
    const { heartbeat } = newSource().load().config;
    assert.deepEqual(
      heartbeat.keys.map((key) => Buffer.from(key).toString()),
      ['the first key of two', 'the second key of two'],
    );
  });

  it('throws where a key file is named that cannot be used', () => {
    const keyFile = path.join(directory, 'heartbeat.key');
    writeFileSync(keyFile, 'the first key of two\n');
    chmodSync(keyFile, 0o644);
    writeFileSync(file, `services: []\nheartbeat: {key: {file: ${keyFile}}}\ninterfaces: [eth7]\n`);
    assert.throws(() => newSource().load(), {
      code: 'ERR_CONFIG',
      message: /:2:25: heartbeat\.key\.file: .*chmod o=.*\n.*:3:14: interfaces\.0: /,
    });
  });

  it('knows what Arpeggio has put on lo', () => {
    writeFileSync(file, yaml('web'));
    const lo = { ...ETH0, name: 'lo', loopback: true, addresses: [[parseAddress('192.0.2.10'), 32] as const] };
    links = [ETH0, lo];
    assert.throws(() => newSource().load(), { code: 'ERR_CONFIG', message: /on lo/ });
    assert.equal(names(newSource({ servedByUs: () => new Set([parseAddress('192.0.2.10')]) }).load().config), 'web');
  });

  for (const [what, prepare, message] of [
    ['no file', () => undefined, /arpeggio\.yaml: there is no such file; create it/],
    ['a directory', () => mkdirSync(file), /arpeggio\.yaml: is a directory/],
    ['a link to itself', () => symlinkSync(file, file), /arpeggio\.yaml: cannot be read \(ELOOP\)/],
  ] as const)
    it(`says that there is ${what}`, () => {
      prepare();
      assert.throws(() => newSource().load(), { code: 'ERR_CONFIG', message });
    });

  it('says that the file may not be read', () => {
    writeFileSync(file, yaml('web'));
    chmodSync(file, 0);
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65534);
    try {
      assert.throws(() => newSource().load(), { code: 'ERR_CONFIG', message: /may not be read/ });
    } finally {
      if (root) process.seteuid?.(0);
    }
  });
});

describe('FileSource.reload', () => {
  it('tells what came of it', () => {
    writeFileSync(file, yaml('web'));
    newSource().load();
    assert.equal(source.reload(), 'unchanged');
    writeFileSync(file, yaml('web', 'api'));
    assert.equal(source.reload(), 'changed');
    assert.deepEqual(events.splice(0), ['web,api']);
    writeFileSync(file, `# the same\n${yaml('web', 'api')}`);
    assert.equal(source.reload(), 'unchanged');
    assert.deepEqual(events, []);
  });

  it('keeps the old configuration in force, and says each time why', () => {
    writeFileSync(file, yaml('web'));
    newSource().load();
    writeFileSync(file, 'services: 1\n');
    for (let times = 0; times < 2; times += 1) {
      assert.equal(source.reload(), 'refused');
      assert.deepEqual(events.splice(0), [
        '!FILE:1:11: services: must be a list of services (write [] for none), not the number 1',
      ]);
    }
    writeFileSync(file, yaml('web'));
    assert.equal(source.reload(), 'unchanged');
    assert.deepEqual(events.splice(0), ['clear']);
    assert.equal(source.reload(), 'unchanged');
    assert.deepEqual(events, []);
  });

  it('waits for an interface that has gone, but knows no new one', () => {
    const seen: Problem[][] = [];
    writeFileSync(file, `interfaces: [eth0]\n${yaml('web')}`);
    newSource({ onChange: (_, warnings) => seen.push([...warnings]) }).load();
    links = [];
    writeFileSync(file, `interfaces: [eth0]\n${yaml('web', 'api')}`);
    assert.equal(source.reload(), 'changed');
    assert.deepEqual(seen.flat().map(short), [
      '!FILE:1:14: interfaces.0: eth0 is gone; it is used again when it is back',
    ]);
    writeFileSync(file, `interfaces: [eth1]\n${yaml('web')}`);
    assert.equal(source.reload(), 'refused');
  });
});

describe('FileSource notices', () => {
  it('a file written in place', async () => {
    await watching();
    writeFileSync(file, yaml('web', 'api'));
    assert.deepEqual(await nextEvents(), ['web,api']);
  });

  it('a file renamed over it, again and again', async () => {
    await watching();
    for (const name of ['a', 'b', 'c']) {
      writeFileSync(`${file}~`, yaml(name));
      renameSync(`${file}~`, file);
      assert.deepEqual(await nextEvents(), [name]);
    }
    writeFileSync(file, yaml('in-place'));
    assert.deepEqual(await nextEvents(), ['in-place']);
  });

  it('a file deleted, and created again', async () => {
    await watching();
    unlinkSync(file);
    assert.deepEqual(await nextEvents(), ['!FILE: there is no such file; create it, or name another one']);
    writeFileSync(file, yaml('web'));
    assert.deepEqual(await nextEvents(), ['clear']);
    unlinkSync(file);
    writeFileSync(file, yaml('api'));
    assert.deepEqual(await nextEvents(), ['api']);
  });

  it('a directory moved away, and another one put in its place', async () => {
    const inside = path.join(directory, 'etc');
    mkdirSync(inside);
    file = path.join(inside, 'arpeggio.yaml');
    await watching();
    renameSync(inside, `${inside}.old`);
    assert.deepEqual(await nextEvents(), ['!FILE: there is no such file; create it, or name another one']);
    mkdirSync(inside);
    writeFileSync(file, yaml('api'));
    assert.deepEqual(await nextEvents(), ['api']);
    writeFileSync(file, yaml('db'));
    assert.deepEqual(await nextEvents(), ['db']);
    writeFileSync(path.join(`${inside}.old`, 'arpeggio.yaml'), yaml('stale'));
    await noEvents();
    // Faster than the debounce: the path was never seen missing, but leads elsewhere.
    renameSync(inside, `${inside}.older`);
    renameSync(`${inside}.old`, inside);
    assert.deepEqual(await nextEvents(), ['stale']);
    writeFileSync(file, yaml('fresh'));
    assert.deepEqual(await nextEvents(), ['fresh']);
  });

  it('the swap of links by which a ConfigMap is updated', async () => {
    const version = (name: string) => {
      mkdirSync(path.join(directory, `..${name}`));
      writeFileSync(path.join(directory, `..${name}`, 'arpeggio.yaml'), yaml(name));
      symlinkSync(`..${name}`, path.join(directory, '..data_tmp'));
      renameSync(path.join(directory, '..data_tmp'), path.join(directory, '..data'));
    };
    version('v1');
    symlinkSync('..data/arpeggio.yaml', file);
    newSource().load();
    source.start();
    await noEvents();
    for (const name of ['v2', 'v3']) {
      version(name);
      assert.deepEqual(await nextEvents(), [name]);
    }
    rmSync(path.join(directory, '..v1'), { recursive: true });
    await noEvents();
  });

  it('the target of a link in another directory, and another target', async () => {
    const targets = ['a', 'b'].map((name) => path.join(directory, 'targets', `${name}.yaml`));
    mkdirSync(path.join(directory, 'targets'));
    for (const [index, target] of targets.entries()) writeFileSync(target, yaml(`t${index}`));
    symlinkSync(targets[0]!, file);
    newSource().load();
    source.start();
    await noEvents();
    writeFileSync(`${targets[0]}~`, yaml('renamed'));
    renameSync(`${targets[0]}~`, targets[0]!);
    assert.deepEqual(await nextEvents(), ['renamed']);
    unlinkSync(file);
    symlinkSync('./targets/../targets/b.yaml', file);
    assert.deepEqual(await nextEvents(), ['t1']);
  });

  it('what changed between load and start', async () => {
    writeFileSync(file, yaml('web'));
    newSource().load();
    writeFileSync(file, yaml('api'));
    source.start();
    source.start();
    assert.deepEqual(await nextEvents(), ['api']);
  });

  it('a mistake once, and that it is gone', async () => {
    await watching();
    writeFileSync(file, 'services: [\n');
    assert.equal((await nextEvents()).length, 1);
    writeFileSync(file, 'services: [\n');
    await noEvents();
    writeFileSync(file, yaml('web'));
    assert.deepEqual(await nextEvents(), ['clear']);
  });
});

describe('FileSource does not mind', () => {
  it('a file that is written bit by bit', async () => {
    await watching();
    const text = yaml('web', 'api', 'db');
    truncateSync(file);
    for (let offset = 0; offset < text.length; offset += 12) {
      appendFileSync(file, text.slice(offset, offset + 12));
      await sleep(DEBOUNCE_MS / 4);
    }
    assert.deepEqual(await nextEvents(), ['web,api,db']);
  });

  it('the same content again, in place, renamed or touched', async () => {
    await watching();
    writeFileSync(file, yaml('web'));
    await noEvents();
    writeFileSync(`${file}~`, yaml('web'));
    renameSync(`${file}~`, file);
    await noEvents();
    chmodSync(file, 0o600);
    await noEvents();
  });

  it('other words for the same', async () => {
    await watching();
    writeFileSync(file, `# a comment\n${yaml('web')}probing: fast\n`);
    await noEvents();
  });

  it('other files beside it, however often they change', async () => {
    await watching();
    writeFileSync(file, yaml('api'));
    const until = Date.now() + 10 * DEBOUNCE_MS;
    while (Date.now() < until && events.length === 0) {
      writeFileSync(path.join(directory, 'other.yaml'), String(Date.now()));
      await sleep(5);
    }
    assert.deepEqual(events, ['api']);
  });

  it('anything after close, also with a change on its way', async () => {
    await watching();
    writeFileSync(file, yaml('api'));
    await sleep(DEBOUNCE_MS / 4);
    source.close();
    source.close();
    writeFileSync(file, yaml('db'));
    await noEvents();
  });
});

describe('FileSource.start', () => {
  it('watches for a file whose directory does not exist yet', async () => {
    file = path.join(directory, 'not', 'yet', 'arpeggio.yaml');
    assert.throws(() => newSource().load(), { code: 'ERR_CONFIG' });
    source.start();
    await noEvents();
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, yaml('web'));
    assert.deepEqual(await nextEvents(), ['web']);
  });

  it('throws where the directory of the file is closed to it', () => {
    writeFileSync(file, yaml('web'));
    newSource().load();
    chmodSync(directory, 0);
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65534);
    try {
      assert.throws(() => source.start(), {
        code: 'ERR_SYSTEM',
        syscall: 'inotify_add_watch',
        message: /cannot watch .*EACCES.*readable/,
      });
    } finally {
      if (root) process.seteuid?.(0);
      chmodSync(directory, 0o700);
    }
  });
});
