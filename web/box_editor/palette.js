// Colours for boxes: told apart by colour-blind eyes too, and readable on dark and bright pictures.

export const PALETTE = ["#4d9de0", "#e8871e", "#3bb273", "#e15554", "#a06cd5", "#e1bc29", "#23b5d3", "#f2789f", "#8f9b3a", "#b08968"];

/** The palette colour used least so far. @param {readonly {color: string}[]} boxes */
export function colorFor(boxes) {
  const uses = PALETTE.map((color) => boxes.filter((box) => box.color === color).length);
  return PALETTE[uses.indexOf(Math.min(...uses))];
}

/** Black or white, whichever reads better on a colour. @param {string} color */
export function inkOn(color) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#111111" : "#ffffff";
}
