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
  }[];
}

/**
 * Names and addresses that are given twice, and services on interfaces that the node does not use. `value` is the file as
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
  });
  return mistakes;
}

function repeated(names: readonly (string | null)[], path: Path): CrossMistake[] {
  return names.flatMap((name, index) => {
    const first = names.indexOf(name);
    return name === null || first === index
      ? []
      : [
          {
            path: [...path, index],
            message: `${JSON.stringify(name)} is already in this list`,
            first: [...path, first],
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
        name: typeof service.name === 'string' ? service.name : null,
        addresses: list(service.addresses).map((text) => (typeof text === 'string' ? addressOf(text) : null)),
        interfaces: texts(service.interfaces),
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
  return Array.isArray(value) ? value.map((item) => (typeof item === 'string' ? item : null)) : null;
}

function addressOrNull(text: string): Address | null {
  try {
    return parseAddress(text);
  } catch {
    return null;
  }
}
