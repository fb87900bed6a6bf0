// Three responders on one interface; the second one is closed.
import { nextLine, openResponder, packetThreadCount, publish, say } from './support.js';

const responders = ['192.0.2.10', '192.0.2.11', '192.0.2.12'].map((address) => {
  const responder = openResponder();
  publish(responder, [address]);
  return responder;
});
say({ threads: await packetThreadCount() });
await nextLine();
responders[1]?.close();
say({ threads: await packetThreadCount() });
await nextLine();
for (const responder of responders) responder.close();
say({ threads: await packetThreadCount() });
