// The responder in a worker, which is terminated while it answers.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { nextLine, openResponder, packetThreadCount, publish, SERVICE, say } from './support.js';

if (isMainThread) {
  for (let round = 0; round < 5; ++round) {
    const worker = new Worker(new URL(import.meta.url));
    await once(worker, 'message');
    say({ threads: await packetThreadCount() });
    await nextLine();
    await worker.terminate();
    say({ threads: await packetThreadCount() });
    await nextLine();
  }
} else {
  publish(openResponder(), [SERVICE]);
  parentPort?.postMessage('answering');
  // A responder alone does not keep the worker alive.
  setInterval(() => {}, 1000);
}
