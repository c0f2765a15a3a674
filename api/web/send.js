// Send: chapters and references dropped, put in order, sent. What is here survives a reload.
import { announce, h, whenSeen } from "./dom.js";
import { inNaturalOrder, isArchive, isPicture, look, readDrop, readList } from "./files.js";
import { forget, keep, recall } from "./keep.js";
import { paramFields } from "./params.js";
import { askJson, describe, freshId } from "./server.js";
import { sendAll } from "./uploads.js";
import { t } from "./words.js";
import { listZip } from "./zip.js";

const DRAFT = "draft";
const MAX_REFERENCES = 20;
let draft = null; // { chapters: [{ id, name, archive?, pages }], references, params, keys }: one for all visits
let sending = null; // an AbortController, while files are on their way
let view = null; // the latest: who leaves while files are on their way and comes back sees how far they are
let said = ""; // what went wrong

const items = () => [...draft.references, ...draft.chapters.flatMap((one) => (one.archive ? [one.archive] : one.pages))];
const fresh = () => ({ chapters: [], references: [], params: {} });

export async function showSend(main, signal) {
  draft ??= await recallDraft();
  new SendView(main, signal);
}

/** As it was left: names, order and uploads from the notes, files from their store. */
async function recallDraft() {
  const found = await recall("notes", DRAFT).catch(() => null);
  if (!found) return fresh();
  const revive = async (item) => ({ ...item, file: await recall("files", item.id) });
  const reviveAll = async (list) => (await Promise.all(list.map(revive))).filter((item) => item.file);
  const chapters = [];
  for (const one of found.chapters) {
    const [archive] = one.archive ? await reviveAll([one.archive]) : [];
    const pages = await reviveAll(one.pages);
    if (archive || pages.length) chapters.push({ ...one, archive, pages });
  }
  return { ...found, chapters, references: await reviveAll(found.references) };
}

class SendView {
  constructor(main, signal) {
    view = this;
    this.signal = signal;
    this.cards = new Map(); // item id → its card
    this.pages = h("div", {});
    this.references = h("ol", { class: "cards" });
    this.message = h("p", { class: "message", role: "alert" }, said);
    this.button = h("button", { class: "strong big", onclick: () => this.submit() });
    this.stop = h("button", { class: "plain", hidden: true, onclick: () => sending?.abort() }, t("send.stop"));
    main.append(
      h("h1", {}, t("send.title")),
      h("p", { class: "lead" }, t("send.lead")),
      (this.form = h(
        "fieldset", // as one, so that all of it rests while it is being sent
        { class: "columns" },
        h(
          "section",
          { "aria-labelledby": "pages-title" },
          h("h2", { id: "pages-title" }, t("send.pages")),
          this.zone("pages", t("send.dropPages"), true, (found) => this.addPages(found)),
          this.pages,
        ),
        h(
          "section",
          { class: "side", "aria-labelledby": "references-title" },
          h("h2", { id: "references-title" }, t("send.references")),
          this.zone("references", t("send.dropReferences"), false, (found) => this.addReferences(found)),
          this.references,
          h("h2", {}, t("send.params")),
          paramFields(draft.params, () => this.save()),
        ),
      )),
      h("div", { class: "bar" }, this.message, h("div", { class: "row end" }, this.stop, this.button)),
    );
    this.draw();
  }

  zone(name, text, folders, add) {
    const accept = "image/*,.png,.jpg,.jpeg,.webp,.bmp,.tif,.tiff,.gif" + (folders ? ",.cbz,.zip" : "");
    const take = async ({ target }) => {
      const found = readList(target.files);
      target.value = "";
      await add(found);
    };
    const files = h("input", { type: "file", multiple: true, accept, id: `choose-${name}`, class: "quiet", onchange: take });
    const folder = h("input", { type: "file", webkitdirectory: true, id: `choose-folder`, class: "quiet", onchange: take });
    const zone = h(
      "div",
      { class: "zone" },
      folders && h("img", { src: "/web/start.svg", alt: "", width: 264, height: 96 }), // seen while there is nothing else
      h("p", {}, text),
      h(
        "div",
        { class: "row" },
        h("span", { class: "chooser" }, files, h("label", { for: files.id, class: "button" }, t("send.choose"))),
        folders &&
          h("span", { class: "chooser" }, folder, h("label", { for: folder.id, class: "button" }, t("send.chooseFolder"))),
      ),
    );
    zone.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.toggle("over", !sending);
    });
    zone.addEventListener("dragleave", () => zone.classList.remove("over"));
    zone.addEventListener("drop", async (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.remove("over");
      if (sending) announce(t("send.wait"));
      else await add(await readDrop(event.dataTransfer));
    });
    return zone;
  }

  async addPages(found) {
    this.say("");
    const pictures = found.filter(({ name }) => isPicture(name)).map(newItem).sort(inNaturalOrder);
    const archives = found.filter(({ name }) => isArchive(name)).map(newItem).sort(inNaturalOrder);
    this.tellIgnored(found.length - pictures.length - archives.length);
    for (const archive of archives) {
      draft.chapters.push({ id: freshId(), name: stem(archive.name), archive, pages: [] });
    }
    if (pictures.length) {
      let loose = draft.chapters.find((one) => !one.archive);
      const folder = pictures[0].name.includes("/") ? pictures[0].name.split("/")[0] : "";
      if (!loose) draft.chapters.push((loose = { id: freshId(), name: folder, pages: [] }));
      loose.pages.push(...pictures);
    }
    await this.keepFiles([...pictures, ...archives]);
  }

  async addReferences(found) {
    this.say("");
    const pictures = found.filter(({ name }) => isPicture(name)).map(newItem).sort(inNaturalOrder);
    this.tellIgnored(found.length - pictures.length);
    draft.references.push(...pictures);
    if (draft.references.length > MAX_REFERENCES) {
      draft.references.length = MAX_REFERENCES;
      this.say(t("send.tooManyReferences", MAX_REFERENCES));
    }
    await this.keepFiles(pictures.filter((item) => draft.references.includes(item)));
  }

  tellIgnored(count) {
    if (count) announce(t("send.ignored", count));
  }

  async keepFiles(added) {
    this.draw();
    try {
      for (const item of added) await keep("files", item.id, item.file);
    } catch {
      this.say(t("send.notKept"));
    }
    await this.save();
  }

  /** Everything but the files, which are kept once. */
  async save() {
    const bare = ({ id, name, upload, isColoured }) => ({ id, name, upload, isColoured });
    const chapters = draft.chapters.map((one) => ({
      ...one,
      archive: one.archive && bare(one.archive),
      pages: one.pages.map(bare),
    }));
    const notes = { ...draft, chapters, references: draft.references.map(bare) };
    await keep("notes", DRAFT, JSON.parse(JSON.stringify(notes))).catch(() => {});
  }

  remove(item) {
    draft.references = draft.references.filter((one) => one !== item);
    for (const chapter of draft.chapters) {
      chapter.pages = chapter.pages.filter((one) => one !== item);
      if (chapter.archive === item) chapter.archive = null;
    }
    draft.chapters = draft.chapters.filter((one) => one.archive || one.pages.length);
    forget("files", item.id).catch(() => {});
    this.draw();
    this.save();
  }

  draw() {
    this.references.replaceChildren(...draft.references.map((item) => this.card(item, draft.references)));
    this.pages.replaceChildren(...draft.chapters.map((chapter) => this.chapter(chapter)));
    this.pages.previousElementSibling.classList.toggle("empty", !draft.chapters.length);
    const isBusy = Boolean(sending);
    const count = draft.chapters.length;
    this.button.textContent = isBusy ? t("send.sending") : count > 1 ? t("send.goMany", count) : t("send.go");
    this.button.disabled = isBusy;
    this.form.disabled = isBusy;
    this.stop.hidden = !isBusy;
  }

  chapter(chapter) {
    const id = `name-${chapter.id}`;
    const oninput = ({ target }) => {
      chapter.name = target.value;
      this.save();
    };
    const list = h("ol", { class: "cards" });
    const count = h("span", { class: "count" });
    if (chapter.archive) this.fillArchive(chapter, list, count);
    else {
      count.textContent = t("pages", chapter.pages.length);
      list.append(...chapter.pages.map((item) => this.card(item, chapter.pages)));
    }
    return h(
      "div",
      { class: "chapter" },
      h(
        "div",
        { class: "row" },
        h("label", { for: id }, t("send.name")),
        h("input", { id, value: chapter.name, maxlength: 200, oninput, placeholder: t("send.namePlaceholder") }),
        count,
        !chapter.archive &&
          chapter.pages.length > 1 &&
          h("button", { class: "plain", onclick: () => this.sort(chapter) }, t("send.sort")),
      ),
      list,
    );
  }

  sort(chapter) {
    chapter.pages.sort(inNaturalOrder);
    this.draw();
    this.save();
  }

  /** An archive's card, and its pages to look at: their order is the archive's own. */
  async fillArchive(chapter, list, count) {
    const { archive } = chapter;
    list.append(this.card(archive, [archive]));
    let pages;
    try {
      const entries = await listZip(archive.file);
      pages = entries.filter(({ name }) => isPicture(name) && !/(^|\/)(\.|__MACOSX\/)/.test(name)).sort(inNaturalOrder);
    } catch {
      count.textContent = t("send.unreadableArchive");
      return;
    }
    count.textContent = t("pages", pages.length);
    list.append(...pages.map((entry) => this.shown(entry.name, () => entry.read(), {})));
  }

  /** A thumbnail that is made when it is seen, and says when its page is in colour. */
  shown(name, read, item, extra = []) {
    const place = h("div", { class: "thumb" });
    const badge = h("span", { class: "badge", hidden: true }, t("send.coloured"));
    const card = h("li", { class: "card" }, place, badge, h("span", { class: "name", title: name }, name.split("/").pop()), extra);
    whenSeen(card, async () => {
      const seen = item.seen ?? (await look(await read()).catch(() => null));
      item.seen = seen;
      if (!seen) {
        place.textContent = t("send.noPreview");
        return;
      }
      item.isColoured = seen.isColoured;
      badge.hidden = !seen.isColoured;
      place.replaceChildren(seen.canvas);
    });
    return card;
  }

  card(item, list) {
    const index = list.indexOf(item);
    const move = (to) => {
      list.splice(index, 1);
      list.splice(to, 0, item);
      this.draw();
      this.save();
      this.cards.get(item.id)?.querySelector(to < index ? ".earlier" : ".later")?.focus();
    };
    const progress = h("progress", { max: 1, value: item.upload?.isSent ? 1 : 0, hidden: !item.upload, "aria-label": t("send.progress", item.name) });
    const buttons = h(
      "div",
      { class: "row tools" },
      list.length > 1 &&
        h("button", { class: "icon earlier", disabled: index === 0, "aria-label": t("send.earlier", item.name), onclick: () => move(index - 1) }, "◀"),
      list.length > 1 &&
        h("button", { class: "icon later", disabled: index === list.length - 1, "aria-label": t("send.later", item.name), onclick: () => move(index + 1) }, "▶"),
      h("button", { class: "icon", "aria-label": t("send.remove", item.name), onclick: () => this.remove(item) }, "✕"),
    );
    const isFile = isArchive(item.name);
    const card = isFile
      ? h("li", { class: "card file" }, h("div", { class: "thumb" }, "CBZ"), h("span", { class: "name", title: item.name }, item.name), progress, buttons)
      : this.shown(item.name, async () => item.file, item, [progress, buttons]);
    item.progress = progress;
    this.cards.set(item.id, card);
    if (list.length > 1) {
      card.draggable = true;
      card.addEventListener("dragstart", (event) => {
        event.dataTransfer.setData("text/plain", item.id);
        event.dataTransfer.effectAllowed = "move";
        this.dragged = { list, index };
      });
      card.addEventListener("dragover", (event) => {
        if (this.dragged?.list === list) event.preventDefault();
      });
      card.addEventListener("drop", (event) => {
        if (this.dragged?.list !== list) return;
        event.preventDefault();
        list.splice(index, 0, ...list.splice(this.dragged.index, 1));
        this.dragged = null;
        this.draw();
        this.save();
      });
      card.addEventListener("dragend", () => (this.dragged = null));
    }
    return card;
  }

  say(text) {
    said = text;
    this.message.textContent = text;
  }

  async submit() {
    this.say("");
    if (!draft.chapters.length) return this.say(t("send.needPages"));
    if (!draft.references.length) return this.say(t("send.needReference"));
    const grey = draft.references.filter((item) => item.isColoured === false);
    if (grey.length) return this.say(t("send.greyReference", grey[0].name));
    const controller = (sending = new AbortController());
    this.draw();
    try {
      const told = {
        progress: (item, share) => Object.assign(item.progress, { hidden: false, value: share }),
        waiting: (_item, error) => view.say(`${describe(error)} ${t("send.goesOn")}`),
        changed: () => this.save(),
      };
      await sendAll(items(), told, controller.signal);
      view.say("");
      const jobs = await this.create(controller.signal);
      const references = draft.references;
      draft = fresh();
      await forget("notes", DRAFT).catch(() => {});
      await forgetFiles(references);
      announce(t("send.sent"));
      const isHere = view.pages.isConnected; // who has gone elsewhere meanwhile stays there
      if (isHere) location.hash = jobs.length === 1 ? `#/jobs/${jobs[0]}` : "#/jobs";
    } catch (error) {
      view.say(controller.signal.aborted ? t("send.stopped") : describe(error));
    } finally {
      sending = null;
      view.draw();
    }
  }

  /** A job for each chapter; each under a key of its own, so that none is made twice. */
  async create(signal) {
    const made = [];
    for (const chapter of [...draft.chapters]) {
      chapter.key ??= freshId();
      await this.save();
      const body = { references: draft.references.map((item) => item.upload.id), params: filled(draft.params) };
      if (chapter.name.trim()) body.name = chapter.name.trim();
      if (chapter.archive) body.archive = chapter.archive.upload.id;
      else body.pages = chapter.pages.map((item) => item.upload.id);
      // What differs is another request, under another key: after an error somebody may have changed the order.
      const key = `${chapter.key}-${digest(JSON.stringify(body))}`;
      const job = await askJson("/v1/jobs", { method: "POST", body, headers: { "Idempotency-Key": key }, signal });
      made.push(job.id);
      // Taken: it must not go along again when a later one is refused.
      draft.chapters = draft.chapters.filter((one) => one !== chapter);
      await this.save();
      await forgetFiles(chapter.archive ? [chapter.archive] : chapter.pages);
    }
    return made;
  }
}

export const isSending = () => Boolean(sending);

const newItem = ({ name, file }) => ({ id: freshId(), name, file, upload: null });
const stem = (name) => name.split("/").pop().replace(/\.[^.]+$/, "");
const forgetFiles = (list) => Promise.all(list.map(({ id }) => forget("files", id).catch(() => {})));
const filled = (params) => Object.fromEntries(Object.entries(params).filter(([, value]) => value !== null));

/** Short and only to tell bodies apart: FNV-1a. */
function digest(text) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16);
}

