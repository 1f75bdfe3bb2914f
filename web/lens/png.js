// A 16-bit grey PNG, which no canvas writes.

const CRC = new Uint32Array(256).map((_, n) => {
  let c = n;
  for (let k = 0; k < 8; k += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** @param {string} kind @param {Uint8Array} content */
function chunk(kind, content) {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  for (let i = 0; i < 4; i += 1) bytes[4 + i] = kind.charCodeAt(i);
  bytes.set(content, 8);
  let crc = 0xffffffff;
  for (let i = 4; i < bytes.length - 4; i += 1) crc = CRC[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  view.setUint32(bytes.length - 4, (crc ^ 0xffffffff) >>> 0);
  return bytes;
}

/** @param {Float32Array} values 0..1, row by row @param {number} width @param {number} height @returns {Promise<Blob>} */
export async function grey16(values, width, height) {
  const lines = new DataView(new ArrayBuffer(height * (1 + 2 * width)));
  for (let y = 0, to = 0; y < height; y += 1) {
    to += 1; // filter 0
    for (let x = 0; x < width; x += 1, to += 2) lines.setUint16(to, Math.round(65535 * Math.min(Math.max(values[y * width + x], 0), 1)));
  }
  const stream = new Blob([lines.buffer]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(stream).arrayBuffer());
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 16); // bits; grey, deflate, no interlace are all 0
  const signature = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]);
  return new Blob([signature, chunk("IHDR", new Uint8Array(header.buffer)), chunk("IDAT", data), chunk("IEND", new Uint8Array(0))], { type: "image/png" });
}
