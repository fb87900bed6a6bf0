// Opens and closes a responder again and again: every other time only once its interface is open.
import { setTimeout as delay } from 'node:timers/promises';
import type { Responder } from '../../../src/responder/responder.js';
import { nextLine, openFiles, openResponder, publish, SERVICE, SERVICE6, say, threadCount } from './support.js';

const ROUNDS = 50;
// What a closed responder hands back to the event loop is gone a turn later.
const SETTLE_MS = 100;

// Responders alone do not keep the process alive.
const keepAlive = setInterval(() => {}, 1000);

async function open(waitForPort: boolean): Promise<Responder> {
  let onOpened = (): void => {};
  const opened = new Promise<void>((resolve) => {
    onOpened = resolve;
  });
  const responder = openResponder(({ type }) => {
    if (type === 'port-opened') onOpened();
  });
  publish(responder, [SERVICE, SERVICE6]);
  if (waitForPort) await opened;
  return responder;
}

async function state(): Promise<Record<string, unknown>> {
  await delay(SETTLE_MS);
  return { files: openFiles(), threads: threadCount() };
}

// The first time starts what Node keeps, standard output too.
say({ pid: process.pid });
(await open(true)).close();
say(await state());
for (let round = 0; round < ROUNDS; ++round) {
  (await open(round % 2 === 0)).close();
}
say(await state());
const last = await open(true);
say({ answering: true });
await nextLine();
last.close();
say({ answering: false });
clearInterval(keepAlive);
