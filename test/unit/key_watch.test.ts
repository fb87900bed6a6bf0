import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KeyWatch } from '../../src/cli/key_watch.js';
import { logOf } from './shell_sample.js';

/** As kubelet mounts a Secret: the file is a link through ..data, which is exchanged as a whole. */
function mountedSecret() {
  const mount = mkdtempSync(join(tmpdir(), 'arpeggio-key-'));
  let version = 0;
  const write = (key: string): void => {
    version += 1;
    mkdirSync(join(mount, `..${version}`));
    writeFileSync(join(mount, `..${version}`, 'heartbeat.key'), `${key}\n`, { mode: 0o400 });
    symlinkSync(`..${version}`, join(mount, '..data.new'));
    renameSync(join(mount, '..data.new'), join(mount, '..data'));
    rmSync(join(mount, `..${version - 1}`), { recursive: true, force: true });
  };
  write('0123456789abcdef');
  symlinkSync('..data/heartbeat.key', join(mount, 'heartbeat.key'));
  return { mount, file: join(mount, 'heartbeat.key'), write };
}

const texts = (keys: readonly Uint8Array[]) => keys.map((key) => Buffer.from(key).toString());

async function until(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!holds()) {
    assert.ok(performance.now() < endMs, 'not within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('the key of a mounted Secret is followed, from before it was watched, and a wrong one changes nothing', async (t) => {
  const { mount, file, write } = mountedSecret();
  t.after(() => rmSync(mount, { recursive: true }));
  assert.deepEqual(texts(KeyWatch.read(file)), ['0123456789abcdef']);
  write('exchanged-meanwhile');
  const told: string[][] = [];
  const { log, lines } = logOf();
  const watch = new KeyWatch({ file, log, onKeys: (keys) => told.push(texts(keys)) });
  t.after(() => watch.close());
  watch.start();
  assert.deepEqual(told, [['exchanged-meanwhile']]);
  write('too short');
  await until(() => lines.length > 0);
  assert.match(lines[0]!, /error: .*the keys that were read before stay in force/);
  write('exchanged-once-more');
  await until(() => told.length > 1);
  assert.deepEqual(told.at(-1), ['exchanged-once-more']);
});
