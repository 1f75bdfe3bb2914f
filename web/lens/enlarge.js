// Maps of the tower's grid to pixels, as the nodes do it: bicubic (a = -0.75, pixel centres), kept within the map's range.

const A = -0.75;

/** @param {number} t distance, 0..2 */
const kernel = (t) => (t <= 1 ? ((A + 2) * t - (A + 3)) * t * t + 1 : ((A * t - 5 * A) * t + 8 * A) * t - 4 * A);

/**
 * For each of `to` places, four source places and their weights.
 * @param {number} from @param {number} to
 */
function taps(from, to) {
  const places = new Int32Array(4 * to);
  const weights = new Float32Array(4 * to);
  for (let i = 0; i < to; i += 1) tapsAt(((i + 0.5) * from) / to - 0.5, from, places, weights, 4 * i);
  return { places, weights };
}

/** @param {number} at @param {number} from @param {Int32Array} places @param {Float32Array} weights @param {number} offset */
function tapsAt(at, from, places, weights, offset) {
  const base = Math.floor(at);
  for (let k = 0; k < 4; k += 1) {
    const place = base - 1 + k;
    places[offset + k] = Math.min(Math.max(place, 0), from - 1);
    weights[offset + k] = kernel(Math.abs(at - place));
  }
}

/** @param {ArrayLike<number>} values */
export function range(values) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i += 1) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return { low, high };
}

/**
 * @template {Uint8ClampedArray | Float32Array} T
 * @param {Uint8Array} levels `width x height`, row by row
 * @param {number} width @param {number} height
 * @param {number} toWidth @param {number} toHeight
 * @param {T} out what it is written to, `toWidth x toHeight`
 * @returns {T}
 */
export function enlarge(levels, width, height, toWidth, toHeight, out) {
  const { low, high } = range(levels);
  const across = taps(width, toWidth);
  const down = taps(height, toHeight);
  const rows = new Float32Array(height * toWidth);
  for (let y = 0; y < height; y += 1) {
    const from = y * width;
    for (let x = 0; x < toWidth; x += 1) {
      let sum = 0;
      for (let k = 4 * x; k < 4 * x + 4; k += 1) sum += levels[from + across.places[k]] * across.weights[k];
      rows[y * toWidth + x] = sum;
    }
  }
  for (let y = 0; y < toHeight; y += 1) {
    const k = 4 * y;
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => down.places[k + i] * toWidth);
    const [p, q, r, s] = [0, 1, 2, 3].map((i) => down.weights[k + i]);
    const to = y * toWidth;
    for (let x = 0; x < toWidth; x += 1) {
      const value = rows[a + x] * p + rows[b + x] * q + rows[c + x] * r + rows[d + x] * s;
      out[to + x] = value < low ? low : value > high ? high : value;
    }
  }
  return out;
}

/**
 * The same at one point, 0..1.
 * @param {Uint8Array} levels @param {number} width @param {number} height @param {{x: number, y: number}} point fractions of the picture
 */
export function valueAt(levels, width, height, point) {
  const [columns, rows] = [new Int32Array(4), new Int32Array(4)];
  const [across, down] = [new Float32Array(4), new Float32Array(4)];
  tapsAt(point.x * width - 0.5, width, columns, across, 0);
  tapsAt(point.y * height - 0.5, height, rows, down, 0);
  let sum = 0;
  for (let j = 0; j < 4; j += 1) for (let i = 0; i < 4; i += 1) sum += levels[rows[j] * width + columns[i]] * across[i] * down[j];
  const { low, high } = range(levels);
  return Math.min(Math.max(sum, low), high) / 255;
}
