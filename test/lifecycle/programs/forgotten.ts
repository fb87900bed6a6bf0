// Forgets a responder that answers. To be run with --expose-gc.
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
say({ threads: await packetThreadCount() });
await nextLine();
const deadline = performance.now() + 3000;
while ((await packetThreadCount()) > 0 && performance.now() < deadline) {
  collect();
}
say({ threads: await packetThreadCount() });
await nextLine();
