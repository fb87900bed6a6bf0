/** Parts of bench/README.md, each written by the bench of that name. */
export type SectionName = 'answer' | 'failover' | 'kubernetes';

const begin = (name: SectionName) => `<!-- ${name}:begin -->`;
const end = (name: SectionName) => `<!-- ${name}:end -->`;

/** The text with that part replaced. Throws when its marks are not there, once each and in order. */
export function withSection(readme: string, name: SectionName, text: string): string {
  const [before, rest, ...more] = readme.split(begin(name));
  const [, after, ...evenMore] = rest?.split(end(name)) ?? [];
  if (before === undefined || after === undefined || more.length > 0 || evenMore.length > 0)
    throw new Error(`there must be one "${begin(name)}" and after it one "${end(name)}"`);
  return `${before}${begin(name)}\n${text.trim()}\n${end(name)}${after}`;
}
