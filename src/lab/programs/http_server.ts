// node http_server.js NAME PORT: the web server of a pod, until it gets SIGTERM. Answers every request with its name and the
// address that the request came from.
import { createServer } from 'node:http';

const [name = '', port] = process.argv.slice(2);

const server = createServer((request, response) => {
  const from = request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  response.setHeader('connection', 'close');
  response.end(`${JSON.stringify({ pod: name, from })}\n`);
});
server.listen(Number(port), '::', () => process.stdout.write('ready\n'));
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
