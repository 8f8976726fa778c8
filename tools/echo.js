// Node's `ws` as an echo server, as its own documentation shows it. Prints its port, and serves until it is killed.
'use strict';
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, maxPayload: 16 * 1024 * 1024, perMessageDeflate: true });
server.on('connection', (ws) => {
  ws.on('error', () => {}); // it has closed the connection by then
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});
server.on('listening', () => console.log(server.address().port));
