// The messages of a client: a text and a binary one of each size, and texts with several bytes a character.
'use strict';
module.exports = (sizes) => [
  '\u{1F44B} h\u00e9llo \u{1F468}\u200D\u{1F469} \0',
  'aaa' + '\u00e9'.repeat(50001),
  ...sizes.map((size) => 'x'.repeat(size)),
  ...sizes.map((size) => Buffer.alloc(size, 7)),
];
