import type { Labels } from '../kubernetes/types.js';
import type { ConfigurationReason, LabelSelector, LabelSelectorRequirement } from './types.js';

/** Whether the labels satisfy all of the selector; an empty selector takes everything. */
export function matches(selector: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {}))
    if (labelOf(labels, key) !== value) return false;
  return (selector.matchExpressions ?? []).every((requirement) => satisfies(requirement, labels));
}

/** Whether one of the selectors takes the labels; no selectors take everything. */
export function matchesAny(selectors: readonly LabelSelector[], labels: Labels): boolean {
  return selectors.length === 0 || selectors.some((selector) => matches(selector, labels));
}

function satisfies({ key, operator, values = [] }: LabelSelectorRequirement, labels: Labels): boolean {
  const value = labelOf(labels, key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    // What has no such label is not in the list either.
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/** As kubectl takes it: `app=web,tier in (a,b),!old`; `*` for everything. Selectors of equal meaning may differ in text. */
export function formatSelector(selector: LabelSelector): string {
  const parts = [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`),
    ...(selector.matchExpressions ?? []).map(formatRequirement),
  ];
  return parts.length === 0 ? '*' : parts.sort().join(',');
}

function formatRequirement({ key, operator, values = [] }: LabelSelectorRequirement): string {
  switch (operator) {
    case 'In':
      return `${key} in (${[...values].sort().join(',')})`;
    case 'NotIn':
      return `${key} notin (${[...values].sort().join(',')})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
  }
}

/** A mistake in a selector, at a path below it. */
export interface SelectorMistake {
  readonly path: readonly (string | number)[];
  readonly reason: ConfigurationReason;
  readonly message: string;
}

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** What Kubernetes demands of the name of a label: "app", "example.com/app". */
export function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash < 0) return NAME.test(key);
  return slash <= 253 && PREFIX.test(key.slice(0, slash)) && NAME.test(key.slice(slash + 1));
}

export function isLabelValue(value: string): boolean {
  return value === '' || NAME.test(value);
}

/** Everything that is wrong with a selector alone; `strict` also refuses what is written twice. */
export function selectorMistakes(selector: LabelSelector, strict: boolean): SelectorMistake[] {
  const mistakes: SelectorMistake[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (!isLabelKey(key)) mistakes.push(badKey(['matchLabels', key], key));
    else if (!isLabelValue(value)) mistakes.push(badValue(['matchLabels', key], value));
  }
  const seen = new Set<string>();
  (selector.matchExpressions ?? []).forEach((requirement, index) => {
    const path = ['matchExpressions', index];
    mistakes.push(...requirementMistakes(requirement, path, strict));
    const text = formatRequirement(requirement);
    if (strict && seen.has(text))
      mistakes.push({ path, reason: 'duplicate-selector', message: `"${text}" stands here twice; write it once` });
    seen.add(text);
  });
  return mistakes;
}

function requirementMistakes(
  { key, operator, values = [] }: LabelSelectorRequirement,
  path: readonly (string | number)[],
  strict: boolean,
): SelectorMistake[] {
  const invalid = (field: string, message: string): SelectorMistake[] => [
    { path: [...path, field], reason: 'invalid-selector', message },
  ];
  if (!isLabelKey(key)) return [badKey([...path, 'key'], key)];
  if (operator === 'Exists' || operator === 'DoesNotExist')
    return values.length === 0
      ? []
      : invalid('values', `${operator} takes no values; take them out, or use In or NotIn`);
  if (values.length === 0) return invalid('values', `${operator} needs at least one value`);
  return values.flatMap((value, index) => {
    const valuePath = [...path, 'values', index];
    if (!isLabelValue(value)) return [badValue(valuePath, value)];
    if (!strict || values.indexOf(value) === index) return [];
    return [
      {
        path: valuePath,
        reason: 'duplicate-selector-value' as const,
        message: `"${value}" stands here twice; write it once`,
      },
    ];
  });
}

function badKey(path: readonly (string | number)[], key: string): SelectorMistake {
  const what = key === '' ? 'the name of the label is missing' : `"${key}" cannot be the name of a label`;
  return { path, reason: 'invalid-selector', message: what };
}

function badValue(path: readonly (string | number)[], value: string): SelectorMistake {
  const rule = 'use at most 63 letters, digits, "-", "_" and "."';
  return { path, reason: 'invalid-selector', message: `"${value}" cannot be the value of a label; ${rule}` };
}

/** Selectors that stand in the list more than once, by the index of the later one. */
export function repeatedSelectors(selectors: readonly LabelSelector[]): number[] {
  const seen = new Set<string>();
  return selectors.flatMap((selector, index) => {
    const text = formatSelector(selector);
    if (seen.has(text)) return [index];
    seen.add(text);
    return [];
  });
}
