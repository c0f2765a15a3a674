// Look: one page, before and after, with all that was made on the way. Correct begins here, too.
import { announce, h, segmented } from "./dom.js";
import { prepareBlend } from "./blend.js";
import { Easel } from "./easel.js";
import { Editor } from "./editor.js";
import { ENDED, follow } from "./follow.js";
import { bestOf, saveAs } from "./job.js";
import { titleOf } from "./jobs.js";
import { keep, recall } from "./keep.js";
import { decode, draw, fetchBlob } from "./pictures.js";
import { askJson, describe } from "./server.js";
import { t } from "./words.js";

const PICTURES = ["source", "draft", "sketch", "rough", "aligned", "final"];
const BEFORE = "before"; // the final picture of before the last correction
const KEYS_REST_MS = 800;
const FIGURES = ["chroma_error", "psnr_db", "ssim", "delta_e2000"];

export async function showPage(main, signal, jobId, number) {
  const view = new PageView(main, signal, jobId, Number(number));
  await view.run();
}

export class PageView {
  constructor(main, signal, jobId, number) {
    Object.assign(this, { signal, jobId, number, page: null, job: null, isSending: false, isStale: false, ranFrom: null });
    this.link = `/v1/jobs/${jobId}/pages/${number}`;
    this.shown = null; // what of the page is looked at; null: the best that there is
    this.against = "source";
    this.before = null; // a Blob
    this.drawn = ""; // what the easel shows
    this.blend = null;
    this.easel = new Easel();
    this.editor = new Editor(this);
    this.build(main);
    signal.addEventListener("abort", () => this.dropBlend());
    const onkey = (event) => this.onKey(event);
    addEventListener("keydown", onkey);
    signal.addEventListener("abort", () => removeEventListener("keydown", onkey));
  }

  build(main) {
    this.title = h("h1", {}, t("loading"));
    this.state = h("span", { class: "chip" });
    this.earlier = h("a", { class: "button", rel: "prev" }, `‹ ${t("look.earlier")}`);
    this.later = h("a", { class: "button", rel: "next" }, `${t("look.later")} ›`);
    this.trouble = h("p", { class: "message", role: "alert" });
    this.tabs = h("div", { class: "tabs" });
    this.versus = h("select", { id: "versus", onchange: ({ target }) => this.lookAt(target.value) });
    this.pictures = h("p", { class: "about versus" });
    const zoom = (text, label, act) => h("button", { class: "icon", "aria-label": label, title: label, onclick: act }, text);
    this.blendSlider = h("input", { id: "blend", type: "range", min: 0, max: 1, step: 0.01, disabled: true });
    this.blendValue = h("output", { for: "blend" });
    this.blendState = h("p", { class: "about", role: "status" }, t("look.blendAbout"));
    this.blendPart = h(
      "section",
      { "aria-labelledby": "blend-label" },
      h("h2", {}, h("label", { for: "blend", id: "blend-label" }, t("look.blend"))),
      h("span", { class: "ranged" }, this.blendSlider, this.blendValue),
      this.blendState,
    );
    this.figures = h("section", { hidden: true });
    this.notes = h("ul", { class: "notes" });
    this.save = h("button", { class: "plain", hidden: true, onclick: () => this.savePicture() }, t("look.save"));
    this.correct = h("button", { class: "strong", "aria-pressed": "false", disabled: true, onclick: () => this.editor.toggle() }, t("correct.start"));
    main.append(
      h(
        "div",
        { class: "row between" },
        h("div", {}, h("a", { href: `#/jobs/${this.jobId}`, class: "back" }, `← ${t("look.back")}`), h("div", { class: "row" }, this.title, this.state)),
        h("nav", { class: "row", "aria-label": t("look.pages") }, this.earlier, this.later),
      ),
      this.trouble,
      h(
        "div",
        { class: "looking" },
        h(
          "div",
          { class: "wall" },
          h(
            "div",
            { class: "row between tools" },
            this.tabs,
            h("div", { class: "row" }, h("label", { for: "versus" }, t("look.against")), this.versus),
            h(
              "div",
              { class: "row" },
              zoom("−", t("look.smaller"), () => this.easel.zoom(1 / 1.25)),
              zoom("+", t("look.larger"), () => this.easel.zoom(1.25)),
              zoom("⤢", t("look.fit"), () => this.easel.fit()),
            ),
          ),
          this.easel.element,
          this.pictures,
        ),
        h("div", { class: "panel" }, this.correct, this.editor.panel, this.blendPart, this.figures, this.notes, this.save),
      ),
    );
    this.blendSlider.addEventListener("pointerenter", () => this.prepare());
    this.blendSlider.addEventListener("focus", () => this.prepare());
    this.blendSlider.addEventListener("input", () => this.onBlend());
    // A pointer lets go once; each press of a key is a change, of which the last counts.
    this.blendSlider.addEventListener("pointerdown", () => (this.byKeys = false));
    this.blendSlider.addEventListener("keydown", () => (this.byKeys = true));
    this.blendSlider.addEventListener("change", () => {
      clearTimeout(this.saving);
      this.saving = setTimeout(() => this.saveBlend(), this.byKeys ? KEYS_REST_MS : 0);
    });
    this.blendSlider.addEventListener("blur", () => this.saving && this.saveBlend());
  }

  async run() {
    const found = await recall("notes", BEFORE).catch(() => null);
    if (found?.link === this.link) this.before = found.blob;
    this.params = await askJson(`${this.link}/params`, { signal: this.signal });
    this.blendSlider.value = String(this.params.blend);
    this.blendValue.textContent = this.blendSlider.value;
    await this.follow();
  }

  async follow() {
    if (this.signal.aborted) return; // left while a correction was sent
    this.following?.abort(); // one is enough: each takes a connection
    const following = (this.following = new AbortController());
    this.signal.addEventListener("abort", () => following.abort());
    const told = {
      job: (job) => {
        const wasStale = this.isStale;
        Object.assign(this, { job, isStale: false });
        if (!this.page) return;
        if (wasStale) return this.update(this.page);
        this.showFrame();
        this.editor.mark();
      },
      pages: (pages) => {
        const page = pages.find(({ number }) => number === this.number);
        if (page) this.update(page);
      },
      trouble: (error) => {
        this.trouble.textContent = error ? describe(error) : "";
        if (!error) this.showFrame(); // which says what is wrong with the page itself
      },
    };
    return follow(this.jobId, told, following.signal);
  }

  /** Once a correction was taken: the job runs again. */
  again() {
    this.follow().catch((error) => !this.signal.aborted && (this.trouble.textContent = describe(error)));
  }

  /** Under way, or about to be: what is known is of before a correction. */
  get isBusy() {
    return this.isSending || this.isStale || ["queued", "running"].includes(this.page.status);
  }

  get hasJobEnded() {
    return ENDED.includes(this.job?.status);
  }

  update(page) {
    const hadFinal = this.page?.artifacts.final;
    const isNew = this.page && this.page.attempt !== page.attempt;
    this.page = page;
    if (isNew) this.dropBlend();
    const hasRun = this.ranFrom !== null && page.attempt > this.ranFrom;
    if (this.before && page.artifacts.final && (hasRun || !hadFinal)) Object.assign(this, { against: BEFORE, ranFrom: null });
    this.showFrame();
    this.showTabs();
    this.showFigures();
    this.editor.update();
    this.paint();
  }

  showFrame() {
    const { page, job } = this;
    if (!page || !job) return;
    const total = job.pages.total;
    const words = page.stage && this.isBusy ? t(`stage.${page.stage}`) : t(`status.${page.status}`);
    this.title.textContent = `${page.number}. ${page.name.split("/").pop()}`;
    document.title = `${page.number}/${total} ${words} · ${titleOf(job)} · Nurie`;
    this.state.textContent = words;
    this.state.className = `chip ${page.status}`;
    const go = (link, to) => {
      const isThere = to >= 1 && to <= total;
      link.setAttribute("aria-disabled", String(!isThere));
      if (isThere) link.href = `#/jobs/${this.jobId}/pages/${to}`;
      else link.removeAttribute("href");
    };
    go(this.earlier, page.number - 1);
    go(this.later, page.number + 1);
    if (page.status === "failed") this.trouble.textContent = `${t("look.failed")} ${page.error?.detail ?? ""}`;
    this.correct.disabled = !page.artifacts.hints;
    this.correct.title = page.artifacts.hints ? "" : t("correct.none");
    this.hadBlendFocus ||= document.activeElement === this.blendSlider;
    this.blendSlider.disabled = this.isBusy || !page.artifacts.final || !page.artifacts.rough;
    if (this.hadBlendFocus && !this.blendSlider.disabled) {
      this.hadBlendFocus = false;
      // It lost it while the page was finished anew; who has no pointer would have to find it again.
      if (this.byKeys && document.activeElement === document.body) this.blendSlider.focus({ preventScroll: true });
    }
    this.blendPart.hidden = page.status === "skipped";
    this.save.hidden = !page.artifacts.final && page.status !== "skipped";
    const warnings = Object.values(page.timings).map(({ warning }) => warning);
    this.notes.replaceChildren(...warnings.filter(Boolean).map((warning) => h("li", {}, warning)));
  }

  showTabs() {
    const there = PICTURES.filter((name) => this.page.artifacts[name]);
    const current = this.current();
    const signature = `${there} ${current} ${Boolean(this.before)} ${this.against}`;
    if (this.tabsShown === signature) return;
    this.tabsShown = signature;
    const show = (name) => {
      this.shown = name;
      this.paint();
    };
    this.tabs.replaceChildren(segmented(t("look.pictures"), there.map((name) => [name, t(`picture.${name}`)]), current, show));
    const others = [["", t("look.nothing")], ...there.map((name) => [name, t(`picture.${name}`)])];
    if (this.before) others.push([BEFORE, t("picture.before")]);
    this.versus.replaceChildren(...others.map(([value, text]) => h("option", { value }, text)));
    if (!others.some(([value]) => value === this.against)) this.against = "source";
    this.versus.value = this.against;
  }

  /** Lay another picture beside; none where the name is empty. */
  lookAt(against) {
    this.against = against;
    this.showTabs();
    this.paint();
  }

  /** What is looked at: what was chosen, as long as it is there. */
  current() {
    return this.page.artifacts[this.shown] ? this.shown : bestOf(this.page);
  }

  async paint() {
    const { page } = this;
    const current = this.current();
    if (!current) return;
    // While a page is painted again its last picture stays: the draft instead would look like a loss.
    if (this.isBusy && this.before && this.drawn && !this.shown) return;
    const against = this.against === current ? "" : this.against;
    const wanted = `${current} ${page.attempt} ${against}`;
    if (this.drawn === wanted) return;
    this.drawn = wanted;
    try {
      const blobs = [fetchBlob(page.artifacts[current], page.attempt)];
      if (against) blobs.push(against === BEFORE ? this.before : fetchBlob(page.artifacts[against], page.attempt));
      const [first, second] = await Promise.all(blobs);
      const picture = await decode(first);
      const other = second && (await decode(second).catch(() => null)); // a page sent as TIFF: then nothing lies beside
      if (this.drawn === wanted) {
        draw(this.easel.lower, picture);
        if (other) draw(this.easel.upper, other);
        this.easel.setSize(picture.width, picture.height);
        this.easel.compare(Boolean(other));
        this.easel.lower.setAttribute("aria-label", `${page.name}: ${t(`picture.${current}`)}`);
        this.pictures.textContent = other ? t("look.sides", t(`picture.${against}`), t(`picture.${current}`)) : t(`picture.${current}`);
        if (other) this.easel.upper.setAttribute("aria-label", `${page.name}: ${t(`picture.${against}`)}`);
      }
      picture.close();
      other?.close();
    } catch (error) {
      if (this.drawn !== wanted || this.signal.aborted) return;
      this.drawn = "";
      if (page.status === "failed") return; // that is said already, and why
      this.trouble.textContent = error instanceof DOMException ? t("look.unreadable") : describe(error);
    }
  }

  showFigures() {
    const metrics = this.page.metrics;
    this.figures.hidden = !metrics?.final;
    if (!metrics?.final) return;
    const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
    this.figures.replaceChildren(
      h("h2", {}, t("look.figures")),
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, h("th", {}), h("th", { scope: "col" }, t("picture.final")), h("th", { scope: "col" }, t("picture.source")))),
        h(
          "tbody",
          {},
          FIGURES.map((name) =>
            h("tr", {}, h("th", { scope: "row" }, t(`figure.${name}`)), h("td", {}, number(metrics.final[name])), h("td", {}, number(metrics.grey?.[name]))),
          ),
        ),
      ),
    );
  }

  // λ

  async prepare() {
    const { page } = this;
    if (this.blend || this.preparing || this.blendSlider.disabled) return this.preparing;
    const controller = new AbortController();
    this.stopPreparing = () => controller.abort();
    this.blendState.textContent = t("look.blendPreparing");
    this.preparing = (async () => {
      try {
        const names = ["aligned", "rough", "final"];
        const blobs = await Promise.all(names.map((name) => fetchBlob(page.artifacts[name], page.attempt)));
        const pictures = Object.fromEntries(names.map((name, index) => [name, blobs[index]]));
        this.blend = await prepareBlend({ ...pictures, blend: this.params.blend }, controller.signal);
        this.blendState.textContent = t("look.blendReady");
        if (this.isSliding) this.onBlend();
      } catch (error) {
        if (!controller.signal.aborted) this.blendState.textContent = describe(error);
      } finally {
        this.preparing = null;
      }
    })();
    return this.preparing;
  }

  dropBlend() {
    this.stopPreparing?.();
    this.blend?.close();
    this.blend = null;
  }

  onBlend() {
    this.isSliding = true;
    this.blendValue.textContent = this.blendSlider.value;
    if (!this.blend) return void this.prepare();
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      if (!this.blend) return;
      this.drawn = "blend";
      this.blend.draw(this.easel.lower, Number(this.blendSlider.value));
    });
  }

  async saveBlend() {
    clearTimeout(this.saving);
    this.saving = null;
    this.isSliding = false;
    const blend = Number(this.blendSlider.value);
    const isNew = blend !== this.params.blend;
    const isTaken =
      isNew &&
      (await this.rerun(async () => {
        await askJson(`${this.link}/params`, { method: "PATCH", body: { blend } });
        this.params.blend = blend;
        this.blendState.textContent = t("look.blendSaved");
      }));
    this.blendSlider.value = this.blendValue.textContent = String(this.params.blend);
    if (isTaken) return;
    this.drawn = ""; // back to the picture that the server made
    this.paint();
  }

  /** Send a correction; the picture that there was is kept, to lie beside the new one. Whether it was taken. */
  async rerun(send) {
    const { attempt, artifacts } = this.page;
    this.setSending(true);
    const blob = artifacts.final ? await fetchBlob(artifacts.final, attempt).catch(() => null) : null;
    try {
      await send();
      Object.assign(this, { ranFrom: attempt, isStale: true });
    } catch (error) {
      this.trouble.textContent = describe(error);
      return false;
    } finally {
      this.setSending(false);
    }
    this.trouble.textContent = "";
    if (blob) {
      this.before = blob;
      await keep("notes", BEFORE, { link: this.link, blob }).catch(() => {});
    }
    this.shown = null;
    this.again();
    return true;
  }

  setSending(isSending) {
    this.isSending = isSending;
    this.showFrame();
    this.editor.mark();
  }

  savePicture() {
    const name = this.page.artifacts.final ? "final" : "source";
    const suffix = name === "final" ? { jpeg: "jpg" }[this.params.format] ?? this.params.format : this.page.name.split(".").pop();
    saveAs(this.page.artifacts[name], `${this.page.name.split("/").pop().replace(/\.[^.]+$/, "")}.${suffix}`, this.trouble);
    announce(t("look.saving"));
  }

  onKey(event) {
    if (event.target.closest?.("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "PageUp" && this.earlier.href) this.earlier.click();
    else if (event.key === "PageDown" && this.later.href) this.later.click();
    else return;
    event.preventDefault();
  }
}
