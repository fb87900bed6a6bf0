import * as z from 'zod';
import { type Address, AddressError, familyOf, parseAddress } from '../net/address.js';
import { isLoopbackAddress, unusableReason } from '../net/service_address.js';
import { choice, mustBe, text, wholeNumber } from './field.js';
import { heartbeatSchema } from './heartbeat_schema.js';
import { MAX_INTERFACES } from './interfaces.js';

/** A node name longer than this would not fit Kubernetes either (RFC 1123 subdomain). */
const MAX_NAME_LENGTH = 253;
/** IFNAMSIZ - 1. */
const MAX_INTERFACE_NAME_BYTES = 15;
/** sizeof(sockaddr_un.sun_path) - 1. */
const MAX_SOCKET_PATH_BYTES = 107;

function nodeName(name: string): string {
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name) || name.length > MAX_NAME_LENGTH)
    throw new Error(
      `${JSON.stringify(name)} cannot be a node name: use letters, digits, "-", "." and "_", beginning and ending with a letter or digit, at most ${MAX_NAME_LENGTH}`,
    );
  return name;
}

function clusterName(name: string): string {
  if (!/^[^\s\p{C}]+$/u.test(name) || Buffer.byteLength(name) > MAX_NAME_LENGTH)
    throw new Error(
      `${JSON.stringify(name)} cannot be the name of a cluster: use 1 to ${MAX_NAME_LENGTH} characters, no spaces and no control characters`,
    );
  return name;
}

function serviceName(name: string): string {
  if (!/^[^\s\p{C}]+$/u.test(name) || name.length > MAX_NAME_LENGTH)
    throw new Error(
      `${JSON.stringify(name)} cannot be a service name: use 1 to ${MAX_NAME_LENGTH} characters, no spaces and no control characters`,
    );
  return name;
}

function interfaceName(name: string): string {
  if (!/^[^\s/:\p{C}]+$/u.test(name) || name === '.' || name === '..')
    throw new Error(`${JSON.stringify(name)} cannot be the name of an interface`);
  if (Buffer.byteLength(name) > MAX_INTERFACE_NAME_BYTES)
    throw new Error(
      `${JSON.stringify(name)} cannot be the name of an interface: it is longer than ${MAX_INTERFACE_NAME_BYTES} bytes`,
    );
  return name;
}

function serviceAddress(input: string): Address {
  const address = parseAddress(input);
  const reason = unusableReason(address);
  if (reason) throw new AddressError(`${address} ${reason}`);
  return address;
}

function socketPath(path: string): string {
  if (!path.startsWith('/') || path.endsWith('/') || path.includes('\0'))
    throw new Error(
      `${JSON.stringify(path)} must be the absolute path of a socket, such as /run/arpeggio/arpeggio.sock`,
    );
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
    throw new Error(`the path of a unix socket has at most ${MAX_SOCKET_PATH_BYTES} bytes, this one is longer`);
  return path;
}

function listenAddress(input: string): { host: Address; port: number } {
  const match = /^(?:\[(?<six>[^\]]*)\]|(?<four>[^:]*)):(?<port>\d{1,5})$/.exec(input);
  if (!match?.groups)
    throw new Error(`${JSON.stringify(input)} must be ADDRESS:PORT, such as 127.0.0.1:7472 or "[::1]:7472"`);
  const host = parseAddress(match.groups.six ?? match.groups.four ?? '');
  const bracketed = match.groups.six !== undefined;
  if (bracketed !== (familyOf(host) === 'ipv6'))
    throw new Error(
      `${JSON.stringify(input)} must be ADDRESS:PORT, with brackets around an IPv6 address and around no other`,
    );
  if (!isLoopbackAddress(host))
    throw new Error(
      `${host} is not a loopback address; the status is for this node alone, so listen on 127.0.0.1 or [::1]`,
    );
  const port = Number(match.groups.port);
  if (port < 1 || port > 65535) throw new Error(`a port is 1 to 65535, not ${port}`);
  return { host, port };
}

function interfaceList() {
  return z
    .array(text('the name of an interface', interfaceName), { error: mustBe('a list of interface names') })
    .min(1, { error: 'names no interface; list at least one, or leave the key out for all of them' })
    .max(MAX_INTERFACES, { error: `names more than ${MAX_INTERFACES} interfaces, the most that one node can use` });
}

const preference = z.strictObject(
  {
    node: text('the name of a node', nodeName).meta({ description: 'Name of the node.', example: 'host-a' }),
    weight: wholeNumber(1, 100).meta({ description: '1 to 100.', example: 100 }),
  },
  { error: mustBe('a node with its weight') },
);

const service = z
  .strictObject(
    {
      name: text('the name of the service', serviceName).meta({
        description: 'Name for people, shown by `arpeggio status`. Each service has its own.',
        example: 'web',
      }),
      addresses: z
        .array(text('an IP address', serviceAddress), { error: mustBe('a list of IP addresses') })
        .min(1, { error: 'lists no address; give at least one' })
        .meta({
          description:
            'The service IPs, IPv4 and IPv6, without a prefix length. Each address belongs to one service. Put quotes around IPv6.',
          example: ['192.0.2.10', '2001:db8::10'],
        }),
      interfaces: interfaceList()
        .optional()
        .meta({
          description: 'Where this service is announced, if not on all interfaces of the node.',
          example: ['eth0'],
        }),
      nodes: z
        .array(text('the name of a node', nodeName), { error: mustBe('a list of node names') })
        .min(1, { error: 'names no node; list at least one, or leave the key out for all of them' })
        .optional()
        .meta({
          description: 'Nodes that may own the addresses, if not all. The file may be the same on every node.',
          example: ['host-a', 'host-b'],
        }),
      prefer: z
        .array(preference, { error: mustBe('a list of nodes with weights') })
        .optional()
        .meta({
          description:
            'Where the addresses go when nobody owns them: to the node of the greatest weight among those that can. Who owns an address keeps it.',
        }),
    },
    { error: mustBe('a service with name and addresses') },
  )
  .meta({ title: 'service' });

/** The configuration file. What it accepts, what the types are and what the reference says all come from here. */
export const configSchema = z.strictObject(
  {
    node: text('the name of this node', nodeName).optional().meta({
      description: 'Name of this node. Default: the hostname.',
      example: 'host-a',
    }),
    cluster: text('the name of the cluster', clusterName).prefault('arpeggio').meta({
      description: 'Nodes of one cluster share the service IPs of a segment; those of another are not heard.',
      example: 'arpeggio',
    }),
    interfaces: interfaceList()
      .optional()
      .meta({
        description:
          'Interfaces on which service IPs are answered and announced. Default: every eligible Ethernet interface: not a member of a bond, bridge or team (name their master), with ARP, and not of a kind that containers use (`docker*`, `veth*`, `cali*`, ...).',
        example: ['eth0'],
      }),
    serve: choice(['loopback', 'none']).default('loopback').meta({
      description:
        '`loopback`: the service IPs are put on `lo` of this node, and ARP is set so that the kernel does not answer for them. `none`: addresses are left alone; something else (kube-proxy, DNAT, your own set-up) makes the node accept the packets.',
      example: 'loopback',
    }),
    probing: choice(['fast', 'rfc5227', 'none']).default('fast').meta({
      description:
        'How an address is checked for another user at its first claim. `fast`: probes for about 120 ms, then answers, and goes on probing for 7 s. `rfc5227`: the full timing of RFC 5227, 5 to 9 s before the first answer. `none`: no check.',
      example: 'fast',
    }),
    heartbeat: heartbeatSchema.prefault({}).meta({
      description: 'How the nodes of a segment notice that one of them is gone.',
    }),
    services: z.array(service, { error: mustBe('a list of services (write [] for none)') }).meta({
      description: 'The services and their addresses. `[]`: none for now.',
    }),
    status: z
      .strictObject(
        {
          socket: text('the path of a unix socket', socketPath).prefault('/run/arpeggio/arpeggio.sock').meta({
            description: 'Unix socket where `arpeggio status` asks this speaker.',
            example: '/run/arpeggio/arpeggio.sock',
          }),
          listen: text('ADDRESS:PORT of a loopback address, or null', listenAddress).nullable().prefault(null).meta({
            description: 'Loopback address and port of an HTTP listener for the same status. `null`: none.',
            example: '127.0.0.1:7472',
          }),
        },
        { error: mustBe('a mapping with socket and listen') },
      )
      .prefault({})
      .meta({ description: 'Where the state of this speaker can be read.' }),
  },
  { error: mustBe('a mapping with the key services') },
);

/** The file as it was written, each value checked and put into canonical form. */
export type ParsedFile = z.output<typeof configSchema>;

/** The part of JSON Schema that the file needs. */
export interface FileSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  /** Our own key: zod drops `examples` where a text is transformed. */
  readonly example?: unknown;
  readonly anyOf?: readonly FileSchema[];
  readonly properties?: Readonly<Record<string, FileSchema>>;
  readonly required?: readonly string[];
  readonly items?: FileSchema;
}

/** The schema as JSON Schema, of what a file may contain. */
export function fileSchema(): FileSchema {
  return z.toJSONSchema(configSchema, { io: 'input' }) as FileSchema;
}
