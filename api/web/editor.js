// Correct: the dots of colour on a page. What is not sent yet survives a reload.
import { announce, confirmed, h, segmented } from "./dom.js";
import { fromHex, toHex } from "./colour.js";
import { decode, draw, fetchBlob } from "./pictures.js";
import { readRegions } from "./regions.js";
import { askJson, describe } from "./server.js";
import { t } from "./words.js";

const MAX_HINTS = 2000; // as common/hints.py has it
const NUDGE = 0.002;
const LONG_NUDGE = 0.02;
const LIGHT = [255, 40, 190]; // seldom a colour of a page

export class Editor {
  constructor(view) {
    this.view = view;
    this.isOn = false;
    this.hints = []; // as they are now; never changed in place
    this.past = [];
    this.future = [];
    this.palette = [];
    this.size = null;
    this.loaded = ""; // which attempt's hints these are
    this.selected = null;
    this.colour = [200, 60, 60];
    this.tool = "move";
    this.regions = null;
    this.glow = h("canvas", { class: "glow", hidden: true });
    this.build();
  }

  get storageKey() {
    return `nurie-hints ${this.view.link}`;
  }

  build() {
    const pickColour = ({ target }) => this.setColour(fromHex(target.value), "picker");
    this.colourInput = h("input", { id: "dot-colour", type: "color", value: toHex(this.colour), oninput: pickColour });
    this.swatches = h("div", { class: "swatches", role: "group", "aria-label": t("correct.palette") });
    this.paletteTitle = h("h3", {}, t("correct.palette"));
    this.undoButton = h("button", { class: "plain", onclick: () => this.undo() }, t("correct.undo"));
    this.redoButton = h("button", { class: "plain", onclick: () => this.redo() }, t("correct.redo"));
    this.deleteButton = h("button", { class: "plain", onclick: () => this.remove() }, t("correct.delete"));
    this.paintButton = h("button", { class: "strong", onclick: () => this.paintAgain() }, t("correct.paint"));
    this.discardButton = h("button", { class: "plain", onclick: () => this.discard() }, t("correct.discard"));
    this.everywhereButton = h("button", { class: "plain", onclick: () => this.useEverywhere() }, t("correct.everywhere"));
    this.about = h("p", { class: "about", role: "status" });
    this.sources = h("select", { id: "pick-from", onchange: () => this.showSource() });
    this.sample = h("canvas", { class: "sample", width: 1, height: 1, role: "img", "aria-label": t("correct.sample") });
    this.sample.addEventListener("click", (event) => this.pickFromSample(event));
    const tools = ["move", "add", "pick"].map((name) => [name, t(`correct.tool.${name}`)]);
    this.panel = h(
      "section",
      { class: "editor", hidden: true, "aria-label": t("correct.title") },
      segmented(t("correct.tools"), tools, this.tool, (name) => this.setTool(name)),
      h("p", { class: "about" }, t("correct.help")),
      h("div", { class: "row" }, h("label", { for: "dot-colour" }, t("correct.colour")), this.colourInput, this.deleteButton),
      this.paletteTitle,
      this.swatches,
      h("details", { class: "sampler", ontoggle: () => this.showSource() }, h("summary", {}, t("correct.pickFrom")), h("label", { class: "quiet", for: "pick-from" }, t("correct.pickFrom")), this.sources, this.sample),
      h("div", { class: "row" }, this.undoButton, this.redoButton, this.discardButton),
      h("div", { class: "row" }, this.paintButton, this.everywhereButton),
      this.about,
    );
    this.panel.addEventListener("keydown", (event) => this.onKey(event));
    const { easel } = this.view;
    easel.window.addEventListener("keydown", (event) => this.isOn && this.onEaselKey(event));
    easel.overlay.addEventListener("pointerdown", (event) => this.onDown(event));
    easel.overlay.addEventListener("keydown", (event) => this.onDotKey(event));
    easel.overlay.addEventListener("focusin", (event) => this.select(this.indexOf(event.target)));
  }

  toggle() {
    this.isOn = !this.isOn;
    const { view } = this;
    view.correct.setAttribute("aria-pressed", String(this.isOn));
    view.correct.textContent = t(this.isOn ? "correct.end" : "correct.start");
    this.panel.hidden = !this.isOn;
    view.easel.ontap = this.isOn ? (x, y) => this.onTap(x, y) : null;
    view.easel.onhover = this.isOn ? (x, y) => this.onHover(x, y) : null;
    view.easel.window.dataset.tool = this.isOn ? this.tool : "";
    this.update();
    view.lookAt(this.isOn ? "" : "source"); // dots want the whole page
    if (this.isOn) this.fillSources();
    else this.draw();
  }

  /** The page has changed, or the editor was opened. */
  async update() {
    const { page } = this.view;
    if (!this.isOn || !page?.artifacts.hints) return;
    const wanted = `${page.attempt}`;
    if (this.loaded !== wanted && !(this.isChanged && this.loaded)) {
      this.loaded = wanted;
      try {
        const file = JSON.parse(await (await fetchBlob(page.artifacts.hints, page.attempt)).text());
        if (this.loaded !== wanted) return;
        this.take(file);
        this.readRegions(page);
      } catch (error) {
        this.loaded = "";
        this.about.textContent = describe(error);
        return;
      }
    }
    this.draw();
  }

  async readRegions({ artifacts, attempt }) {
    if (!artifacts.regions) return;
    try {
      const regions = await readRegions(await fetchBlob(artifacts.regions, attempt));
      if (this.loaded === `${attempt}`) this.regions = regions;
    } catch (error) {
      this.about.textContent = describe(error);
    }
  }

  take({ hints, palette, size }) {
    Object.assign(this, { hints, palette: palette ?? [], size, saved: hints, past: [], future: [], selected: null });
    const draft = JSON.parse(localStorage.getItem(this.storageKey));
    if (!draft) return;
    // Laid over what is there now: meanwhile the other dots may have got other colours.
    const [gone, there] = [new Set(draft.gone), new Set(hints.map(looksOf))];
    const kept = hints.filter((hint) => !gone.has(placeOf(hint)));
    const added = draft.added.filter(([, hint]) => !there.has(looksOf(hint)));
    if (kept.length === hints.length && !added.length) return this.keepDraft(); // painted, though we were not told
    this.past = [hints];
    this.hints = kept;
    for (const [index, hint] of added) this.hints.splice(index, 0, hint);
    announce(t("correct.restored"));
  }

  /** Whether the page's dots are here; until then nothing is changed. */
  get isLoaded() {
    return this.size !== null;
  }

  get isChanged() {
    return this.isLoaded && this.hints !== this.saved;
  }

  /** Changes of one kind in a row, such as a colour picker's, are one step back. */
  change(hints, kind = null) {
    if (!kind || kind !== this.lastKind) this.past.push(this.hints);
    this.lastKind = kind;
    this.future = [];
    this.hints = hints;
    this.keepDraft();
    this.draw();
  }

  keepDraft() {
    if (!this.isChanged) return localStorage.removeItem(this.storageKey);
    const [before, now] = [new Set(this.saved), new Set(this.hints)];
    const gone = this.saved.filter((hint) => !now.has(hint)).map(placeOf);
    const added = [...this.hints.entries()].filter(([, hint]) => !before.has(hint));
    localStorage.setItem(this.storageKey, JSON.stringify({ gone, added }));
  }

  step(from, to) {
    if (!from.length) return;
    to.push(this.hints);
    this.hints = from.pop();
    this.lastKind = null;
    this.selected = this.selected < this.hints.length ? this.selected : null;
    this.keepDraft();
    this.draw();
  }

  undo() {
    this.step(this.past, this.future);
  }

  redo() {
    this.step(this.future, this.past);
  }

  discard() {
    if (this.isChanged) this.change(this.saved);
  }

  replace(index, changes, kind) {
    const next = [...this.hints];
    const { confidence, ...rest } = next[index];
    next[index] = { ...rest, ...changes, source: "user" };
    this.change(next, kind && `${kind} ${index}`);
  }

  setColour(rgb, kind = null) {
    this.colour = rgb;
    if (this.selected !== null) this.replace(this.selected, { rgb }, kind);
    else this.draw();
  }

  setTool(name) {
    this.tool = name;
    this.view.easel.window.dataset.tool = name;
    if (name !== "add") return;
    this.selected = null; // a colour chosen now is the next dot's
    this.mark();
  }

  add(x, y) {
    if (!this.isLoaded) return;
    if (this.hints.length >= MAX_HINTS) return announce(t("correct.full", MAX_HINTS), "bad");
    const region = this.regions?.at(x, y) ?? null;
    this.selected = this.hints.length;
    this.change([...this.hints, { x, y, rgb: this.colour, region, source: "user" }]);
    this.focus();
  }

  remove() {
    if (this.selected === null) return;
    const index = this.selected;
    this.selected = null;
    this.change(this.hints.filter((_, at) => at !== index));
    this.view.easel.window.focus();
  }

  move(index, x, y, kind) {
    const [inX, inY] = [x, y].map((value) => Math.min(1, Math.max(0, value)));
    this.replace(index, { x: inX, y: inY, region: this.regions?.at(inX, inY) ?? null }, kind);
  }

  // Pointers and keys

  onTap(x, y) {
    if (!(x >= 0 && x < 1 && y >= 0 && y < 1)) return;
    if (this.tool === "add") this.add(x, y);
    else if (this.tool === "pick") {
      const rgb = this.view.easel.colourAt(x, y);
      if (rgb) this.setColour(rgb);
    } else {
      this.select(null);
      this.draw();
    }
  }

  onHover(x, y) {
    const region = x === null ? null : (this.regions?.at(x, y) ?? null);
    if (region === this.lit) return;
    this.lit = region;
    this.regions?.light(this.glow, region, LIGHT);
  }

  indexOf(element) {
    return [...this.view.easel.overlay.querySelectorAll(".dot")].indexOf(element.closest(".dot"));
  }

  onDown(event) {
    const dot = event.target.closest(".dot");
    if (!dot) return;
    event.stopPropagation();
    event.preventDefault();
    const index = this.indexOf(dot);
    if (this.tool === "pick") return this.setColour(this.hints[index].rgb); // before focus, which would choose this dot
    dot.focus();
    dot.setPointerCapture(event.pointerId);
    this.isDragging = true;
    let at = null;
    const onMove = (moved) => {
      at = this.view.easel.locate(moved);
      dot.style.left = `${100 * at[0]}%`;
      dot.style.top = `${100 * at[1]}%`;
    };
    const onUp = () => {
      dot.removeEventListener("pointermove", onMove);
      this.isDragging = false;
      if (at) this.move(index, ...at);
      this.focus();
    };
    dot.addEventListener("pointermove", onMove);
    dot.addEventListener("lostpointercapture", onUp, { once: true });
  }

  onDotKey(event) {
    const index = this.indexOf(event.target);
    if (index < 0 || event.ctrlKey || event.metaKey) return;
    const by = event.shiftKey ? LONG_NUDGE : NUDGE;
    const moves = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] };
    const steps = { ".": 1, ",": -1 };
    if (moves[event.key]) {
      const { x, y } = this.hints[index];
      this.move(index, x + moves[event.key][0], y + moves[event.key][1], "nudge");
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.stopPropagation();
      event.preventDefault();
      return this.remove();
    } else if (steps[event.key]) this.selected = (index + steps[event.key] + this.hints.length) % this.hints.length;
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.draw();
    this.focus();
  }

  /** For those who have no pointer, Enter taps in the middle. */
  onEaselKey(event) {
    if (event.key !== "Enter" || event.target !== this.view.easel.window) return this.onKey(event);
    event.preventDefault();
    this.onTap(...this.view.easel.middle());
  }

  onKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("input:not([type=color]), select")) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) this.undo();
    else if (key === "y" || (key === "z" && event.shiftKey)) this.redo();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  select(index) {
    if (index === this.selected || index < 0) return;
    this.selected = index;
    this.lastKind = null;
    if (index !== null) this.colour = this.hints[index].rgb;
    this.mark();
  }

  focus() {
    this.view.easel.overlay.querySelectorAll(".dot")[this.selected]?.focus({ preventScroll: true });
  }

  // What is seen

  draw() {
    const { overlay } = this.view.easel;
    if (!this.isOn) return overlay.replaceChildren();
    if (this.isDragging) return; // the dot under the pointer must stay the one that it is
    const dots = this.hints.map((hint, index) => {
      const dot = h("button", { class: `dot ${hint.source}`, "aria-label": t("correct.dot", index + 1, toHex(hint.rgb)) });
      Object.assign(dot.style, { left: `${100 * hint.x}%`, top: `${100 * hint.y}%`, backgroundColor: toHex(hint.rgb) });
      return dot;
    });
    const hadFocus = overlay.contains(document.activeElement);
    overlay.replaceChildren(this.glow, ...dots);
    if (hadFocus && this.selected === null) this.view.easel.window.focus({ preventScroll: true });
    else if (hadFocus) this.focus();
    this.drawSwatches();
    this.mark();
  }

  drawSwatches() {
    const counts = this.palette.map((_, entry) => this.hints.filter((hint) => hint.entry === entry).length);
    this.paletteTitle.hidden = !this.palette.length;
    const swatch = (rgb, entry) => {
      const hex = toHex(rgb);
      const label = t("correct.swatch", hex, counts[entry]);
      const button = h("button", { class: "swatch", "aria-label": label, title: label, onclick: () => this.setColour(rgb) });
      button.style.backgroundColor = hex;
      return button;
    };
    const signature = JSON.stringify([this.palette, counts]);
    if (this.swatchesShown === signature) return;
    this.swatchesShown = signature;
    this.swatches.replaceChildren(...this.palette.map(swatch));
  }

  /** Which dot is chosen, and what can be done. */
  mark() {
    const { view } = this;
    view.easel.overlay.querySelectorAll(".dot").forEach((dot, index) => {
      const isChosen = index === this.selected;
      dot.classList.toggle("chosen", isChosen);
      dot.setAttribute("aria-pressed", String(isChosen));
      dot.tabIndex = isChosen || (this.selected === null && index === 0) ? 0 : -1;
    });
    this.colourInput.value = toHex(this.colour);
    this.undoButton.disabled = !this.past.length;
    this.redoButton.disabled = !this.future.length;
    this.discardButton.disabled = !this.isChanged;
    this.deleteButton.disabled = this.selected === null;
    const isBusy = !view.page || view.isBusy;
    this.paintButton.disabled = isBusy || !this.isChanged;
    const canSpread = this.corrections().length > 0;
    this.everywhereButton.hidden = !this.palette.length;
    this.everywhereButton.disabled = isBusy || this.isChanged || !view.hasJobEnded || !canSpread;
    this.about.textContent = isBusy
      ? t("correct.busy")
      : this.isChanged
        ? t("correct.unsaved")
        : canSpread
          ? view.hasJobEnded
            ? t("correct.everywhereAbout")
            : t("correct.everywhereLater")
          : t("correct.count", this.hints.length);
  }

  // Sending

  async paintAgain() {
    const clean = this.hints.map(({ x, y, rgb, region, source, confidence, entry }) => ({ x, y, rgb, region, source, confidence, entry }));
    const body = { version: 1, size: this.size, hints: clean, palette: this.palette };
    const sent = this.hints;
    this.paintButton.disabled = true;
    const isTaken = await this.view.rerun(() => askJson(`${this.view.link}/hints`, { method: "PUT", body }));
    if (isTaken) {
      this.saved = sent;
      this.keepDraft();
      announce(t("correct.painting"));
    }
    this.mark();
  }

  /** The palette's entries that this page's dots were given other colours than: [entry, rgb]. */
  corrections() {
    const found = new Map();
    for (const { source, entry, rgb } of this.hints) {
      if (source !== "user" || entry === null || entry === undefined) continue;
      if (toHex(rgb) !== toHex(this.palette[entry])) found.set(entry, rgb);
    }
    return [...found];
  }

  async useEverywhere() {
    const choices = this.corrections().map(([entry, rgb]) => {
      const box = h("input", { type: "checkbox", checked: true });
      const [from, to] = [this.palette[entry], rgb].map((one) => {
        const swatch = h("span", { class: "swatch still" });
        swatch.style.backgroundColor = toHex(one);
        return swatch;
      });
      return { entry, rgb, box, row: h("label", { class: "row" }, box, from, "→", to, h("code", {}, toHex(rgb))) };
    });
    const rows = choices.map(({ row }) => row);
    if (!(await confirmed(t("correct.everywhereTitle"), t("correct.everywhereText"), t("correct.everywhereYes"), t("no"), rows))) return;
    const colours = choices.filter(({ box }) => box.checked).map(({ entry, rgb }) => ({ old: this.palette[entry], new: rgb }));
    if (!colours.length) return;
    const { view } = this;
    let pages = [];
    await view.rerun(async () => {
      ({ pages } = await askJson(`/v1/jobs/${view.jobId}/palette`, { method: "PATCH", body: { colours } }));
      announce(pages.length ? t("correct.spread", pages) : t("correct.spreadNone"));
    });
  }

  // Colours from elsewhere

  fillSources() {
    const { job } = this.view;
    if (!job || this.sources.options.length) return;
    const references = job.references.map(({ name, link }) => [link, t("correct.reference", name)]);
    const pages = Array.from({ length: job.pages.total }, (_, index) => [`${index + 1}`, t("correct.page", index + 1)]);
    this.sources.append(...[...references, ...pages].map(([value, text]) => h("option", { value }, text)));
  }

  async showSource() {
    const { value } = this.sources;
    if (!this.isOn || !value || !this.sources.closest("details").open || this.sampled === value) return;
    this.sampled = value;
    try {
      let [link, version] = [value, ""];
      if (!value.startsWith("/")) {
        const page = await askJson(`/v1/jobs/${this.view.jobId}/pages/${value}`);
        [link, version] = [page.artifacts.final ?? page.artifacts.draft ?? page.artifacts.source, page.attempt];
      }
      const picture = await decode(await fetchBlob(link, version));
      if (this.sampled === value) draw(this.sample, picture);
      picture.close();
    } catch (error) {
      this.sampled = null;
      this.about.textContent = describe(error);
    }
  }

  pickFromSample(event) {
    const box = this.sample.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * this.sample.width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * this.sample.height);
    const { data } = this.sample.getContext("2d").getImageData(x, y, 1, 1);
    this.setColour([data[0], data[1], data[2]]);
  }
}

/** A dot's place, and its place and colour, as names: no two automatic dots share one. */
const placeOf = ({ x, y }) => `${x} ${y}`;
const looksOf = ({ x, y, rgb }) => `${x} ${y} ${rgb}`;
