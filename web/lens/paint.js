// Heat to pixels: everything that depends on the heat alone goes into a table of 256 colours, looked up for each pixel.

/** @typedef {"heat"|"outline"|"masked"|"wipe"} Mode */
/** @typedef {{mode: Mode, colours: Uint8Array, opacity: number, threshold: number}} Look */

const FADE = 0.25; // heat from which the colours are as opaque as they get
const OUTSIDE = 0.82; // how dark what lies outside the mask is

/** @param {number} r @param {number} g @param {number} b @param {number} a all 0..255 */
const rgba = (r, g, b, a) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0; // bytes in memory: r, g, b, a

/** The least level that belongs to the mask. @param {number} threshold 0..1 */
export const leastLevel = (threshold) => Math.max(0, Math.ceil(threshold * 255 - 1e-6));

/** What a level of heat becomes. @param {Look} look @param {number} level 0..255 */
export function colourOf({ mode, colours, opacity, threshold }, level) {
  const inside = level >= leastLevel(threshold);
  if (mode === "masked") return inside ? 0 : rgba(0, 0, 0, 255 * OUTSIDE);
  const at = 3 * level;
  const strength = mode === "outline" ? (inside ? 0.25 : 0) : Math.min(level / (255 * FADE), 1);
  return rgba(colours[at], colours[at + 1], colours[at + 2], Math.round(255 * opacity * strength));
}

/** @param {(level: number) => number} colour */
function tableOf(colour) {
  const table = new Uint32Array(256);
  for (let level = 0; level < 256; level += 1) table[level] = colour(level);
  return table;
}

/** @param {Uint32Array} pixels @param {Uint8ClampedArray} heat @param {Look} look */
export function paintHeat(pixels, heat, look) {
  const table = tableOf((level) => colourOf(look, level));
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = table[heat[i]];
}

/**
 * Several maps, each in a colour of its own: a pixel belongs to the one that is hottest there.
 * @param {Uint32Array} pixels @param {Uint8ClampedArray[]} heats @param {string[]} colours "#rrggbb" @param {Look} look
 */
export function paintWinners(pixels, heats, colours, look) {
  const tables = colours.map((colour) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    const own = new Uint8Array(768).map((_, i) => [r, g, b][i % 3]);
    return tableOf((level) => colourOf({ ...look, colours: own }, level));
  });
  for (let i = 0; i < pixels.length; i += 1) {
    let best = 0;
    for (let k = 1; k < heats.length; k += 1) if (heats[k][i] > heats[best][i]) best = k;
    pixels[i] = tables[best][heats[best][i]];
  }
}

/**
 * A line where the heat passes the threshold, white inside and dark outside.
 * @param {Uint32Array} pixels @param {Uint8ClampedArray} heat @param {number} width @param {number} threshold
 */
export function paintOutline(pixels, heat, width, threshold) {
  const least = leastLevel(threshold);
  const [inner, outer] = [rgba(255, 255, 255, 235), rgba(0, 0, 0, 150)];
  for (let i = 0, x = 0; i < pixels.length; i += 1) {
    const inside = heat[i] >= least;
    const last = (x += 1) === width;
    if (!last && heat[i + 1] >= least !== inside) {
      pixels[i] = inside ? inner : outer;
      pixels[i + 1] = inside ? outer : inner;
    }
    const below = i + width;
    if (below < pixels.length && heat[below] >= least !== inside) {
      pixels[i] = inside ? inner : outer;
      pixels[below] = inside ? outer : inner;
    }
    if (last) x = 0;
  }
}
