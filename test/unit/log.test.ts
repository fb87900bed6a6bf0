import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { monotonicMs, WallTime } from '../../src/clock.js';
import { ArpeggioError } from '../../src/errors.js';
import { chooseLogLevel, createLogger, type Logger, type LoggerOptions, parseLogLevel } from '../../src/log.js';

async function logged(options: LoggerOptions, write: (log: Logger) => void): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'arpeggio-log-'));
  const fd = openSync(join(directory, 'log'), 'w');
  try {
    write(await createLogger({ ...options, fd }));
    return readFileSync(join(directory, 'log'), 'utf8');
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  }
}

test('JSON lines: level by name, ISO time, module, written at once', async () => {
  const text = await logged({}, (log) => {
    log.child({ module: 'serve' }).info({ added: 2 }, 'changed');
    log.debug('not shown');
  });
  const { time, ...rest } = JSON.parse(text);
  assert.deepEqual(rest, { level: 'info', module: 'serve', added: 2, msg: 'changed' });
  assert.equal(new Date(time).toISOString(), time);
});

test('errors keep what a script can match on; a stack only where nobody expected them', async () => {
  const cause = Object.assign(new Error('denied'), { code: 'EPERM', errno: -1, syscall: 'socket' });
  const error = new ArpeggioError('ERR_NO_CAP_NET_RAW', 'give it CAP_NET_RAW', {
    errno: 1,
    syscall: 'socket',
    interfaceName: 'eth0',
    cause,
  });
  const text = await logged({}, (log) => {
    log.error({ err: error });
    log.error({ err: 'no error object' });
  });
  const [first, second] = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).err);
  const { stack, ...plainCause } = first.cause;
  assert.match(stack, /denied/);
  assert.deepEqual(plainCause, { type: 'Error', message: 'denied', code: 'EPERM', errno: -1, syscall: 'socket' });
  delete first.cause;
  assert.deepEqual(first, {
    type: 'ArpeggioError',
    message: 'give it CAP_NET_RAW',
    code: 'ERR_NO_CAP_NET_RAW',
    errno: 1,
    syscall: 'socket',
    interface: 'eth0',
  });
  assert.equal(second, 'no error object');
});

test('pretty for a terminal: one line, the module before the message', async () => {
  const text = await logged({ pretty: true, level: 'debug' }, (log) => {
    log.child({ module: 'serve' }).debug('changed');
    log.info({ count: 3 });
  });
  assert.match(text, /^\[\d\d:\d\d:\d\d\.\d{3}\] DEBUG: serve: changed\n/);
  assert.match(text, /{"count":3}/);
});

test('the level: option before LOG_LEVEL before info', () => {
  assert.equal(chooseLogLevel('warn', { LOG_LEVEL: 'trace' }), 'warn');
  assert.equal(chooseLogLevel(null, { LOG_LEVEL: 'TRACE' }), 'trace');
  assert.equal(chooseLogLevel(null, { LOG_LEVEL: '' }), 'info');
  assert.equal(chooseLogLevel(null, {}), 'info');
  assert.throws(() => parseLogLevel('loud', '--log-level'), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /^--log-level: "loud" is no log level; use one of silent, fatal, error, warn, info, debug, trace$/,
  });
  assert.throws(() => chooseLogLevel(null, { LOG_LEVEL: 'loud' }), { message: /^LOG_LEVEL: / });
});

test('wall times stay the same between readings, and follow when the time is set', () => {
  let monotonic = 1000;
  let wall = Date.parse('2026-11-20T10:00:00.000Z');
  const time = new WallTime(
    () => monotonic,
    () => wall,
  );
  assert.equal(time.iso(500), '2026-11-20T09:59:59.500Z');
  monotonic += 2000;
  wall += 2003;
  assert.equal(time.iso(500), '2026-11-20T09:59:59.500Z', 'a little drift changes nothing');
  wall += 60_000;
  assert.equal(time.iso(3000), '2026-11-20T10:01:02.003Z');
});

test('the real clocks agree', () => {
  const now = Date.parse(new WallTime().iso(monotonicMs()));
  assert.ok(Math.abs(now - Date.now()) < 1000);
});
