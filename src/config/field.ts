// How a single value of the file is checked, and what is said when it is wrong.
import * as z from 'zod';

/** How a value of the file is called in a message: "the number 10", "a list". */
function kindOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') {
    // `[2001:db8::]` and `- 2001:db8::` are YAML for a mapping with the key "2001:db8:".
    const entries = Object.entries(value);
    if (entries.length === 1 && entries[0]?.[1] === null && entries[0][0].includes(':'))
      return `a mapping; put quotes around ${JSON.stringify(`${entries[0][0]}:`)}`;
    return 'a mapping';
  }
  return typeof value === 'string' ? JSON.stringify(value) : `the ${typeof value} ${String(value)}`;
}

/** The message for a value of the wrong kind: "must be a list of services, not the number 10". */
export function mustBe(noun: string) {
  return (issue: { readonly input?: unknown }): string => {
    if (issue.input === undefined) return `is missing; it must be ${noun}`;
    return issue.input === null ? `is empty; it must be ${noun}` : `must be ${noun}, not ${kindOf(issue.input)}`;
  };
}

/** A text of the file turned into what it means; `parse` throws an Error whose message says what is wrong. */
export function text<T>(noun: string, parse: (text: string) => T) {
  return z.string({ error: mustBe(noun) }).transform((input, context): T => {
    try {
      return parse(input);
    } catch (error) {
      context.issues.push({ code: 'custom', message: (error as Error).message, input });
      return z.NEVER;
    }
  });
}

export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: mustBe(`one of ${values.join(', ')}`) });
}

export function wholeNumber(least: number, most: number) {
  const error = mustBe(`a whole number from ${least} to ${most}`);
  return z.int({ error }).min(least, { error }).max(most, { error });
}
