// node echo_server.js NAME PORT ADDRESS...: a backend behind service IPs, until it gets SIGTERM. Echoes UDP datagrams
// followed by NAME, so that a client sees which node served it, and TCP streams as they are. Bound to each address, not to
// all, so that replies leave from the service IP; the host needs ip_nonlocal_bind for addresses that come later.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const [name = '', portText, ...addresses] = process.argv.slice(2);
const port = Number(portText);
const signature = Buffer.from(name);

async function serveUdp(address: string): Promise<() => void> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  // Without a callback an error goes to the event below.
  socket.on('message', (message, from) => socket.send([message, signature], from.port, from.address));
  // Such as "no route" while the host is unplugged: whoever asked gets no answer, the next one may.
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.bind(port, address, resolve));
  return () => socket.close();
}

async function serveTcp(address: string): Promise<() => void> {
  const server = createServer((connection) => {
    connection.on('error', () => connection.destroy());
    connection.pipe(connection);
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  return () => server.close();
}

const closers = await Promise.all(addresses.flatMap((address) => [serveUdp(address), serveTcp(address)]));
process.stdout.write('ready\n');
process.once('SIGTERM', () => {
  for (const close of closers) close();
});
