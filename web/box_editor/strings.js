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
    clear: "Clear all boxes",
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

/** @type {Record<string, any>} What differs in other languages; English stands in for the rest. */
const TRANSLATED = {
  zh: {
    enlarged: "编辑器已在页面前打开。",
    empty: "在图片上拖动画出方框，然后输入其中应有的内容。",
    linked: "方框来自所连接的输入。",
    tools: {
      select: "选择和移动 (V)。在空白处拖动即可绘制", draw: "在其他方框内绘制 (D，或按住 Alt)", add: "添加方框 (N)", duplicate: "复制 (Ctrl+D)",
      remove: "删除 (Del)", clear: "删除所有方框", enlarge: "放大编辑器 (F)", shrink: "返回节点 (F, Esc)", help: "按键 (?)", undo: "撤销 (Ctrl+Z)", redo: "重做 (Ctrl+Shift+Z)",
    },
    keys: {
      title: "按键", close: "关闭",
      list: [
        ["拖动", "画方框；在方框上：移动；在控制点上：调整大小"], ["Shift + 拖动", "框选多个；绘制或调整时：保持比例"], ["Alt + 拖动", "在其他方框内绘制；在控制点上：以中心为准"],
        ["Ctrl + 拖动", "不吸附"], ["Tab", "下一个方框"], ["方向键", "移动一个像素，加 Shift 移动十个；加 Alt：调整大小"], ["Enter", "输入标签"], ["N", "新方框"], ["Del", "删除"],
        ["D / V", "绘制 / 选择"], ["[ ] { }", "后移、前移、置底、置顶"], ["H / L / S", "隐藏 / 锁定 / 吸附"], ["Ctrl + A, C, X, V, D", "全选、复制、剪切、粘贴、再制"],
        ["Ctrl + Z, Y", "撤销、重做"], ["F / ? / Esc", "放大 / 本列表 / 取消或返回"],
      ],
    },
    broken: { dismiss: "关闭" },
  },
  ja: {
    enlarged: "エディターはページの前面に開いています。",
    empty: "画像の上をドラッグしてボックスを描き、そこにあるべきものを入力します。",
    linked: "ボックスは接続された入力から来ています。",
    tools: {
      select: "選択と移動 (V)。空いた場所のドラッグで描画", draw: "他のボックスの中に描画 (D、または Alt を押しながら)", add: "ボックスを追加 (N)", duplicate: "複製 (Ctrl+D)",
      remove: "削除 (Del)", clear: "すべてのボックスを削除", enlarge: "エディターを拡大 (F)", shrink: "ノードに戻る (F, Esc)", help: "キー (?)", undo: "元に戻す (Ctrl+Z)", redo: "やり直す (Ctrl+Shift+Z)",
    },
    keys: {
      title: "キー", close: "閉じる",
      list: [
        ["ドラッグ", "ボックスを描く。ボックス上では移動、ハンドル上ではサイズ変更"], ["Shift + ドラッグ", "複数を囲む。描画やサイズ変更中は縦横比を保つ"],
        ["Alt + ドラッグ", "他のボックスの中に描く。ハンドル上では中心から"], ["Ctrl + ドラッグ", "吸着なし"], ["Tab", "次のボックス"],
        ["矢印キー", "1 ピクセル移動、Shift で 10。Alt でサイズ変更"], ["Enter", "ラベルを入力"], ["N", "新しいボックス"], ["Del", "削除"], ["D / V", "描画 / 選択"],
        ["[ ] { }", "背面へ、前面へ、最背面へ、最前面へ"], ["H / L / S", "非表示 / ロック / 吸着"], ["Ctrl + A, C, X, V, D", "すべて選択、コピー、切り取り、貼り付け、複製"],
        ["Ctrl + Z, Y", "元に戻す、やり直す"], ["F / ? / Esc", "拡大 / この一覧 / 取り消し、または戻る"],
      ],
    },
    broken: { dismiss: "閉じる" },
  },
};

/** Speak this language where there are words for it. @param {string} locale "zh", "zh-TW", "ja", "en" */
export function speak(locale) {
  const found = TRANSLATED[locale.split("-")[0]];
  for (const [group, words] of Object.entries(found ?? {})) {
    const own = /** @type {any} */ (text);
    if (typeof words === "string") own[group] = words;
    else Object.assign(own[group], words);
  }
}
