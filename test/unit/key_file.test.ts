import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseKeys } from '../../src/config/heartbeat_key.js';
import { readKeyFile } from '../../src/sources/file/key_file.js';

const KEY = 'b'.repeat(44);

const texts = (keys: readonly Uint8Array[]): string[] => keys.map((key) => Buffer.from(key).toString());

describe('parseKeys', () => {
  it('takes each line as it is, the first to sign', () => {
    assert.deepEqual(texts(parseKeys(`${KEY}\n`)), [KEY]);
    assert.deepEqual(texts(parseKeys(`# new\n  not base64: äöü !  \r\n\n${KEY}`)), ['not base64: äöü !', KEY]);
  });

  for (const [name, text, message] of [
    ['nothing', '\n# none\n', 'holds no key; make one with: head -c 32 /dev/urandom | base64'],
    [
      'three keys',
      `${KEY}\n${KEY}\n${KEY}\n`,
      'holds 3 keys, one a line; it may have 2: the one that signs, and another that is accepted',
    ],
    [
      'a short key',
      `\n${'a'.repeat(15)}\n`,
      'has a key of 15 bytes on line 2; it must have 16 to 256, such as head -c 32 /dev/urandom | base64 prints',
    ],
    ['bytes that are no text', `${KEY}\0\n`, 'has a control character on line 1; a key is a line of text'],
  ] as const)
    it(`refuses ${name}, and does not show it`, () => assert.throws(() => parseKeys(text), { message }));
});

describe('readKeyFile', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'arpeggio-key-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function file(name: string, text: string, mode: number): string {
    const made = path.join(folder, name);
    writeFileSync(made, text, { mode });
    return made;
  }

  it('reads a file of the owner and the group, also behind a link', () => {
    assert.deepEqual(texts(readKeyFile(file('own', `${KEY}\n`, 0o600))), [KEY]);
    const grouped = file('group', `${KEY}\n`, 0o640);
    symlinkSync(grouped, path.join(folder, 'link'));
    assert.deepEqual(texts(readKeyFile(path.join(folder, 'link'))), [KEY]);
  });

  it('refuses what others may read, and says how to put it right', () => {
    assert.throws(() => readKeyFile(file('open', `${KEY}\n`, 0o604)), /every user of this host; run: chmod o= /);
  });

  it('says what to do about a missing file, a directory, and a wrong one', () => {
    assert.throws(() => readKeyFile(path.join(folder, 'none')), /there is no .*none; make a key.* base64 > /);
    assert.throws(() => readKeyFile(folder), /is no regular file/);
    assert.throws(() => readKeyFile(file('long', 'a'.repeat(5_000), 0o600)), /too many for a file of keys/);
    assert.throws(() => readKeyFile(file('short', 'abc\n', 0o600)), /short has a key of 3 bytes on line 1/);
  });
});
