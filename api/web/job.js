// Watch: a chapter as a grid of pages, which fill in as they come.
import { announce, confirmed, h, pause, whenSeen } from "./dom.js";
import { ENDED, follow } from "./follow.js";
import { titleOf } from "./jobs.js";
import { decode, draw, fetchBlob } from "./pictures.js";
import { ask, askJson, describe, freshId, received } from "./server.js";
import { duration, t } from "./words.js";

export const BEST_FIRST = ["final", "rough", "draft", "source"];
const THUMBNAIL_PX = 320;
const OUTLOOK_MS = 4000;

/** What is there of a page that is the most finished. */
export const bestOf = (page) => BEST_FIRST.find((name) => page.artifacts[name]);

export async function showJob(main, signal, id) {
  const view = new JobView(main, signal, id);
  view.watchQueue();
  await view.run();
}

class JobView {
  constructor(main, signal, id) {
    this.signal = signal;
    this.link = `/v1/jobs/${id}`;
    this.id = id;
    this.cards = new Map(); // page number → Card
    this.title = h("h1", {}, t("loading"));
    this.state = h("p", { class: "state" });
    this.bar = h("progress", { max: 1, value: 0, "aria-label": t("job.overall") });
    this.trouble = h("p", { class: "message", role: "alert" });
    this.actions = h("div", { class: "row" });
    this.grid = h("ol", { class: "grid" });
    main.append(this.title, this.state, this.bar, this.trouble, this.actions, this.grid);
    this.changed = new Map();
  }

  async run() {
    const told = {
      job: (job) => this.showState(job),
      pages: (pages) => this.showPages(pages),
      trouble: (error) => (this.trouble.textContent = error ? describe(error) : ""),
    };
    await follow(this.id, told, this.signal);
  }

  /** Started again after what makes an ended job run once more. */
  again() {
    this.run().catch((error) => (this.trouble.textContent = describe(error)));
  }

  showState(job) {
    this.job = job;
    const { pages, reference_model: model } = job;
    const done = pages.succeeded + pages.skipped + pages.failed + pages.cancelled;
    const hasEnded = ENDED.includes(job.status);
    const learns = !hasEnded && model && model.status !== "ready" && pages.running === 0 && done === 0;
    this.title.textContent = titleOf(job);
    const words = [t(`status.${job.status}`)];
    if (learns) words[0] = model.status === "training" ? t("job.learning", Math.round(model.progress * 100)) : t("job.willLearn");
    words.push(t("job.progress", done, pages.total));
    if (pages.failed) words.push(t("jobs.failed", pages.failed));
    if (this.outlook && !hasEnded) words.push(...this.outlook);
    if (job.error) words.push(job.error.detail);
    if (model?.error) words.push(t("job.trainingFailed", model.error.detail));
    this.state.textContent = words.join(" · ");
    this.bar.hidden = hasEnded;
    // The training is half of the way of a short chapter; a bar that stands still says nothing.
    const learned = model && model.status !== "ready" ? model.progress : 1;
    this.bar.max = pages.total + 2;
    this.bar.value = done + 2 * learned;
    document.title = `${hasEnded ? `${t(`status.${job.status}`)}` : `${done}/${pages.total}`} · ${titleOf(job)} · Nurie`;
    this.showActions(job, hasEnded);
  }

  showActions(job, hasEnded) {
    const { links, pages } = job;
    const { archive } = job.params;
    const wanted = JSON.stringify([job.status, links, pages.failed, job.error]);
    if (this.shownActions === wanted) return; // a button under somebody's finger stays where it is
    this.shownActions = wanted;
    const canRetry = hasEnded && job.status !== "cancelled" && (pages.failed > 0 || job.error);
    const save = (link, text, suffix, kind = "plain") =>
      links[link] && h("button", { class: kind, onclick: () => saveAs(links[link], titleOf(this.job) + suffix, this.trouble) }, text);
    this.actions.replaceChildren(
      ...[
        hasEnded && save("result", t("job.take", archive.toUpperCase()), `.${archive}`, "strong"),
        hasEnded && save("report", t("job.report"), " report.html"),
        hasEnded && save("table", t("job.table"), " metrics.csv"),
        !hasEnded && h("button", { class: "plain", onclick: () => this.cancel() }, t("job.cancel")),
        canRetry && h("button", { class: "plain", onclick: () => this.retry() }, t("job.retry")),
        hasEnded && h("button", { class: "plain bad", onclick: () => this.remove() }, t("job.delete")),
      ].filter(Boolean),
    );
  }

  /** Pages in one go per frame, however many come at once. */
  showPages(pages) {
    const isFirst = this.changed.size === 0;
    for (const page of pages) this.changed.set(page.number, page);
    if (isFirst && this.changed.size) requestAnimationFrame(() => this.flush());
  }

  flush() {
    const fresh = [];
    for (const page of this.changed.values()) {
      let card = this.cards.get(page.number);
      if (!card) {
        card = new Card(this.id, page.number);
        this.cards.set(page.number, card);
        fresh.push(card.element);
      }
      card.show(page);
    }
    this.changed.clear();
    this.grid.append(...fresh);
  }

  async watchQueue() {
    while (!this.signal.aborted) {
      if (this.job && !ENDED.includes(this.job.status) && !document.hidden) {
        const queue = await askJson(`${this.link}/queue`, { signal: this.signal }).catch(() => null); // an extra only
        if (queue) {
          this.outlook = [
            queue.pages_ahead > 0 && t("job.ahead", queue.pages_ahead),
            queue.estimate_s !== null && t("job.estimate", duration(queue.estimate_s)),
          ].filter(Boolean);
          this.showState(this.job);
        }
      }
      await pause(OUTLOOK_MS, this.signal);
    }
  }

  async act(path, method, after) {
    try {
      const headers = method === "POST" ? { "Idempotency-Key": freshId() } : {};
      await askJson(`${this.link}${path}`, { method, headers });
      await after();
    } catch (error) {
      this.trouble.textContent = describe(error);
    }
  }

  async cancel() {
    if (!(await confirmed(t("job.cancelTitle"), t("job.cancelText"), t("job.cancel"), t("no")))) return;
    await this.act("/cancel", "POST", () => announce(t("job.cancelled")));
  }

  async retry() {
    await this.act("/retry", "POST", () => this.again());
  }

  async remove() {
    if (!(await confirmed(t("job.deleteTitle"), t("job.deleteText"), t("job.delete"), t("no")))) return;
    await this.act("", "DELETE", () => {
      announce(t("job.deleted"));
      location.hash = "#/jobs";
    });
  }
}

/** A page in the grid. */
class Card {
  constructor(jobId, number) {
    this.canvas = h("canvas", { width: 0, height: 0, role: "img" });
    this.frame = h("div", { class: "frame" }, this.canvas);
    this.name = h("span", { class: "name" });
    this.state = h("span", { class: "chip" });
    this.about = h("span", { class: "bad small" });
    const link = h("a", { href: `#/jobs/${jobId}/pages/${number}` }, this.frame, h("span", { class: "caption" }, this.name, this.state), this.about);
    this.element = h("li", { class: "page", id: `page-${number}` }, link);
    this.isSeen = false;
    whenSeen(this.element, () => {
      this.isSeen = true;
      this.fill();
    });
  }

  show(page) {
    this.page = page;
    const words = page.status === "running" || (page.status === "queued" && page.stage !== "cgan") ? t(`stage.${page.stage}`) : t(`status.${page.status}`);
    this.name.textContent = `${page.number}. ${page.name.split("/").pop()}`;
    this.state.textContent = words;
    this.state.className = `chip ${page.status}`;
    this.about.textContent = page.status === "failed" ? (page.error?.detail ?? "") : "";
    this.canvas.setAttribute("aria-label", `${page.name}: ${words}`);
    if (this.isSeen) this.fill();
  }

  async fill() {
    const { page } = this;
    const best = page && bestOf(page);
    const wanted = best && `${best} ${page.attempt}`;
    if (!wanted || this.shown === wanted) return;
    this.shown = wanted;
    try {
      const picture = await decode(await fetchBlob(page.artifacts[best], `${page.attempt}`), THUMBNAIL_PX);
      if (this.shown === wanted) draw(this.canvas, picture);
      picture.close();
      this.frame.className = `frame ${best}`;
    } catch {
      if (this.shown === wanted) this.shown = null; // it has moved on, or comes again with the next change
    }
  }
}

/** Save what lies behind a link: fetched here, for a link by itself would not bring the key. */
export async function saveAs(link, name, trouble) {
  try {
    const url = URL.createObjectURL(await received((await ask(link)).blob()));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  } catch (error) {
    trouble.textContent = describe(error);
  }
}
