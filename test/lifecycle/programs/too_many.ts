// Publishes tables with the most interfaces that fit, and with one more.
import { ArpeggioError } from '../../../src/errors.js';
import { INTERFACE, nextLine, openResponder, SERVICE, say, tableOf } from './support.js';

const LONG_MS = 60_000;
const names = (count: number, prefix: string) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

const responder = openResponder();
const { entries } = tableOf([SERVICE]);
responder.publish({ interfaces: [...names(63, 'a'), INTERFACE], entries }, LONG_MS);
say({ interfaces: responder.interfaceCounters().size });
await nextLine();
try {
  responder.publish({ interfaces: names(65, 'b'), entries }, LONG_MS);
  say({ code: null });
} catch (error) {
  if (!(error instanceof ArpeggioError)) throw error;
  say({ code: error.code, message: error.message });
}
say({ interfaces: [...responder.interfaceCounters().keys()].includes(INTERFACE) });
await nextLine();
responder.publish({ interfaces: [...names(63, 'b'), INTERFACE], entries }, LONG_MS);
say({ interfaces: responder.interfaceCounters().size });
await nextLine();
responder.close();
