// The messages that both sides know.
'use strict';
module.exports = () => {
  const sizes = [0, 1, 125, 126, 65535, 65536, 1000000, 10000000];
  const texts = sizes.slice(0, 7).map((size) => 'x'.repeat(size));
  const binaries = sizes.map((size) => Buffer.alloc(size, 7));
  return [...texts, ...binaries, '\u{1F44B} h\u00e9llo \u{1F468}\u200D\u{1F469}', 'a'.repeat(3) + '\u00e9'.repeat(50001)];
};
