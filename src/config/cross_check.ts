import { type Address, parseAddress } from '../net/address.js';
import type { Path } from './problem.js';

/** A mistake that no single value shows. */
export interface CrossMistake {
  readonly path: Path;
  readonly message: string;
  /** Where the thing stands that it collides with; null: nowhere. */
  readonly first: Path | null;
}

/** The parts of the file that are compared; null where a value is not what it should be (and reported elsewhere). */
interface Outline {
  readonly interfaces: readonly (string | null)[] | null;
  readonly services: readonly {
    readonly name: string | null;
    readonly addresses: readonly (Address | null)[];
    readonly interfaces: readonly (string | null)[] | null;
    readonly nodes: readonly (string | null)[] | null;
    /** Names of the preferred nodes. */
    readonly prefer: readonly (string | null)[];
  }[];
}

/**
 * Names and addresses that are given twice, services on interfaces that the node does not use, and preferred nodes that
 * may not own the service. `value` is the file as
 * plain data, valid or not: one wrong address must not hide another one that is there twice. `canonical`: each text in the
 * place of an address is one.
 */
export function crossMistakes(value: unknown, canonical: boolean): CrossMistake[] {
  const { interfaces, services } = outline(value, canonical ? (text) => text as Address : addressOrNull);
  const mistakes = [...repeated(interfaces ?? [], ['interfaces'])];
  const names = new Map<string, Path>();
  const addresses = new Map<Address, { path: Path; service: string | null }>();
  services.forEach((service, index) => {
    const path = ['services', index];
    if (service.name !== null) {
      const first = names.get(service.name);
      if (first)
        mistakes.push({
          path: [...path, 'name'],
          message: `${JSON.stringify(service.name)} is already the name of a service`,
          first,
        });
      else names.set(service.name, [...path, 'name']);
    }
    service.addresses.forEach((address, position) => {
      if (address === null) return;
      const here = [...path, 'addresses', position];
      const first = addresses.get(address);
      if (first)
        mistakes.push({
          path: here,
          message: `${address} is already an address of ${first.service === null ? 'a service' : `service ${JSON.stringify(first.service)}`}; an address belongs to one service`,
          first: first.path,
        });
      else addresses.set(address, { path: here, service: service.name });
    });
    mistakes.push(...repeated(service.interfaces ?? [], [...path, 'interfaces']));
    service.interfaces?.forEach((name, position) => {
      if (name !== null && interfaces && !interfaces.includes(name))
        mistakes.push({
          path: [...path, 'interfaces', position],
          message: `${JSON.stringify(name)} is not among the interfaces of this node; add it there, or leave it out here`,
          first: ['interfaces'],
        });
    });
    mistakes.push(...repeated(service.nodes ?? [], [...path, 'nodes']));
    mistakes.push(...repeated(service.prefer, [...path, 'prefer'], 'node'));
    service.prefer.forEach((node, position) => {
      if (node !== null && service.nodes && !service.nodes.includes(node))
        mistakes.push({
          path: [...path, 'prefer', position, 'node'],
          message: `${JSON.stringify(node)} is not among the nodes of this service; add it there, or leave it out here`,
          first: [...path, 'nodes'],
        });
    });
  });
  return mistakes;
}

/** `key`: of the mapping that holds the name, where the list is not one of names. */
function repeated(names: readonly (string | null)[], path: Path, ...key: readonly string[]): CrossMistake[] {
  return names.flatMap((name, index) => {
    const first = names.indexOf(name);
    return name === null || first === index
      ? []
      : [
          {
            path: [...path, index, ...key],
            message: `${JSON.stringify(name)} is already in this list`,
            first: [...path, first, ...key],
          },
        ];
  });
}

function outline(value: unknown, addressOf: (text: string) => Address | null): Outline {
  const root = mapping(value);
  return {
    interfaces: texts(root.interfaces),
    services: list(root.services).map((item) => {
      const service = mapping(item);
      return {
        name: textOrNull(service.name),
        addresses: list(service.addresses).map((text) => (typeof text === 'string' ? addressOf(text) : null)),
        interfaces: texts(service.interfaces),
        nodes: texts(service.nodes),
        prefer: list(service.prefer).map((item) => textOrNull(mapping(item).node)),
      };
    }),
  };
}

function mapping(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function texts(value: unknown): (string | null)[] | null {
  return Array.isArray(value) ? value.map(textOrNull) : null;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function addressOrNull(text: string): Address | null {
  try {
    return parseAddress(text);
  } catch {
    return null;
  }
}
