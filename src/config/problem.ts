/** Keys and indexes from the root of the file, as in `services`, 1, `addresses`. */
export type Path = readonly (string | number)[];

/** One mistake (or one warning) in a configuration file. */
export interface Problem {
  /** The file as the user named it. */
  readonly file: string;
  /** From 1; null where the file as a whole is meant, such as a missing one. */
  readonly line: number | null;
  /** From 1, in UTF-16 code units as editors count; null with `line`. */
  readonly column: number | null;
  /** "services.1.addresses.0"; "" for the file as a whole and for YAML syntax. */
  readonly path: string;
  /** What is wrong, and what to write instead. */
  readonly message: string;
}

/** `FILE:LINE:COLUMN: path: what is wrong`, without the parts that the problem does not have. One line, safe for a terminal. */
export function formatProblem(problem: Problem): string {
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  return [place, ...(problem.path ? [problem.path] : []), problem.message]
    .join(': ')
    .replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** "services.1.addresses.0"; a key that is no plain word in quotes. */
export function formatPath(path: Path): string {
  return path.map((step) => (/^[\w-]+$/.test(String(step)) ? step : JSON.stringify(step))).join('.');
}

/** Sorts by place in the file, in place. */
export function sortProblems(problems: Problem[]): Problem[] {
  return problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
