import { readFileSync, statSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../../config/config.js';
import { checkAgainstHost } from '../../config/host_check.js';
import { type ParsedConfig, parseConfig } from '../../config/load.js';
import { formatPath, formatProblem, type Path, type Problem, sortProblems } from '../../config/problem.js';
import { ArpeggioError } from '../../errors.js';
import type { Address } from '../../net/address.js';
import type { LinkInfo } from '../../responder/types.js';
import { readKeyFile } from './key_file.js';
import { PathWatcher } from './watch_path.js';

/** How long a file must have been left alone before it is read: longer than an editor pauses between two writes. */
export const DEFAULT_DEBOUNCE_MS = 150;

export interface FileSourceOptions {
  readonly file: string;
  /** Name of the node where the file gives none. */
  readonly defaultNode: string;
  /** The links as they are now; asked at each reading. */
  readonly readLinks: () => readonly LinkInfo[];
  /** Service IPs that Arpeggio itself has put on `lo`; asked at each reading. Default: none. */
  readonly servedByUs?: () => ReadonlySet<Address>;
  /**
   * A valid configuration that differs from the one in force, which it replaces. Earlier problems are over. Throws
   * ArpeggioError if it cannot be brought into force; then the old one must still be.
   */
  readonly onChange: (config: Config, warnings: readonly Problem[]) => void;
  /** The file is wrong or gone, and the old configuration stays in force. Empty: the file is what is in force again. */
  readonly onProblems: (problems: readonly Problem[]) => void;
  /** Milliseconds without an event before a changed file is read. Default: {@link DEFAULT_DEBOUNCE_MS}. */
  readonly debounceMs?: number;
}

/** What a reading led to. */
export type ReloadOutcome = 'changed' | 'unchanged' | 'refused';

/**
 * The configuration file as a source: read at the start, on demand, and whenever it changes. The key file that it names is
 * read with it, but not watched.
 */
export class FileSource {
  readonly #options: FileSourceOptions;
  readonly #debounceMs: number;
  readonly #knownInterfaces = new Set<string>();
  #inForce: Config | null = null;
  /** The text that was judged last, whatever came of it; null: there was no file. */
  #seen: string | null = null;
  #refused = false;
  #watcher: PathWatcher | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: FileSourceOptions) {
    this.#options = options;
    this.#debounceMs = options.debounceMs ?? DEFAULT_DEBOUNCE_MS;
  }

  /** Reads the file for the start. Throws ArpeggioError ERR_CONFIG with all problems, one a line. */
  load(): { config: Config; warnings: readonly Problem[] } {
    const judged = this.#judge(this.#read());
    if ('problems' in judged) throw new ArpeggioError('ERR_CONFIG', judged.problems.map(formatProblem).join('\n'));
    this.#accept(judged.config);
    return judged;
  }

  /** Reads the file now, changed or not, and reports as a change of the file would. Call `load` first. */
  reload(): ReloadOutcome {
    this.#cancel();
    return this.#apply(this.#read());
  }

  /**
   * Begins to watch the file; what changed since `load` is noticed too. Throws ArpeggioError ERR_SYSTEM if it cannot be
   * watched.
   */
  start(): void {
    if (this.#watcher) return;
    const watcher = new PathWatcher(this.#options.file, () => this.#schedule());
    try {
      watcher.refresh();
    } catch (error) {
      watcher.close();
      throw error;
    }
    this.#watcher = watcher;
    this.#schedule();
  }

  /** Stops watching; no callback is called any more. */
  close(): void {
    this.#cancel();
    this.#watcher?.close();
    this.#watcher = null;
  }

  #schedule(): void {
    if (!this.#watcher) return;
    this.#cancel();
    this.#timer = setTimeout(() => this.#settle(), this.#debounceMs);
  }

  #cancel(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #settle(): void {
    this.#timer = null;
    try {
      this.#watcher?.refresh();
    } catch (error) {
      this.#refuse([this.#wholeFile((error as Error).message)]);
      return;
    }
    const before = this.#stamp();
    const read = this.#read();
    // Somebody is writing: the next event, or this, reads it again.
    if (before !== this.#stamp()) this.#schedule();
    else if (read.text !== this.#seen) this.#apply(read);
  }

  #stamp(): string {
    try {
      const { dev, ino, size, mtimeNs } = statSync(this.#options.file, { bigint: true });
      return [dev, ino, size, mtimeNs].join();
    } catch {
      return '';
    }
  }

  #read(): { text: string | null; failure: string } {
    try {
      return { text: readFileSync(this.#options.file, 'utf8'), failure: '' };
    } catch (error) {
      return { text: null, failure: readFailure(error as NodeJS.ErrnoException) };
    }
  }

  #judge({
    text,
    failure,
  }: {
    text: string | null;
    failure: string;
  }): { config: Config; warnings: readonly Problem[] } | { problems: readonly Problem[] } {
    const { file, defaultNode, readLinks, servedByUs } = this.#options;
    this.#seen = text;
    if (text === null) return { problems: [this.#wholeFile(failure)] };
    const parsed = parseConfig(text, { file, defaultNode });
    if ('problems' in parsed) return parsed;
    const links = readLinks();
    const { problems, warnings } = checkAgainstHost(parsed, links, {
      knownInterfaces: this.#knownInterfaces,
      servedByUs: servedByUs?.() ?? new Set(),
    });
    const { keys, problem } = readKeys(parsed);
    if (problem) return { problems: sortProblems([...problems, problem]) };
    if (problems.length > 0) return { problems };
    for (const { name } of links) this.#knownInterfaces.add(name);
    const { config } = parsed;
    return { config: { ...config, heartbeat: { ...config.heartbeat, keys } }, warnings };
  }

  /** What this host does not permit now (a state file in use, links that cannot be read) is refused as mistakes are. */
  #apply(read: { text: string | null; failure: string }): ReloadOutcome {
    try {
      return this.#judgeAndApply(read);
    } catch (error) {
      if (!(error instanceof ArpeggioError)) throw error;
      this.#refuse([this.#wholeFile(error.message)]);
      return 'refused';
    }
  }

  #judgeAndApply(read: { text: string | null; failure: string }): ReloadOutcome {
    const judged = this.#judge(read);
    if ('problems' in judged) {
      this.#refuse(judged.problems);
      return 'refused';
    }
    const { config, warnings } = judged;
    const wasRefused = this.#refused;
    if (isDeepStrictEqual(config, this.#inForce)) {
      this.#refused = false;
      if (wasRefused) this.#options.onProblems([]);
      return 'unchanged';
    }
    this.#options.onChange(config, warnings);
    this.#accept(config);
    return 'changed';
  }

  #accept(config: Config): void {
    this.#inForce = config;
    this.#refused = false;
  }

  #refuse(problems: readonly Problem[]): void {
    this.#refused = true;
    this.#options.onProblems(problems);
  }

  #wholeFile(message: string): Problem {
    return { file: this.#options.file, line: null, column: null, path: '', message };
  }
}

const KEY_FILE: Path = ['heartbeat', 'key', 'file'];

/** The keys of heartbeats: part of the configuration, though in a file of their own. */
function readKeys({ config, located }: ParsedConfig): { keys: readonly Uint8Array[]; problem: Problem | null } {
  const { keyFile } = config.heartbeat;
  if (keyFile === null) return { keys: [], problem: null };
  try {
    return { keys: readKeyFile(keyFile), problem: null };
  } catch (error) {
    const place = { file: located.file, ...located.position(KEY_FILE), path: formatPath(KEY_FILE) };
    return { keys: [], problem: { ...place, message: (error as Error).message } };
  }
}

function readFailure(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'there is no such file; create it, or name another one';
  if (error.code === 'EACCES') return 'may not be read; make it readable for the user that runs Arpeggio';
  if (error.code === 'EISDIR') return 'is a directory; name the file in it';
  return `cannot be read (${error.code}): ${error.message}`;
}
