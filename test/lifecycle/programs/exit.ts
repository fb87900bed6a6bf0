// Ends while it answers: by process.exit(), with a wake under way, or because nothing is left to do.
import { block, nextLine, openResponder, publish, SERVICE, say } from './support.js';

publish(openResponder(), [SERVICE]);
say({ answering: true });
await nextLine();
const way = process.argv[2];
if (way === 'exit-with-events-waiting') block(300);
if (way !== 'natural') process.exit(0);
