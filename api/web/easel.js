// Where a picture lies to be looked at: zoom, pan, and another picture beside it under a divider.
import { h } from "./dom.js";
import { t } from "./words.js";

const MAX_SCALE = 16;
const STEP = 1.25;
const NUDGE_PX = 60;

/**
 * Two canvases one upon the other, which move together; the upper one ends at the divider.
 * `overlay` lies above both, in shares of the picture, and is told of the scale as `--scale`.
 */
export class Easel {
  constructor() {
    this.lower = h("canvas", { role: "img", class: "picture" });
    this.upper = h("canvas", { role: "img", class: "picture upper", hidden: true });
    this.overlay = h("div", { class: "overlay" });
    this.sheet = h("div", { class: "sheet" }, this.lower, this.upper, this.overlay);
    this.handle = h("div", { class: "divider", hidden: true });
    this.slider = h("input", { type: "range", min: 0, max: 100, step: 1, value: "50", class: "divide", hidden: true, "aria-label": t("look.divide") });
    this.window = h("div", { class: "easel", tabindex: 0, role: "group", "aria-label": t("look.easel") }, this.sheet, this.handle);
    this.element = h("div", { class: "easel-frame" }, this.window, this.slider);
    this.size = [0, 0];
    this.scale = 1;
    this.at = [0, 0];
    this.isFitted = true;
    this.pointers = new Map();
    this.ontap = null; // (x, y, event) in shares, for a click that is no drag
    this.onhover = null; // (x, y) in shares, or null outside
    this.listen();
  }

  /** A picture of a new size is fitted; one of the same stays where it is. */
  setSize(width, height) {
    if (this.size[0] === width && this.size[1] === height) return;
    this.size = [width, height];
    this.sheet.style.width = `${width}px`;
    this.sheet.style.height = `${height}px`;
    this.fit();
  }

  compare(isOn) {
    for (const part of [this.upper, this.handle, this.slider]) part.hidden = !isOn;
    this.place();
  }

  fit() {
    const [width, height] = this.size;
    const { clientWidth, clientHeight } = this.window;
    if (!width || !clientWidth) return;
    this.scale = Math.min(clientWidth / width, clientHeight / height);
    this.at = [(clientWidth - width * this.scale) / 2, (clientHeight - height * this.scale) / 2];
    this.isFitted = true;
    this.place();
  }

  zoom(factor, x = this.window.clientWidth / 2, y = this.window.clientHeight / 2) {
    const fitted = Math.min(this.window.clientWidth / this.size[0], this.window.clientHeight / this.size[1]);
    const next = Math.min(MAX_SCALE, Math.max(Math.min(1, fitted) / 2, this.scale * factor));
    this.at = [x - ((x - this.at[0]) * next) / this.scale, y - ((y - this.at[1]) * next) / this.scale];
    this.scale = next;
    this.isFitted = false;
    this.place();
  }

  pan(dx, dy) {
    this.at = [this.at[0] + dx, this.at[1] + dy];
    this.isFitted = false;
    this.place();
  }

  place() {
    const { sheet, scale } = this;
    const [width, height] = this.size;
    // Never so far that nothing of it is left to be seen.
    const limit = (at, length, view) => Math.min(view - 40, Math.max(40 - length * scale, at));
    this.at = [limit(this.at[0], width, this.window.clientWidth), limit(this.at[1], height, this.window.clientHeight)];
    sheet.style.transform = `translate(${this.at[0]}px, ${this.at[1]}px) scale(${scale})`;
    sheet.style.setProperty("--scale", scale);
    sheet.classList.toggle("crisp", scale >= 3);
    const share = Number(this.slider.value);
    this.upper.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    this.handle.style.transform = `translateX(${this.at[0] + (width * scale * share) / 100}px)`;
  }

  /** Where an event is, in shares of the picture. */
  locate({ clientX, clientY }) {
    const box = this.window.getBoundingClientRect();
    return [
      (clientX - box.left - this.at[0]) / (this.size[0] * this.scale),
      (clientY - box.top - this.at[1]) / (this.size[1] * this.scale),
    ];
  }

  listen() {
    new ResizeObserver(() => (this.isFitted ? this.fit() : this.place())).observe(this.window);
    this.slider.addEventListener("input", () => this.place());
    this.window.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const box = this.window.getBoundingClientRect();
        this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX - box.left, event.clientY - box.top);
      },
      { passive: false },
    );
    this.window.addEventListener("keydown", (event) => this.onKey(event));
    this.window.addEventListener("pointerdown", (event) => this.onDown(event));
    this.window.addEventListener("pointermove", (event) => this.onMove(event));
    for (const kind of ["pointerup", "pointercancel"]) this.window.addEventListener(kind, (event) => this.onUp(event));
    this.window.addEventListener("pointerleave", () => this.onhover?.(null));
  }

  onKey(event) {
    if (event.target !== this.window || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [NUDGE_PX, 0], ArrowRight: [-NUDGE_PX, 0], ArrowUp: [0, NUDGE_PX], ArrowDown: [0, -NUDGE_PX] };
    if (moves[event.key]) this.pan(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(STEP);
    else if (event.key === "-") this.zoom(1 / STEP);
    else if (event.key === "0") this.fit();
    else if (event.key === "1") this.zoom(1 / this.scale);
    else return;
    event.preventDefault();
  }

  onDown(event) {
    if (event.button > 0) return;
    this.window.setPointerCapture(event.pointerId);
    const isDivider = event.target === this.handle;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, travelled: 0, isDivider });
  }

  onMove(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer) return this.onhover?.(...this.locate(event));
    const [dx, dy] = [event.clientX - pointer.x, event.clientY - pointer.y];
    const before = [...this.pointers.values()].map(({ x, y }) => [x, y]);
    Object.assign(pointer, { x: event.clientX, y: event.clientY, travelled: pointer.travelled + Math.hypot(dx, dy) });
    if (pointer.isDivider) {
      this.slider.value = String(100 * this.locate(event)[0]);
      return this.place();
    }
    if (this.pointers.size === 2) return this.pinch(before);
    this.pan(dx, dy);
  }

  pinch([first, second]) {
    const [one, other] = [...this.pointers.values()].map(({ x, y }) => [x, y]);
    const apart = (p, q) => Math.max(1, Math.hypot(p[0] - q[0], p[1] - q[1]));
    const middle = (p, q) => [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2];
    const [from, to] = [middle(first, second), middle(one, other)];
    const box = this.window.getBoundingClientRect();
    this.zoom(apart(one, other) / apart(first, second), to[0] - box.left, to[1] - box.top);
    this.pan(to[0] - from[0], to[1] - from[1]);
  }

  onUp(event) {
    const pointer = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    const isTap = event.type === "pointerup" && pointer && !pointer.isDivider && pointer.travelled < 5;
    if (isTap && !this.pointers.size) this.ontap?.(...this.locate(event), event);
  }

  /** What lies in the middle of the window, in shares of the page. */
  middle() {
    const box = this.window.getBoundingClientRect();
    return this.locate({ clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 });
  }

  /** The colour of the lower picture at a place given in shares; null outside. */
  colourAt(x, y) {
    const [width, height] = [this.lower.width, this.lower.height];
    if (!(x >= 0 && x < 1 && y >= 0 && y < 1)) return null;
    const { data } = this.lower.getContext("2d").getImageData(Math.floor(x * width), Math.floor(y * height), 1, 1);
    return [data[0], data[1], data[2]];
  }
}
