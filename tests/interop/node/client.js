// A `ws` client: node client.js <<< '{"url": ..., "sizes": [...], "goodbye": "close ..." or [code, reason]}'.
// It has every message echoed, and prints two JSON lines, for the opening and for the end, or one for a refusal.
'use strict';
const assert = require('assert');
const { once } = require('events');
const fs = require('fs');
const WebSocket = require('ws');
const messages = require('./messages.js');

const { url, subprotocols = [], options = {}, sizes, goodbye } = JSON.parse(fs.readFileSync(0));
const say = (event) => process.stdout.write(JSON.stringify(event) + '\n');
const ws = new WebSocket(url, subprotocols, options);

const sendParts = (data, ...borders) => {
  const binary = typeof data !== 'string';
  [...borders, data.length].forEach((end, index) => {
    ws.send(data.slice(borders[index - 1] || 0, end), { fin: end === data.length, binary });
  });
};
const receive = async () => {
  const [data, isBinary] = await once(ws, 'message');
  return isBinary ? data : data.toString();
};

const converse = async () => {
  for (const [index, message] of messages(sizes).entries()) {
    if (index % 2 && message.length > 2) sendParts(message, Math.floor(message.length / 2));
    else ws.send(message);
    const received = await receive();
    assert(received === message || Buffer.compare(received, message) === 0, `message ${index} came back changed`);
  }
  sendParts('fragments', 3, 6);
  assert.strictEqual(await receive(), 'abc');
  ws.ping('are you there?');
  assert.strictEqual((await once(ws, 'pong')).toString(), 'are you there?');
  ws.send('ping me');
  assert.strictEqual(await receive(), 'ponged');
};

ws.on('unexpected-response', async (request, response) => {
  const body = (await response.toArray()).join('');
  say({ status: response.statusCode, body });
  process.exit(0);
});
ws.on('open', async () => {
  say({ subprotocol: ws.protocol, extensions: ws.extensions });
  await converse();
  if (typeof goodbye === 'string') ws.send(goodbye);
  else ws.close(...goodbye);
});
ws.on('close', (code, reason) => say({ code, reason: reason.toString() }));
