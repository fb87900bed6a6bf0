// The CustomResourceDefinitions, under the names that MetalLB's users know.
import type * as z from 'zod';
import { type Json, type OpenApiSchema, openApiSchema } from './openapi.js';
import {
  advertisementSpecSchema,
  configurationStateSchema,
  poolSpecSchema,
  poolStatusSchema,
  serviceL2StatusSchema,
} from './schema.js';

export const GROUP = 'metallb.io';
export const VERSION = 'v1beta1';

interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'boolean' | 'integer' | 'date';
  readonly jsonPath: string;
  /** Above 0: shown with `-o wide` only. */
  readonly priority?: number;
}

interface Definition {
  readonly kind: string;
  readonly plural: string;
  readonly description: string;
  readonly columns: readonly PrinterColumn[];
  /** null: an object with nothing in it; absent: no such key. */
  readonly spec?: z.ZodType | null;
  readonly specRequired?: boolean;
  readonly status: z.ZodType | null;
  /** Written with its object, in one request. Default false: a subresource. */
  readonly statusInline?: boolean;
}

const DEFINITIONS: readonly Definition[] = [
  {
    kind: 'IPAddressPool',
    plural: 'ipaddresspools',
    description: 'Addresses that services of type LoadBalancer are given.',
    columns: [
      { name: 'Auto Assign', type: 'boolean', jsonPath: '.spec.autoAssign' },
      { name: 'Avoid Buggy IPs', type: 'boolean', jsonPath: '.spec.avoidBuggyIPs' },
      { name: 'Addresses', type: 'string', jsonPath: '.spec.addresses' },
    ],
    spec: poolSpecSchema,
    specRequired: true,
    status: poolStatusSchema,
  },
  {
    kind: 'L2Advertisement',
    plural: 'l2advertisements',
    description: 'Has the addresses of pools announced by ARP and NDP.',
    columns: [
      { name: 'IPAddressPools', type: 'string', jsonPath: '.spec.ipAddressPools' },
      { name: 'IPAddressPool Selectors', type: 'string', jsonPath: '.spec.ipAddressPoolSelectors' },
      { name: 'Interfaces', type: 'string', jsonPath: '.spec.interfaces' },
      { name: 'Node Selectors', type: 'string', jsonPath: '.spec.nodeSelectors', priority: 10 },
    ],
    spec: advertisementSpecSchema,
    status: null,
  },
  {
    kind: 'ServiceL2Status',
    plural: 'servicel2statuses',
    description: 'Says which node announces a service. Written by that node, never by people.',
    columns: [
      { name: 'Allocated Node', type: 'string', jsonPath: '.status.node' },
      { name: 'Service Name', type: 'string', jsonPath: '.status.serviceName' },
      { name: 'Service Namespace', type: 'string', jsonPath: '.status.serviceNamespace' },
    ],
    spec: null,
    status: serviceL2StatusSchema,
    // MetalLB has a subresource; two requests for each service in place of one. Speakers write either.
    statusInline: true,
  },
  {
    kind: 'ConfigurationState',
    plural: 'configurationstates',
    description: 'Says whether the configuration is valid, or what to change. Written by the controller.',
    columns: [
      { name: 'Result', type: 'string', jsonPath: '.status.result' },
      { name: 'ErrorSummary', type: 'string', jsonPath: '.status.errorSummary' },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
    status: configurationStateSchema,
  },
];

export interface CustomResourceDefinition {
  /** Such as metallb.io_ipaddresspools.yaml. */
  readonly fileName: string;
  readonly object: OpenApiSchema;
}

/** All of them, ready to be applied. */
export function customResourceDefinitions(): CustomResourceDefinition[] {
  return DEFINITIONS.map((definition) => ({
    fileName: `${GROUP}_${definition.plural}.yaml`,
    object: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${definition.plural}.${GROUP}` },
      spec: {
        group: GROUP,
        names: {
          kind: definition.kind,
          listKind: `${definition.kind}List`,
          plural: definition.plural,
          singular: definition.kind.toLowerCase(),
        },
        scope: 'Namespaced',
        versions: [versionOf(definition)],
      },
    },
  }));
}

function versionOf({
  description,
  columns,
  spec,
  specRequired = false,
  status,
  statusInline = false,
}: Definition): OpenApiSchema {
  const empty: OpenApiSchema = { type: 'object', description: 'Has no fields.' };
  const part = (schema: z.ZodType | null) => (schema === null ? empty : openApiSchema(schema));
  return {
    name: VERSION,
    served: true,
    storage: true,
    additionalPrinterColumns: columns.map((column) => ({ ...column })) as unknown as Json,
    ...(!statusInline && { subresources: { status: {} } }),
    schema: {
      openAPIV3Schema: {
        type: 'object',
        description,
        properties: {
          apiVersion: { type: 'string' },
          kind: { type: 'string' },
          metadata: { type: 'object' },
          ...(spec === undefined ? {} : { spec: part(spec) }),
          status: part(status),
        },
        ...(specRequired ? { required: ['spec'] } : {}),
      },
    },
  };
}
