// Runs a LoopbackServer inside a namespace: a JSON call per line on standard input, a JSON reply per line on output.
import { createInterface } from 'node:readline';
import { createLogger } from '../../src/log.js';
import { kernelAnswers, readArpIgnore } from '../../src/serve/kernel_answers.js';
import { LoopbackServer } from '../../src/serve/loopback_server.js';
import { cleanUp } from '../../src/serve/undo.js';

const stateFile = process.argv[2]!;
const log = await createLogger({ level: 'silent' });
let server: LoopbackServer | null = null;

const open = () => {
  server ??= LoopbackServer.open({ stateFile, log });
  return server;
};

// biome-ignore lint/suspicious/noExplicitAny: arguments come as JSON
const methods: Record<string, (...args: any[]) => unknown> = {
  open: () => void open(),
  setAddresses: (addresses) => open().setAddresses(addresses),
  setInterfaces: (interfaces) => open().setInterfaces(interfaces),
  /** Many calls in one turn of the event loop. */
  burst: (lists) => Promise.all(lists.map((addresses: never) => open().setAddresses(addresses))),
  both: (addresses, interfaces) => Promise.all([open().setAddresses(addresses), open().setInterfaces(interfaces)]),
  foreign: () => [...open().foreign],
  cleanup: () => open().cleanup(),
  close: () => open().close(),
  cleanUp: (options) => cleanUp(stateFile, options),
  kernelAnswers: (links, names, serviceIps) => kernelAnswers(links, names, new Set(serviceIps), readArpIgnore(names)),
  path: (value) => {
    process.env.PATH = value;
  },
};

async function answer(line: string): Promise<void> {
  const { id, method, args } = JSON.parse(line);
  let reply: object;
  try {
    reply = { value: (await methods[method]!(...args)) ?? null };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    reply = { error: { code, message } };
  }
  process.stdout.write(`${JSON.stringify({ id, ...reply })}\n`);
}

// Calls do not wait for each other: whether they get along is what the tests are about.
createInterface({ input: process.stdin }).on('line', (line) => void answer(line));
