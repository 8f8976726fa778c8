// Node's `ws` as an echo server, as its own documentation shows it: `node echo.js [CERTIFICATE]`, with TLS if there is
// one. Prints its port, and serves until it is killed.
'use strict';
const { readFileSync } = require('fs');
const { createServer } = require('https');
const { WebSocketServer } = require('ws');

const pem = process.argv[2] && readFileSync(process.argv[2]);
const secure = pem && createServer({ cert: pem, key: pem }).listen(0, '127.0.0.1');
const place = secure ? { server: secure } : { host: '127.0.0.1', port: 0 };
const server = new WebSocketServer({ ...place, maxPayload: 16 * 1024 * 1024, perMessageDeflate: true });
server.on('connection', (ws) => {
  ws.on('error', () => {}); // it has closed the connection by then
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});
server.on('listening', () => console.log(server.address().port));
