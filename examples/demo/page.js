"use strict";

const PING_EVERY = 2000;
const MAX_SHOWN = 300; // messages kept on the page
const MAX_SAMPLES = 40;
const MAX_REPORTS = 6;
const MAX_FILE = 1024 * 1024;
const MAX_BACKOFF = 15000;
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);

const $ = (id) => document.getElementById(id);
const encoder = new TextEncoder();
const samples = [];
let socket = null;
let traffic = null;
let attempt = 0;
let retryAt = 0;
let retryTimer = 0;
let pingSentAt = null;
let announced = null; // the file whose content is the next binary message
let lastReport = null;
let lastTop = 0;
let following = true; // whether the reader is at the end of the messages, and not further up
let myName = recall("name", () => `${pick("Calm Brave Quiet Swift Merry Bright Gentle")} ${pick("Otter Heron Fox Lynx Wren Badger Finch")}`);
// Known to the server only: by it the server finds the report of our previous connection.
const visitor = recall("visitor", () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join(""));

// --- the connection --------------------------------------------------------------------------------------------------

function connect() {
  clearTimeout(retryTimer);
  traffic = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
  showState("connecting");
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/chat`);
  socket.binaryType = "arraybuffer";
  socket.onopen = opened;
  socket.onmessage = ({ data }) => received(data);
  socket.onclose = closed;
}

function opened() {
  showState("open");
  $("extensions").textContent = socket.extensions.split(";")[0] || "none";
  send({ type: "hello", name: myName, visitor });
}

function closed(event) {
  const wasOpen = document.body.dataset.state === "open";
  pingSentAt = announced = null;
  if (wasOpen) lastReport = addReport(event);
  // Exponential backoff with jitter: a thousand tabs of a restarted server do not return in one wave.
  const wait = 250 + Math.random() * Math.min(MAX_BACKOFF, 500 * 2 ** attempt++);
  retryAt = Date.now() + wait;
  retryTimer = setTimeout(connect, wait);
  showState("waiting");
}

function send(message) {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  const data = message instanceof ArrayBuffer ? message : JSON.stringify(message);
  socket.send(data);
  traffic.messagesOut += 1;
  traffic.bytesOut += size(data);
  showTraffic();
  return true;
}

function received(data) {
  traffic.messagesIn += 1;
  traffic.bytesIn += size(data);
  showTraffic();
  if (data instanceof ArrayBuffer) {
    if (announced) addFile(announced, data);
    announced = null;
    return;
  }
  const message = JSON.parse(data);
  handlers[message.type]?.(message);
}

const handlers = {
  welcome({ history, previous }) {
    attempt = 0;
    setTimeout(ping, 250);
    showPrevious(previous);
    replay(history);
  },
  named({ name }) {
    myName = name;
    sessionStorage.setItem("name", name);
    if (document.activeElement !== $("name")) $("name").value = name;
  },
  notice({ text, people }) {
    add("notice", text);
    showPeople(people);
  },
  say: (message) => addText(message),
  file: (message) => { announced = message; },
  error: ({ text }) => showProblem(text),
  pong({ traffic: wire, latency }) {
    if (pingSentAt !== null) showLatency(performance.now() - pingSentAt);
    pingSentAt = null;
    if (latency) $("round-trip").textContent = milliseconds(latency.last * 1000);
    if (latency) $("round-trip").title = `median ${milliseconds(latency.p50 * 1000)}, p99 ${milliseconds(latency.p99 * 1000)}`;
    // What the server received is what we sent.
    $("wire-out").textContent = bytes(wire.bytes_received);
    $("wire-in").textContent = bytes(wire.bytes_sent);
  },
};

function ping() {
  if (pingSentAt !== null) return;
  pingSentAt = performance.now();
  if (!send({ type: "ping" })) pingSentAt = null;
}

async function share(file) {
  if (file.size > MAX_FILE) return showProblem(`${file.name} has ${bytes(file.size)}; at most 1 MiB can be shared.`);
  if (file.size === 0) return showProblem(`${file.name} is empty, or a folder.`);
  const content = await file.arrayBuffer();
  if (!send({ type: "file", name: file.name, media: file.type })) return showProblem("Not connected: nothing was sent.");
  send(content);
}

// --- what is said ----------------------------------------------------------------------------------------------------

function addText({ by, text, at }) {
  const bubble = element("div", "bubble", text);
  const item = addMessage(by, at, bubble);
  item.classList.toggle("emoji", /^(?:\p{Extended_Pictographic}|\p{Emoji_Component}|\s){1,12}$/u.test(text) && !/\d/.test(text));
}

function addFile({ by, name, media, size: length, at }, content) {
  const stick = by === myName || following;
  const bubble = element("div", "bubble");
  const label = `${name} · ${bytes(length)}`;
  if (content === null) {
    bubble.append(element("span", "quiet", `${label}, shared before you came`));
  } else {
    const picture = PICTURES.has(media);
    const link = element("a", picture ? "caption" : "", label);
    link.href = URL.createObjectURL(new Blob([content], { type: picture ? media : "application/octet-stream" }));
    link.download = name;
    if (picture) {
      const image = element("img");
      image.alt = name;
      image.onload = () => stickToEnd(stick);
      image.src = link.href;
      bubble.classList.add("picture");
      bubble.append(image);
    }
    bubble.append(link);
  }
  addMessage(by, at, bubble);
}

function addMessage(by, at, bubble) {
  const previous = $("messages").lastElementChild;
  const time = new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const item = element("li", "message");
  const header = element("header");
  header.append(element("b", "", by), element("time", "", time));
  Object.assign(item.dataset, { by, at });
  item.append(face(by), header, bubble);
  item.classList.toggle("mine", by === myName);
  item.classList.toggle("more", previous?.dataset.by === by);
  return append(item, by === myName);
}

const add = (kind, text) => append(element("li", kind, text), false);

function append(item, follow) {
  const list = $("messages");
  const stick = follow || following;
  list.append(item);
  while (list.children.length > MAX_SHOWN) remove(list.firstElementChild);
  stickToEnd(stick);
  return item;
}

const stickToEnd = (wanted) => wanted && $("messages").scrollTo(0, $("messages").scrollHeight);

function remove(item) {
  for (const link of item.querySelectorAll("a")) URL.revokeObjectURL(link.href);
  item.remove();
}

/** Show the history. After a reconnection it comes again, but without the files: those are still on the page. */
function replay(history) {
  const files = new Map();
  for (const item of [...$("messages").children]) {
    if (item.querySelector("a")) files.set(Number(item.dataset.at), item);
    item.remove();
  }
  for (const message of history) {
    if (files.has(message.at)) append(files.get(message.at), true);
    else if (message.type === "file") addFile(message, null);
    else addText(message);
    files.delete(message.at);
  }
  files.forEach(remove);
}

function showPeople(people) {
  $("people-count").textContent = people.length;
  $("people").replaceChildren(...people.map((name) => {
    const item = element("li", name === myName ? "me" : "");
    item.append(face(name), element("span", "", name));
    return item;
  }));
}

function face(name) {
  const circle = element("i", "face", [...name][0].toUpperCase());
  circle.setAttribute("aria-hidden", "true");
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) % 100003;
  circle.style.setProperty("--hue", (hash * 137) % 360);
  return circle;
}

// --- the panel -------------------------------------------------------------------------------------------------------

function showState(state) {
  document.body.dataset.state = state;
  $("state").textContent = { connecting: "connecting", open: "open", waiting: "reconnecting" }[state];
  $("send").disabled = state !== "open";
  for (const button of document.querySelectorAll("[data-close], [data-drop], .close-form button")) button.disabled = state !== "open";
  if (state !== "open") $("pill-latency").textContent = "";
  showOffline();
}

function showOffline() {
  $("offline").hidden = document.body.dataset.state !== "waiting";
  const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const text = `Not connected. Trying again ${seconds > 1 ? `in ${seconds} seconds` : "now"}${attempt > 1 ? ` (attempt ${attempt})` : ""}.`;
  if ($("offline-text").textContent !== text) $("offline-text").textContent = text;
}

function showLatency(sample) {
  samples.push(sample);
  if (samples.length > MAX_SAMPLES) samples.shift();
  $("latency").textContent = $("pill-latency").textContent = milliseconds(sample);
  const top = Math.max(2, ...samples) * 1.15;
  const points = samples.map((value, index) => {
    const x = 180 - (samples.length - 1 - index) * (180 / (MAX_SAMPLES - 1));
    return [x.toFixed(1), (43 - (value / top) * 41).toFixed(1)];
  });
  const line = `M${points.map((point) => point.join(" ")).join("L")}`;
  $("sparkline").querySelector(".line").setAttribute("d", line);
  $("sparkline").querySelector(".area").setAttribute("d", `${line}L180 44L${points[0][0]} 44Z`);
  const worst = milliseconds(Math.max(...samples));
  $("sparkline").setAttribute("aria-label", `Latency of the last ${samples.length} pings: now ${milliseconds(sample)}, at most ${worst}`);
}

function showTraffic() {
  $("messages-in").textContent = traffic.messagesIn;
  $("messages-out").textContent = traffic.messagesOut;
  $("bytes-in").textContent = bytes(traffic.bytesIn);
  $("bytes-out").textContent = bytes(traffic.bytesOut);
}

function addReport(event) {
  const report = element("li");
  const header = element("header");
  header.append(element("span", "", event ? "Connection ended" : "Before this page was loaded"), element("time", "", event ? new Date().toLocaleTimeString() : ""));
  const facts = element("dl");
  if (event) {
    facts.append(element("dt", "", "Browser"), element("dd", event.wasClean ? "" : "unclean", `${event.code}${event.reason ? ` “${event.reason}”` : ""}, ${event.wasClean ? "clean" : "not clean"}`));
  }
  facts.append(element("dt", "", "Server"), element("dd", "server quiet", "tells when we are back"));
  report.append(header, facts);
  $("reports").prepend(report);
  while ($("reports").children.length > MAX_REPORTS) $("reports").lastElementChild.remove();
  return report;
}

function showPrevious(sentence) {
  if (sentence && !lastReport && !$("reports").firstChild) lastReport = addReport(null);
  const line = lastReport?.querySelector(".server");
  if (line) {
    line.textContent = sentence ?? "does not remember";
    line.classList.toggle("quiet", !sentence);
  }
  lastReport = null;
}

function showProblem(text) {
  $("problem").textContent = text;
  clearTimeout(showProblem.timer);
  showProblem.timer = setTimeout(() => { $("problem").textContent = ""; }, 6000);
}

// --- hands -----------------------------------------------------------------------------------------------------------

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text && send({ type: "say", text })) $("text").value = "";
});
$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});
$("name-form").addEventListener("submit", (event) => { event.preventDefault(); $("text").focus(); });
$("name").addEventListener("change", () => {
  const name = $("name").value.trim();
  if (!name) $("name").value = myName;
  else if (name !== myName && !send({ type: "hello", name, visitor })) sessionStorage.setItem("name", (myName = name));
});
$("file").addEventListener("change", ({ target }) => {
  for (const file of target.files) share(file);
  target.value = "";
});
$("text").addEventListener("paste", ({ clipboardData }) => { for (const file of clipboardData.files) share(file); });
$("retry").addEventListener("click", connect);
$("pill").addEventListener("click", () => {
  const open = document.body.dataset.panel !== "open";
  document.body.dataset.panel = open ? "open" : "";
  $("pill").setAttribute("aria-expanded", open);
});
const narrow = matchMedia("(max-width: 780px)"); // as in page.css: elsewhere the panel is always there
narrow.addEventListener("change", () => { $("pill").disabled = !narrow.matches; });
$("pill").disabled = !narrow.matches;
for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => send({ type: "close", code: Number(button.dataset.close), reason: button.dataset.reason }));
}
document.querySelector("[data-drop]").addEventListener("click", () => send({ type: "drop" }));
$("close-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = Number($("close-code").value);
  const reason = $("close-reason").value;
  if (event.submitter?.value !== "browser") return send({ type: "close", code, reason });
  try {
    socket.close(code, reason);
  } catch (error) {
    showProblem(error.message);
  }
});

$("messages").addEventListener("scroll", ({ target }) => {
  const isAtEnd = target.scrollHeight - target.scrollTop - target.clientHeight < 80;
  // Only the reader's hand leads up and away; a narrower window, say, does not.
  following = isAtEnd || (following && target.scrollTop >= lastTop);
  lastTop = target.scrollTop;
});
new ResizeObserver(() => stickToEnd(following)).observe($("messages"));
addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  $("drop").hidden = false;
});
addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").hidden = true; });
addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").hidden = true;
  for (const file of event.dataTransfer.files) share(file);
});
addEventListener("online", () => document.body.dataset.state === "waiting" && connect());

// --- small things ----------------------------------------------------------------------------------------------------

function element(tag, kind = "", text = "") {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (text !== "") made.textContent = text;
  return made;
}

function recall(key, invent) {
  const value = sessionStorage.getItem(key) ?? invent();
  sessionStorage.setItem(key, value);
  return value;
}

function pick(words) {
  const choices = words.split(" ");
  return choices[Math.floor(Math.random() * choices.length)];
}

function bytes(count) {
  if (count < 1024) return `${count} B`;
  return count < 1024 * 1024 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1024 / 1024).toFixed(2)} MiB`;
}

const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
const size = (data) => (data instanceof ArrayBuffer ? data.byteLength : encoder.encode(data).length);

$("name").value = myName;
setInterval(ping, PING_EVERY);
setInterval(showOffline, 500);
connect();
