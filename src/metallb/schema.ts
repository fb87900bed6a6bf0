// What an IPAddressPool and an L2Advertisement may say. Validation, the CRDs in deploy/base/crds and their descriptions all come
// from here; keys that begin with x-kubernetes- go into the CRDs as they are.
import * as z from 'zod';
import { addressRules, requirementRules, selectorListRules } from './cel.js';
import { parseRange, RangeSyntaxError } from './ranges.js';
import { repeatedSelectors, selectorMistakes } from './selector.js';
import type { ConfigurationReason, LabelSelector } from './types.js';

// Bounds are the API server's alone, which must know what a rule may cost at most; they stand in `meta`, so that what was written
// under MetalLB's own CRDs, which have none, is read all the same.
const MAX_RANGES = 1000;
const MAX_SELECTORS = 256;
const MAX_REQUIREMENTS = 64;
const MAX_VALUES = 1000;
/** A label with its prefix: 253 + "/" + 63. */
const MAX_LABEL_KEY = 317;
const MAX_LABEL_VALUE = 63;
/** Of a DNS subdomain, which names of objects are. */
const MAX_NAME = 253;
/** IFNAMSIZ - 1. */
const MAX_INTERFACE_NAME = 15;
/** "FIRST - LAST" in the longest form of IPv6. */
const MAX_RANGE_TEXT = 100;

const IS_SET = { 'x-kubernetes-list-type': 'set' };
const IS_ATOMIC_LIST = { 'x-kubernetes-list-type': 'atomic' };
const IS_ATOMIC_MAP = { 'x-kubernetes-map-type': 'atomic' };

/** `params` of an issue that carries a reason; see {@link reasonOf}. */
function issue(reason: ConfigurationReason, message: string, path: readonly PropertyKey[] = []) {
  return { code: 'custom' as const, message, path: [...path], params: { reason } };
}

const requirement = z
  .object({
    key: z
      .string({ error: 'a selector needs the name of a label' })
      .meta({ description: 'Name of the label.', maxLength: MAX_LABEL_KEY }),
    operator: z
      .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'], { error: 'must be In, NotIn, Exists or DoesNotExist' })
      .meta({ description: 'How the label is compared. NotIn also takes what has no such label.' }),
    values: z
      .array(z.string().meta({ maxLength: MAX_LABEL_VALUE }))
      .optional()
      .meta({
        description: 'For In and NotIn, at least one; for Exists and DoesNotExist, none.',
        maxItems: MAX_VALUES,
        ...IS_SET,
      }),
  })
  .meta({ description: 'A condition on one label.', 'x-kubernetes-validations': requirementRules() });

const labelSelector = z
  .object({
    matchLabels: z
      .record(z.string(), z.string())
      .optional()
      .meta({ description: 'Labels and the values they must have, all of them.' }),
    matchExpressions: z
      .array(requirement)
      .optional()
      .meta({
        description: 'Further conditions, all of which must hold.',
        maxItems: MAX_REQUIREMENTS,
        ...IS_ATOMIC_LIST,
      }),
  })
  .meta({ description: 'Takes what meets all of its conditions; empty, it takes everything.', ...IS_ATOMIC_MAP });

type LooseSelector = z.infer<typeof labelSelector>;

function selectors(description: string) {
  return z
    .array(labelSelector)
    .superRefine((list, context) => {
      const plain = list.map(toSelector);
      plain.forEach((selector, index) => {
        for (const { path, reason, message } of selectorMistakes(selector, true))
          context.addIssue(issue(reason, message, [index, ...path]));
      });
      for (const index of repeatedSelectors(plain))
        context.addIssue(issue('duplicate-selector', 'this selector stands in the list twice; write it once', [index]));
    })
    .optional()
    .meta({
      description,
      maxItems: MAX_SELECTORS,
      ...IS_ATOMIC_LIST,
      'x-kubernetes-validations': selectorListRules(),
    });
}

function nameList(description: string, reason: ConfigurationReason, what: string, maxLength: number) {
  return z
    .array(z.string().meta({ maxLength }))
    .superRefine((names, context) => {
      names.forEach((name, index) => {
        if (names.indexOf(name) !== index)
          context.addIssue(issue(reason, `${what} "${name}" stands here twice; write it once`, [index]));
      });
    })
    .optional()
    .meta({ description, ...IS_SET });
}

const addressRange = z
  .string()
  .superRefine((text, context) => {
    try {
      parseRange(text);
    } catch (error) {
      if (!(error instanceof RangeSyntaxError)) throw error;
      context.addIssue(issue(error.reason, error.message));
    }
  })
  .meta({
    description: 'A prefix such as 192.0.2.0/24, or FIRST-LAST such as 192.0.2.10-192.0.2.20; IPv4 or IPv6.',
    maxLength: MAX_RANGE_TEXT,
    'x-kubernetes-validations': addressRules(),
  });

const serviceAllocation = z
  .object({
    priority: z.int().optional().meta({
      description: 'Pools with a lower number are used first; those without one, or with 0, after all others.',
    }),
    namespaces: nameList(
      'Namespaces whose services may have addresses of this pool.',
      'duplicate-namespace',
      'namespace',
      MAX_NAME,
    ),
    namespaceSelectors: selectors(
      'The same by labels of the namespace; a namespace counts if it is named or selected.',
    ),
    serviceSelectors: selectors(
      'Services that may have addresses of this pool, by their labels: any selector suffices.',
    ),
  })
  .meta({ description: 'Who may have addresses of this pool. Without it: every service.' });

/** spec of an IPAddressPool. */
export const poolSpecSchema = z
  .object({
    addresses: z
      .array(addressRange, { error: 'a pool needs at least one range of addresses' })
      .min(1, { error: 'a pool needs at least one range of addresses' })
      .meta({
        description: 'Ranges of addresses that services are given. No two of them, in whatever pool, may overlap.',
        maxItems: MAX_RANGES,
        ...IS_ATOMIC_LIST,
      }),
    autoAssign: z
      .boolean()
      .default(true)
      .meta({ description: 'Whether services that ask neither for this pool nor for an address may have one of it.' }),
    avoidBuggyIPs: z
      .boolean()
      .default(false)
      .meta({ description: 'Leaves out IPv4 addresses that end in .0 and .255, which some old devices refuse.' }),
    serviceAllocation: serviceAllocation.optional(),
  })
  .meta({ description: 'What the pool offers, and to whom.' });

const count = (description: string) => z.int().min(0).meta({ description, format: 'int64' });

/** status of an IPAddressPool. */
export const poolStatusSchema = z
  .object({
    assignedIPv4: count('IPv4 addresses in use.'),
    assignedIPv6: count('IPv6 addresses in use.'),
    availableIPv4: count('IPv4 addresses free.'),
    availableIPv6: count('IPv6 addresses free; numbers above 2^53 are rounded, those above 2^63 cut.'),
  })
  .meta({ description: 'How much of the pool is in use.' });

const preferredNodeSelector = z
  .object({
    weight: z
      .int({ error: 'must be a whole number from 1 to 100' })
      .min(1, { error: 'must be a whole number from 1 to 100' })
      .max(100, { error: 'must be a whole number from 1 to 100' })
      .meta({ description: '1 to 100. Weights of all selectors that take a node are added up.', format: 'int32' }),
    preference: labelSelector
      .superRefine((selector, context) => {
        for (const { path, reason, message } of selectorMistakes(toSelector(selector), false))
          context.addIssue(issue(reason, message, path));
      })
      .meta({ description: 'The nodes that are preferred, by their labels.', ...IS_ATOMIC_MAP }),
  })
  .meta({ description: 'Nodes with a weight.' });

/** spec of an L2Advertisement. */
export const advertisementSpecSchema = z
  .object({
    ipAddressPools: nameList(
      'Pools whose addresses are announced, by name. Neither names nor selectors: all pools.',
      'duplicate-pool-reference',
      'pool',
      MAX_NAME,
    ),
    ipAddressPoolSelectors: selectors('The same by labels of the pool.'),
    nodeSelectors: selectors('Nodes that may announce, by their labels: any selector suffices. None: all nodes.'),
    preferredNodeSelectors: z
      .array(preferredNodeSelector)
      .optional()
      .meta({
        description: 'Of the nodes that may announce an address, the one with the greatest sum of weights is given it.',
        maxItems: MAX_SELECTORS,
        ...IS_ATOMIC_LIST,
      }),
    interfaces: z
      .array(z.string().min(1).meta({ maxLength: MAX_INTERFACE_NAME }))
      .optional()
      .meta({
        description: 'Interfaces on which is announced, by their exact names. None: all.',
        maxItems: MAX_SELECTORS,
        ...IS_SET,
      }),
    serviceSelectors: selectors('Services that are announced, by their labels: any selector suffices. None: all.'),
  })
  .meta({ description: 'Which addresses are announced, by which nodes, on which interfaces.' });

const IMMUTABLE = { 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'Value is immutable' }] };

/** status of a ServiceL2Status. */
export const serviceL2StatusSchema = z
  .object({
    node: z
      .string()
      .optional()
      .meta({ description: 'Node that announces the service.', ...IMMUTABLE }),
    serviceName: z
      .string()
      .optional()
      .meta({ description: 'Name of the service.', ...IMMUTABLE }),
    serviceNamespace: z
      .string()
      .optional()
      .meta({ description: 'Namespace of the service.', ...IMMUTABLE }),
    interfaces: z
      .array(
        z
          .object({ name: z.string().optional().meta({ description: 'Name of the interface.' }) })
          .meta({ description: 'An interface.' }),
      )
      .optional()
      .meta({ description: 'Interfaces on which it is announced.' }),
  })
  .meta({ description: 'What one node announces of one service.' });

const condition = z
  .object({
    type: z
      .string()
      .max(316)
      .regex(
        /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/,
      )
      .meta({ description: 'What is reported about.' }),
    status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether it is well.' }),
    observedGeneration: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'metadata.generation of what was looked at.', format: 'int64' }),
    lastTransitionTime: z.string().meta({ description: 'When the status last changed.', format: 'date-time' }),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .meta({ description: 'Why, as one word for programs.' }),
    message: z.string().max(32768).meta({ description: 'Why, for people.' }),
  })
  .meta({ description: 'One thing that is well or not.' });

/** status of a ConfigurationState. */
export const configurationStateSchema = z
  .object({
    result: z
      .enum(['Valid', 'Invalid', 'Unknown'])
      .optional()
      .meta({ description: 'Invalid: an earlier configuration, the last good one, is in force.' }),
    errorSummary: z.string().optional().meta({ description: 'What has to be changed; empty where nothing has.' }),
    conditions: z
      .array(condition)
      .optional()
      .meta({
        description: 'What each part of the component reports.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
      }),
  })
  .meta({ description: 'What a component makes of the configuration.' });

/** The selector without keys that are undefined. */
export function toSelector({ matchLabels, matchExpressions }: LooseSelector): LabelSelector {
  return {
    ...(matchLabels === undefined ? {} : { matchLabels }),
    ...(matchExpressions === undefined
      ? {}
      : {
          matchExpressions: matchExpressions.map(({ key, operator, values }) => ({
            key,
            operator,
            ...(values === undefined ? {} : { values }),
          })),
        }),
  };
}

/** The code of something that a schema above complains about. */
export function reasonOf(issue: z.core.$ZodIssue): ConfigurationReason {
  if (issue.code === 'custom' && issue.params !== undefined) return issue.params.reason as ConfigurationReason;
  const path = issue.path.map(String);
  const last = path.at(-1);
  if (path.length === 1 && last === 'addresses' && (issue.code !== 'invalid_type' || issue.input === undefined))
    return 'no-addresses';
  if (path.length > 1 && path[0] === 'addresses') return 'invalid-address';
  if (last === 'weight') return 'weight-out-of-range';
  if (path.includes('matchExpressions') || path.includes('matchLabels')) return 'invalid-selector';
  return 'wrong-field';
}
