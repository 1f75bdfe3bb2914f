// Every sentence a user reads or hears, in one place, so that it can be translated.

/** @param {number} n @param {string} one @param {string} [many] */
const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

export const text = {
  unnamed: "no label",
  stage: "Box canvas",
  stageHelp:
    "Drag to draw a box. Tab goes from box to box, arrow keys move, Shift times ten, Alt with arrow keys resizes, " +
    "Enter names, Delete removes, N adds a box.",
  list: "Boxes",
  empty: "Drag on the picture to draw a box, then type what belongs there.",
  enlarged: "The editor is open in front of the page.",
  linked: "The boxes come from the connected input.",

  tools: {
    label: "Box tools",
    select: "Select and move (V). Drag on free space draws",
    draw: "Draw inside other boxes (D, or hold Alt)",
    add: "Add a box (N)",
    duplicate: "Duplicate (Ctrl+D)",
    remove: "Delete (Del)",
    clear: "Delete all boxes",
    enlarge: "Enlarge the editor (F)",
    shrink: "Back to the node (F, Esc)",
    help: "Keys (?)",
    forward: "Bring forward ( ] )",
    backward: "Send backward ( [ )",
    undo: "Undo (Ctrl+Z)",
    redo: "Redo (Ctrl+Shift+Z)",
    snap: "Snap to edges, centre, thirds and other boxes (S; hold Ctrl to switch off)",
    grid: "Latent grid",
    gridOff: "No grid",
    gridStep: (/** @type {number} */ px) => `${px} px grid`,
    background: "Background picture",
    backgrounds: { auto: "Auto", input: "Input", result: "Result", none: "None" },
    brightness: "Brightness of the background",
  },

  row: {
    item: (/** @type {number} */ place, /** @type {string} */ label) => `Box ${place}: ${label}`,
    label: (/** @type {number} */ place) => `Label of box ${place}`,
    placeholder: "what belongs here?",
    weight: (/** @type {number} */ place) => `Weight of box ${place}`,
    weightHint: "Weight: 1 is neutral, 0 leaves the object out",
    color: (/** @type {number} */ place) => `Colour of box ${place}`,
    hide: (/** @type {number} */ place) => `Hide box ${place} and leave it out`,
    show: (/** @type {number} */ place) => `Show box ${place}`,
    lock: (/** @type {number} */ place) => `Lock box ${place}`,
    unlock: (/** @type {number} */ place) => `Unlock box ${place}`,
    select: (/** @type {number} */ place) => `Select box ${place}`,
  },

  numbers: {
    label: "Position and size of the selection",
    x: "X",
    y: "Y",
    width: "W",
    height: "H",
    names: { x: "Left edge", y: "Top edge", width: "Width", height: "Height" },
    unit: "Unit of the numbers",
  },

  keys: {
    title: "Keys",
    close: "Close",
    list: [
      ["Drag", "draw a box; on a box: move it; on a handle: resize it"],
      ["Shift + drag", "frame several boxes; while drawing or resizing: keep the shape"],
      ["Alt + drag", "draw inside another box; on a handle: from the centre"],
      ["Ctrl + drag", "without snapping"],
      ["Tab", "next box"],
      ["Arrows", "move by a pixel, with Shift by ten; with Alt: resize"],
      ["Enter", "type the label"],
      ["N", "new box"],
      ["Del", "delete"],
      ["D / V", "draw / select"],
      ["[ ] { }", "send backward, bring forward, to the back, to the front"],
      ["H / L / S", "hide / lock / snapping"],
      ["Ctrl + A, C, X, V, D", "select all, copy, cut, paste, duplicate"],
      ["Ctrl + Z, Y", "undo, redo"],
      ["F / ? / Esc", "enlarge / this list / cancel, or back"],
    ],
  },

  problems: {
    noLabel: "No label: say what belongs in this box.",
    noArea: "This box has no area.",
    outside: "This box reaches outside the picture.",
    sameLabel: (/** @type {number} */ place) => `Same label as box ${place}.`,
  },

  broken: {
    dismiss: "Dismiss",
    title: "The saved boxes could not be read.",
    kept: "Boxes that could not be read are kept with this node.",
    copy: "Copy the text",
    copied: "Copied.",
    discard: "Discard it",
    notText: "They are not a text.",
    notJson: "They are not valid JSON.",
    notObject: "They are not a JSON object.",
    version: (/** @type {string} */ found, /** @type {number} */ known) =>
      `Their version is ${found.slice(0, 20)}, this editor reads version ${known}.`,
    noBoxes: 'They have no list "boxes".',
    tooMany: (/** @type {number} */ found, /** @type {number} */ most) => `They hold ${found} boxes, at most ${most} fit.`,
    box: (/** @type {number} */ place) => `Box ${place} is not a JSON object.`,
    number: (/** @type {number} */ place, /** @type {string} */ key) => `"${key}" of box ${place} is not a usable number.`,
    label: (/** @type {number} */ place) => `The label of box ${place} is not a text.`,
  },

  refused: {
    noArea: (/** @type {number} */ place) => `Box ${place} has no area.`,
    outside: (/** @type {number} */ place) => `Box ${place} reaches outside the picture (0 to 1).`,
    outsidePixels: (/** @type {number} */ place, /** @type {number} */ width, /** @type {number} */ height) =>
      `Box ${place} reaches outside the picture (${width} × ${height} px).`,
  },

  said: {
    nothing: (/** @type {number} */ boxes) => (boxes ? `${count(boxes, "box", "boxes")}, none selected` : "No boxes yet"),
    several: (/** @type {number} */ boxes) => `${boxes} boxes selected`,
    one: (
      /** @type {string} */ label,
      /** @type {number} */ place,
      /** @type {number} */ all,
      /** @type {string} */ at,
      /** @type {string} */ size,
    ) => `${label}, ${place} of ${all} · at ${at} · ${size}`,
    removed: (/** @type {number} */ boxes) => `${count(boxes, "box", "boxes")} deleted`,
    duplicated: (/** @type {number} */ boxes) => `${count(boxes, "box", "boxes")} duplicated`,
    copied: (/** @type {number} */ boxes) => `${count(boxes, "box", "boxes")} copied`,
    pasted: (/** @type {number} */ boxes) => `${count(boxes, "box", "boxes")} pasted.`,
    nothingPasted: "Nothing pasted.",
    noBoxesToPaste: "The clipboard holds no boxes.",
    full: (/** @type {number} */ most) => `At most ${most} boxes fit`,
    locked: "Locked: unlock it in the list first",
    undone: "Undone",
    redone: "Redone",
    cancelled: "Cancelled",
    drawTool: "Every drag draws a new box",
    selectTool: "Drag a box to move it, free space to draw",
    reordered: {
      forward: "Brought forward",
      backward: "Sent backward",
      front: "Brought to the front",
      back: "Sent to the back",
    },
    flipped: {
      locked: (/** @type {boolean} */ on, /** @type {number} */ n) => `${count(n, "box", "boxes")} ${on ? "locked" : "unlocked"}`,
      hidden: (/** @type {boolean} */ on, /** @type {number} */ n) =>
        `${count(n, "box", "boxes")} ${on ? "hidden, left out of the outputs" : "shown"}`,
    },
  },
};
