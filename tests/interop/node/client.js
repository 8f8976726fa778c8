// A `ws` client: node client.js '{"url": ..., "options": {...}, "steps": [...]}'. Prints one JSON line for each event.
'use strict';
const WebSocket = require('ws');

const { url, subprotocols = [], options = {}, close = null } = JSON.parse(process.argv[2]);
const say = (event) => process.stdout.write(JSON.stringify(event) + '\n');
const ws = new WebSocket(url, subprotocols, options);
const messages = require('./messages.js')();
let next = 0;

const sendNext = () => {
  const data = messages[next];
  if (data === undefined) {
    ws.ping('are you there?');
    return;
  }
  if (next % 2 && data.length > 2) { // every other one in two fragments
    const middle = Math.floor(data.length / 2);
    ws.send(data.slice(0, middle), { fin: false, binary: typeof data !== 'string' });
    ws.send(data.slice(middle), { fin: true, binary: typeof data !== 'string' });
  } else {
    ws.send(data);
  }
};

ws.on('open', () => {
  say({ event: 'open', protocol: ws.protocol, extensions: ws.extensions });
  sendNext();
});
ws.on('message', (data, isBinary) => {
  const sent = messages[next];
  const same = isBinary === (typeof sent !== 'string') && Buffer.from(sent).equals(data);
  say({ event: 'message', size: data.length, same });
  next += 1;
  sendNext();
});
ws.on('pong', (data) => {
  say({ event: 'pong', data: data.toString() });
  if (close) ws.close(close[0], close[1]);
  else ws.send('please close');
});
ws.on('unexpected-response', (request, response) => {
  say({ event: 'rejected', status: response.statusCode });
  process.exit(0);
});
ws.on('close', (code, reason) => say({ event: 'close', code, reason: reason.toString() }));
ws.on('error', (error) => say({ event: 'error', message: error.message }));
