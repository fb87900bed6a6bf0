// Publishes a table for argv[2] ms and blocks the event loop for argv[3] ms.
import { block, nextLine, openResponder, publish, SERVICE, SERVICE6, say } from './support.js';

const [lifetimeMs, blockMs] = process.argv.slice(2).map(Number);
const responder = openResponder((event) => {
  if (event.type === 'port-opened' || event.type === 'table-expired') say({ event: event.type });
});
publish(responder, [SERVICE, SERVICE6]);
await nextLine();
publish(responder, [SERVICE, SERVICE6], lifetimeMs);
say({ blocked: true });
block(blockMs ?? 0);
say({ blocked: false });
await nextLine();
publish(responder, [SERVICE, SERVICE6]);
say({ published: true });
await nextLine();
responder.close();
