// Forgets a responder that answers. To be run with --expose-gc.
import { setTimeout as delay } from 'node:timers/promises';
import type { Responder } from '../../../src/responder/responder.js';
import { nextLine, openResponder, packetThreadCount, publish, SERVICE, say } from './support.js';

const collect = (globalThis as { gc?: () => void }).gc;
if (!collect) throw new Error('run this with --expose-gc');

/** Its handler knows the responder, as handlers do. */
function openAndForget(): void {
  const responder: Responder = openResponder((event) => {
    if (event.type === 'table-expired') responder.renew(1000);
  });
  publish(responder, [SERVICE]);
}

openAndForget();
say({ threads: packetThreadCount() });
await nextLine();
const deadline = performance.now() + 3000;
while (packetThreadCount() > 0 && performance.now() < deadline) {
  collect();
  await delay(20);
}
say({ threads: packetThreadCount() });
await nextLine();
