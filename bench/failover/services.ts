/** What all systems serve: documentation addresses (RFC 5737, RFC 3849), one of each family a service. */
export interface Service {
  readonly name: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** As many as there are nodes, so that each can own one. The clients send to the first. */
export const SERVICES: readonly [Service, ...Service[]] = [
  { name: 'web', ipv4: '192.0.2.10', ipv6: '2001:db8::10' },
  { name: 'api', ipv4: '192.0.2.20', ipv6: '2001:db8::20' },
  { name: 'mail', ipv4: '192.0.2.30', ipv6: '2001:db8::30' },
];

export type AddressFamily = 'ipv4' | 'ipv6';

export const familyOf = (address: string): AddressFamily => (address.includes(':') ? 'ipv6' : 'ipv4');
