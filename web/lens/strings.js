// Every sentence a user reads or hears, in the languages of the pack.

/** @param {number} value */
const two = (value) => value.toFixed(2);
/** @param {number} value */
const signed = (value) => value.toFixed(3);

const en = {
  viewer: "Map viewer",
  stage: "Picture with heat",
  stageHelp: "Arrow keys move the pointer, Enter ranks the words there, plus and minus zoom, 0 fits, F is the full view.",
  waiting: "Run the workflow to look around here.",
  loading: "Loading…",
  gone: "The pictures of the last run are no longer on the host. Run the workflow again.",
  image: (/** @type {number} */ n, /** @type {number} */ all) => `Image ${n} of ${all}`,
  step: (/** @type {number} */ step, /** @type {number} */ n, /** @type {number} */ all) => `Step ${step}, guided call ${n} of ${all}`,
  score: {
    prompt: (/** @type {number} */ s) => `similarity ${signed(s)}`,
    word: (/** @type {number} */ s) => `relevancy ${two(s)}`,
    class: (/** @type {number} */ s) => `probability ${two(s)}`,
  },
  noMap: "no map of its own, the prompt's is shown (maps_of_words: all)",
  pinned: (/** @type {string} */ label, /** @type {boolean} */ on) => `${label} ${on ? "pinned" : "released"}`,
  ranked: (/** @type {string} */ list) => `At this place: ${list}`,
  nothingHere: "No maps here",
  rankTitle: "At this place",
  at: (/** @type {number} */ x, /** @type {number} */ y) => `x ${x}, y ${y}`,
  hint: "Point at the picture; double-click ranks the words",
  modes: { heat: "Heat", outline: "Mask outline", masked: "Masked picture", wipe: "Side by side" },
  mode: "What is drawn",
  colormap: "Colours of the heat",
  opacity: "Opacity",
  threshold: "Threshold of the mask",
  thresholdShort: "Threshold",
  use: "Use",
  useHint: "Write this threshold into the node",
  used: (/** @type {number} */ t) => `threshold is now ${two(t)}`,
  fit: "Fit the picture (0)",
  full: "Full view (F)",
  leaveFull: "Leave the full view (F or Esc)",
  saveView: "Save this view as PNG",
  saveHeat: "Save the heat as 16-bit PNG",
  words: "Prompts and words",
  images: "Images",
  steps: "Step",
  wipe: "Where the heat begins",
  close: "Close",
};

/** @type {typeof en} */
const zh = {
  viewer: "热图查看器",
  stage: "带热图的图片",
  stageHelp: "方向键移动指针，Enter 按该处热度排列词语，加减号缩放，0 适应窗口，F 全屏。",
  waiting: "运行工作流后可在此查看。",
  loading: "加载中…",
  gone: "上次运行的图片已不在主机上。请重新运行工作流。",
  image: (n, all) => `图片 ${n} / ${all}`,
  step: (step, n, all) => `第 ${step} 步，引导调用 ${n} / ${all}`,
  score: { prompt: (s) => `相似度 ${signed(s)}`, word: (s) => `相关性 ${two(s)}`, class: (s) => `概率 ${two(s)}` },
  noMap: "没有自己的图，显示的是整条提示词的（maps_of_words：all）",
  pinned: (label, on) => `${label} ${on ? "已固定" : "已取消固定"}`,
  ranked: (list) => `此处：${list}`,
  nothingHere: "此处没有图",
  rankTitle: "此处",
  at: (x, y) => `x ${x}, y ${y}`,
  hint: "指向图片查看数值；双击排列词语",
  modes: { heat: "热图", outline: "遮罩轮廓", masked: "遮罩图片", wipe: "左右对比" },
  mode: "绘制内容",
  colormap: "热图颜色",
  opacity: "不透明度",
  threshold: "遮罩阈值",
  thresholdShort: "阈值",
  use: "采用",
  useHint: "把此阈值写入节点",
  used: (t) => `阈值现为 ${two(t)}`,
  fit: "适应窗口 (0)",
  full: "全屏查看 (F)",
  leaveFull: "退出全屏 (F 或 Esc)",
  saveView: "将当前视图存为 PNG",
  saveHeat: "将热图存为 16 位 PNG",
  words: "提示词与词语",
  images: "图片",
  steps: "步骤",
  wipe: "热图起始位置",
  close: "关闭",
};

/** @type {typeof en} */
const ja = {
  viewer: "マップビューア",
  stage: "ヒートマップ付きの画像",
  stageHelp: "矢印キーでポインタを移動、Enter でその場所の単語を順位付け、プラスとマイナスで拡大縮小、0 で全体、F で全画面。",
  waiting: "ワークフローを実行するとここで見られます。",
  loading: "読み込み中…",
  gone: "前回の実行の画像はもうホストにありません。もう一度実行してください。",
  image: (n, all) => `画像 ${n} / ${all}`,
  step: (step, n, all) => `ステップ ${step}、ガイダンス ${n} / ${all} 回目`,
  score: { prompt: (s) => `類似度 ${signed(s)}`, word: (s) => `関連度 ${two(s)}`, class: (s) => `確率 ${two(s)}` },
  noMap: "単独のマップがないため、プロンプトのマップを表示しています（maps_of_words: all）",
  pinned: (label, on) => `${label} ${on ? "を固定しました" : "の固定を解除しました"}`,
  ranked: (list) => `この場所: ${list}`,
  nothingHere: "ここにマップはありません",
  rankTitle: "この場所",
  at: (x, y) => `x ${x}, y ${y}`,
  hint: "画像を指すと値が出ます。ダブルクリックで単語を順位付け",
  modes: { heat: "ヒートマップ", outline: "マスクの輪郭", masked: "マスクした画像", wipe: "左右比較" },
  mode: "表示内容",
  colormap: "ヒートマップの色",
  opacity: "不透明度",
  threshold: "マスクのしきい値",
  thresholdShort: "しきい値",
  use: "適用",
  useHint: "このしきい値をノードに書き込む",
  used: (t) => `しきい値は ${two(t)} になりました`,
  fit: "全体を表示 (0)",
  full: "全画面 (F)",
  leaveFull: "全画面を終了 (F または Esc)",
  saveView: "この表示を PNG で保存",
  saveHeat: "ヒートマップを 16 ビット PNG で保存",
  words: "プロンプトと単語",
  images: "画像",
  steps: "ステップ",
  wipe: "ヒートマップの開始位置",
  close: "閉じる",
};

/** @type {Record<string, typeof en>} */
const languages = { en, zh, ja };

let spoken = en;

/** @param {string} language of the page: "en", "zh" ... */
export function speak(language) {
  spoken = languages[language] ?? en;
}

/** The sentences in that language. */
export const text = () => spoken;
