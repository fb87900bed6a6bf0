// Closes twice, and uses what is closed.
import { ArpeggioError } from '../../../src/errors.js';
import type { Responder } from '../../../src/responder/responder.js';
import { openResponder, publish, SERVICE, say } from './support.js';

const responder = openResponder();
publish(responder, [SERVICE]);
responder.close();
responder.close();
say({ closed: 'twice' });

const [address] = [SERVICE as Parameters<Responder['announce']>[0][number]];
const schedule = { ipv4Ms: [0], ipv6Ms: [0] };
const uses: Record<string, () => unknown> = {
  publish: () => publish(responder, [SERVICE]),
  renew: () => responder.renew(1000),
  announce: () => responder.announce([address], 'eth0', schedule, true),
  probe: () => responder.probe([address], 'eth0', [0]),
  interfaceCounters: () => responder.interfaceCounters(),
  addressCounters: () => responder.addressCounters(),
  describe: () => responder.describe(),
};
for (const [method, use] of Object.entries(uses)) {
  try {
    use();
    say({ method, code: null });
  } catch (error) {
    say({ method, code: error instanceof ArpeggioError ? error.code : String(error) });
  }
}
