// The `ws` library as an echo server: node server.js DESCRIPTOR echo|speak plain|deflate
'use strict';
const http = require('http');
const { WebSocketServer } = require('ws');

const [descriptor, role, compression] = process.argv.slice(2);
const news = 'x'.repeat(1024);
const server = http.createServer();
const everybody = new WebSocketServer({
  server,
  maxPayload: 16 * 1024 * 1024,
  perMessageDeflate: compression === 'deflate',
});
const speak = () => everybody.clients.forEach((ws) => ws.send(news));
everybody.on('connection', (ws) => {
  ws.on('message', role === 'speak' ? speak : (data, isBinary) => ws.send(data, { binary: isBinary }));
});
server.listen({ fd: Number(descriptor) });
