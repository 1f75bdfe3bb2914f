// The current view as a PNG, and the heat as a 16-bit one.

import { enlarge } from "./enlarge.js";
import { grey16 } from "./png.js";
import { heatPixels, heatSize } from "./stage.js";

/** @typedef {import("./model.js").Lens} Lens */

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A file name that says what is in it. @param {Lens} lens @param {string} kind */
function nameFor(lens, kind) {
  const what = lens.shown.map((item) => item.label).join("_").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40);
  return `${kind}_${what || "picture"}_${lens.image + 1}.png`;
}

/** @param {HTMLImageElement} image */
async function pictureOf(image) {
  await image.decode();
  return image;
}

/** The part of the picture that the zoom shows, at the picture's own pixels; panes side by side. @param {Lens} lens @param {HTMLImageElement[]} pictures */
export async function saveView(lens, pictures) {
  const canvas = await drawView(lens, pictures);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  download(blob, nameFor(lens, lens.look.mode));
}

/** @param {Lens} lens @param {HTMLImageElement[]} pictures @returns {Promise<OffscreenCanvas>} */
async function drawView(lens, pictures) {
  const { scale, x, y } = lens.view;
  const [first] = pictures;
  const [width, height] = [first.naturalWidth, first.naturalHeight];
  const part = { width: Math.max(1, Math.round(width / scale)), height: Math.max(1, Math.round(height / scale)) };
  const canvas = new OffscreenCanvas(part.width * pictures.length, part.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  for (const [pane, picture] of pictures.entries()) {
    context.save();
    context.beginPath();
    context.rect(part.width * pane, 0, part.width, part.height);
    context.clip();
    context.translate(part.width * pane - (x - 0.5 / scale) * width, -(y - 0.5 / scale) * height);
    context.drawImage(await pictureOf(picture), 0, 0);
    const pixels = heatPixels(lens, pane, heatSize([width, height], true));
    if (pixels) {
      const left = lens.look.mode === "wipe" ? lens.wipe : 0;
      const heat = await createImageBitmap(pixels);
      context.drawImage(heat, left * heat.width, 0, (1 - left) * heat.width, heat.height, left * width, 0, (1 - left) * width, height);
    }
    for (const { box: [l, t, r, b] } of lens.data?.run.boxes ?? []) {
      context.strokeStyle = "#fff";
      context.lineWidth = Math.max(1, width / 200);
      context.strokeRect(l * width, t * height, (r - l) * width, (b - t) * height);
    }
    context.restore();
  }
  return canvas;
}

/** The heat of the first map that is shown, at the picture's size. @param {Lens} lens */
export async function saveHeat(lens) {
  const { data } = lens;
  const [item] = lens.shown;
  if (!data || !item?.maps) return;
  const [width, height] = data.run.size;
  for (const [pane, map] of item.maps.entries()) {
    const levels = data.levels(lens.image, map);
    if (!levels) return;
    const heat = enlarge(levels, ...data.mapSize, width, height, new Float32Array(width * height)).map((value) => value / 255);
    const label = data.panes[pane].label;
    download(await grey16(heat, width, height), nameFor(lens, label ? `heat_${label}` : "heat"));
  }
}
