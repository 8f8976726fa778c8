// A `ws` echo server: node server.js '{"options": {...}}'. Prints its port, then one JSON line for each event.
'use strict';
const { WebSocketServer } = require('ws');

const { options = {}, subprotocol = null, reject = null } = JSON.parse(process.argv[2]);
const say = (event) => process.stdout.write(JSON.stringify(event) + '\n');
const extra = { host: '127.0.0.1', port: 0, maxPayload: 20000000, ...options };
if (subprotocol) extra.handleProtocols = (offered) => (offered.has(subprotocol) ? subprotocol : false);
if (reject) extra.verifyClient = (info, done) => done(false, reject, 'no entry', { 'X-Why': 'closed' });
const server = new WebSocketServer(extra, () => say({ port: server.address().port }));
server.on('connection', (ws) => {
  ws.on('message', (data, isBinary) => {
    const text = isBinary ? '' : data.toString();
    if (text.startsWith('close ')) {
      const [, code, reason] = text.split(' ');
      ws.close(Number(code), reason);
    } else if (text === 'ping me') {
      ws.once('pong', (payload) => ws.send('pong ' + payload.toString()));
      ws.ping('node');
    } else if (text === 'fragments') {
      ws.send('a', { fin: false });
      ws.send('b', { fin: false });
      ws.send('c', { fin: true });
    } else if (text === 'terminate') {
      ws.terminate();
    } else {
      ws.send(data, { binary: isBinary });
    }
  });
  ws.on('close', (code, reason) => say({ event: 'close', code, reason: reason.toString() }));
  ws.on('error', (error) => say({ event: 'error', message: error.message }));
});
process.stdin.resume();
process.stdin.on('end', () => { // the process ends by itself when everybody has gone
  server.close();
  setTimeout(() => process.exit(1), 5000).unref();
});
