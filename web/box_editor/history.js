// Undo and redo over whole states (texts), kept in step with the graph's own undo.

const LONGEST = 100;

export class History {
  /** @param {string} present */
  constructor(present = "") {
    this.present = present;
    /** @type {string[]} */
    this.past = [];
    /** @type {string[]} */
    this.future = [];
    this.open = ""; // the kind of change that the present may still take in
  }

  get canUndo() {
    return this.past.length > 0;
  }

  get canRedo() {
    return this.future.length > 0;
  }

  /**
   * A new state. Changes with one key (nudges, typing, a colour being picked) make one step until it is sealed.
   * @param {string} state @param {string} [mergeKey]
   */
  push(state, mergeKey = "") {
    if (state === this.present) return;
    if (mergeKey === "" || mergeKey !== this.open) this.past.push(this.present);
    if (this.past.length > LONGEST) this.past.shift();
    this.present = state;
    this.future = [];
    this.open = mergeKey;
  }

  /** @returns {string | undefined} the state to go back to */
  undo() {
    const state = this.past.pop();
    if (state === undefined) return undefined;
    this.future.push(this.present);
    this.present = state;
    this.seal();
    return state;
  }

  /** @returns {string | undefined} */
  redo() {
    const state = this.future.pop();
    if (state === undefined) return undefined;
    this.past.push(this.present);
    this.present = state;
    this.seal();
    return state;
  }

  /** The present is a step of its own, and of the graph's undo: nothing more is merged into it. */
  seal() {
    this.open = "";
  }

  /**
   * Someone else (the graph's undo, a load) set the state: follow it, along our own steps where it lies on them. The
   * graph joins what comes within moments, so that one step of it may be several of ours.
   * @param {string} state
   */
  follow(state) {
    if (state === this.present) return;
    const back = stepsTo(state, this.past);
    const forth = stepsTo(state, this.future);
    if (back === Infinity && forth === Infinity) this.push(state);
    else if (back <= forth) while (this.present !== state) this.undo();
    else while (this.present !== state) this.redo();
  }

  /** @param {string} state */
  knows(state) {
    return state === this.present || this.past.includes(state) || this.future.includes(state);
  }
}

/** @param {string} state @param {readonly string[]} stack nearest last */
function stepsTo(state, stack) {
  const place = stack.lastIndexOf(state);
  return place < 0 ? Infinity : stack.length - place;
}
