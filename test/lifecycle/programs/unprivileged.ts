// Opens a responder without CAP_NET_RAW.
import { ArpeggioError } from '../../../src/errors.js';
import { openFiles, openResponder, packetThreadCount, say } from './support.js';

function attempt(): Record<string, unknown> {
  try {
    openResponder();
    return { opened: true };
  } catch (error) {
    if (!(error instanceof ArpeggioError)) throw error;
    const { code, errno, syscall, message } = error;
    return { code, errno, syscall, message };
  }
}

const result = attempt();
const before = openFiles();
for (let round = 0; round < 20; ++round) attempt();
const threads = await packetThreadCount();
say({ ...result, leakedFiles: openFiles() - before, threads });
