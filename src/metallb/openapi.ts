// zod to what a CustomResourceDefinition takes: a structural schema of OpenAPI 3.0.
import * as z from 'zod';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type OpenApiSchema = { readonly [key: string]: Json };

/** Keys of JSON Schema that a structural schema must not have. */
const FOREIGN = new Set(['$schema', 'propertyNames', 'id', 'additionalItems', '~standard']);

/** What may be written (not what is read of it): a field with a default is optional. */
export function openApiSchema(schema: z.ZodType): OpenApiSchema {
  return structural(z.toJSONSchema(schema, { io: 'input' }) as OpenApiSchema);
}

/** These come first, in this order; what is inside comes last. */
const ORDER = ['type', 'description', 'format', 'enum', 'default', 'required'];
const LAST = ['items', 'additionalProperties', 'properties'];

function rank([key]: [string, Json]): number {
  const first = ORDER.indexOf(key);
  return first >= 0 ? first : ORDER.length + 1 + LAST.indexOf(key);
}

function structural(schema: OpenApiSchema): OpenApiSchema {
  const result: Record<string, Json> = {};
  for (const [key, value] of Object.entries(schema).sort((a, b) => rank(a) - rank(b))) {
    if (FOREIGN.has(key)) continue;
    // "Is a safe integer of JavaScript" is no limit of the field.
    if ((key === 'minimum' || key === 'maximum') && Math.abs(value as number) === Number.MAX_SAFE_INTEGER) continue;
    if (key === 'properties')
      result[key] = Object.fromEntries(
        Object.entries(value as OpenApiSchema).map(([name, property]) => [name, structural(property as OpenApiSchema)]),
      );
    else if ((key === 'items' || key === 'additionalProperties') && typeof value === 'object')
      result[key] = structural(value as OpenApiSchema);
    else result[key] = value;
  }
  return result;
}
