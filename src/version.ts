import { readFileSync } from 'node:fs';

/** This package's version, from its package.json: three directories up from dist/src/version.js. */
export const VERSION: string = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
