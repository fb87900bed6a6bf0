// Reporter for node:test, for a run over one file: writes the outcome as JSON to the file named by
// ARPEGGIO_TEST_OUTCOME. Node's own summary counts neither a file that ended early nor one without tests.
import { writeFileSync } from 'node:fs';
import { inspect } from 'node:util';

const isWholeFile = (data) => data.file !== undefined && data.name === data.file;

function describe(error) {
  if (error?.failureType === 'testTimeoutFailure') return error.message;
  if (error?.signal) return `the test file was ended by ${error.signal}`;
  if (typeof error?.exitCode === 'number') return `the test file ended with exit code ${error.exitCode}`;
  const cause = error?.cause ?? error;
  return cause instanceof Error ? inspect(cause) : String(cause);
}

export default async function* report(source) {
  let passed = 0;
  const failures = [];
  const skipped = [];
  let output = '';
  let whole = null;
  // Tests that were announced and have not ended: `nesting name` -> how many.
  const open = new Map();
  const count = (data, by) => {
    const key = `${data.nesting} ${data.name}`;
    const left = (open.get(key) ?? 0) + by;
    if (left > 0) open.set(key, left);
    else open.delete(key);
  };

  for await (const { type, data } of source) {
    if (type === 'test:stdout' || type === 'test:stderr') output += data.message;
    else if (type === 'test:enqueue' && !isWholeFile(data)) count(data, 1);
    else if (type === 'test:complete' && !isWholeFile(data)) count(data, -1);
    else if (type === 'test:complete') whole = data.details;
    else if (type === 'test:pass' && isWholeFile(data)) failures.push({ name: null, text: 'the file holds no test' });
    else if (type === 'test:pass') {
      const reason = data.skip ?? data.todo;
      if (reason !== undefined) skipped.push(typeof reason === 'string' ? `${data.name} (${reason})` : data.name);
      else if (data.details.type !== 'suite') passed += 1;
    } else if (type === 'test:fail') {
      // A parent that failed only because a child did is not a failure of its own.
      if (data.details.error?.failureType === 'subtestsFailed') continue;
      failures.push({ name: isWholeFile(data) ? null : data.name, text: describe(data.details.error) });
    }
  }
  if (open.size > 0 && !failures.some((failure) => failure.name === null)) {
    const names = [...open.keys()].map((key) => key.replace(/^\d+ /, ''));
    failures.push({ name: null, text: `the file ended before these tests did: ${names.join(', ')}` });
  }
  const seconds = (whole?.duration_ms ?? 0) / 1000;
  writeFileSync(process.env.ARPEGGIO_TEST_OUTCOME, JSON.stringify({ passed, failures, skipped, output, seconds }));
}
