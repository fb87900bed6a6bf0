// Its handler throws: once, and is caught by the process or not.
import { nextLine, openResponder, publish, SERVICE, say } from './support.js';

let thrown = false;
if (process.argv[2] === 'caught') process.on('uncaughtException', ({ message }) => say({ uncaught: message }));
const responder = openResponder((event) => {
  if (thrown) {
    say({ event: event.type });
    return;
  }
  thrown = true;
  throw new Error(`thrown on ${event.type}`);
});
publish(responder, [SERVICE]);
await nextLine();
responder.close();
