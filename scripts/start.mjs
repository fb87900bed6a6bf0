// npm start: sets up whatever is missing, then runs the lab with the given arguments.
import { join } from 'node:path';
import { setup } from './setup.mjs';
import { main, run } from './steps.mjs';
import { ROOT } from './tools.mjs';

await main(async () => {
  await setup();
  const { code } = await run(process.execPath, [join(ROOT, 'dist/src/cli/main.js'), 'lab', ...process.argv.slice(2)]);
  return code;
});
