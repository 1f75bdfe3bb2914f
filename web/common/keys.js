// The keyboard, caught before the graph sees it: while a widget of the pack has the focus, some keys are its own.

const MODIFIERS = ["Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock"];

/**
 * "done": handled here. "keep": the browser's own action, hidden from the graph. "pass": the graph's.
 * @typedef {"done"|"keep"|"pass"} Outcome
 */

/** @type {WeakMap<Element, (event: KeyboardEvent) => Outcome>} */
const owners = new WeakMap();
let listening = false;

/** Have `press` judge the keys pressed inside `root`. @param {HTMLElement} root @param {(event: KeyboardEvent) => Outcome} press */
export function ownKeys(root, press) {
  root.dataset.ownKeys = "";
  owners.set(root, press);
}

/** Listen once for the whole page. Call it while the module loads, so that it comes before the graph's listeners. */
export function listen() {
  if (listening) return;
  listening = true;
  window.addEventListener("keydown", (event) => {
    const root = event.target instanceof Element ? event.target.closest("[data-own-keys]") : null;
    const press = root && owners.get(root);
    if (!press || MODIFIERS.includes(event.key) || event.isComposing) return;
    const outcome = press(event);
    if (outcome === "pass") return;
    event.stopImmediatePropagation();
    if (outcome === "done") event.preventDefault();
  }, true);
}
