// Loaded into a speaker by NODE_OPTIONS=--import: SIGUSR2 keeps its event loop busy for BLOCK_MS milliseconds, while its
// threads go on. It says so on standard output, in the form of the log.
import { writeSync } from 'node:fs';

const BLOCK_MS = Number(process.env.BLOCK_MS);

function say(msg) {
  writeSync(1, `${JSON.stringify({ level: 'info', time: new Date().toISOString(), msg })}\n`);
}

process.on('SIGUSR2', () => {
  say('the event loop is blocked');
  const end = performance.now() + BLOCK_MS;
  while (performance.now() < end);
  say('the event loop goes on');
});
