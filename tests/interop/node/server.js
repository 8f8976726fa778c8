// A `ws` server: node server.js '{"options": {...}, "papers": {"cert": ..., "key": ...}, "refusal": {...}}'.
// It echoes, and does what some messages ask for. Prints its port, then one JSON line for each connection that ended.
'use strict';
const http = require('http');
const https = require('https');
const { WebSocketServer } = require('ws');

const { options, papers, refusal } = JSON.parse(process.argv[2]);
const say = (event) => process.stdout.write(JSON.stringify(event) + '\n');
const server = papers ? https.createServer(papers) : http.createServer();
const sockets = new WebSocketServer({
  server,
  handleProtocols: (offered) => (offered.has('chat') ? 'chat' : false),
  verifyClient: (info, done) => {
    const isRefused = info.req.url === '/refuse' || info.origin === refusal.origin;
    done(!isRefused, 403, refusal.body, { 'X-Why': 'closed' });
  },
  ...options,
});

const answer = (ws, text) => {
  if (text === 'ping me') {
    ws.once('pong', () => ws.send('ponged'));
    ws.ping('node');
  } else if (text === 'fragments') {
    ws.send('a', { fin: false });
    ws.send('b', { fin: false });
    ws.send('c', { fin: true });
  } else if (text === 'abort') {
    ws.terminate();
  } else if (text.startsWith('close ')) {
    const [, code, reason] = text.split(' ');
    ws.close(Number(code), reason);
  } else {
    ws.send(text);
  }
};
sockets.on('connection', (ws) => {
  ws.on('message', (data, isBinary) => (isBinary ? ws.send(data) : answer(ws, data.toString())));
  ws.on('close', (code, reason) => say({ code, reason: reason.toString() }));
});
server.listen(0, '127.0.0.1', () => say({ port: server.address().port }));
process.stdin.resume();
process.stdin.on('end', () => { // the process ends by itself when everybody has gone
  server.close();
  setTimeout(() => process.exit(1), 5000).unref();
});
