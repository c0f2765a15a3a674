// The list of chapters: this browser's, or the key's.
import { h, pause } from "./dom.js";
import { ENDED } from "./follow.js";
import { askJson, describe, isPassing } from "./server.js";
import { t, when } from "./words.js";

const AT_ONCE = 20;
const AGAIN_MS = 3000;
const HIDDEN_MS = 15000;

export async function showJobs(main, signal) {
  const list = h("ol", { class: "jobs" });
  const state = h("p", { class: "loading" }, t("loading"));
  const more = h("button", { class: "plain", hidden: true }, t("jobs.more"));
  main.append(h("h1", {}, t("jobs.title")), state, list, more);
  let shown = AT_ONCE;
  let listed = "";
  let hurry = new AbortController();
  more.addEventListener("click", () => {
    shown += AT_ONCE;
    hurry.abort();
  });
  signal.addEventListener("abort", () => hurry.abort());
  while (!signal.aborted) {
    let isWaiting = true;
    try {
      const { jobs, next } = await listJobs(shown, signal);
      const latest = JSON.stringify(jobs);
      if (listed !== latest) list.replaceChildren(...jobs.map(card)); // else what has focus keeps it
      listed = latest;
      state.className = "";
      state.replaceChildren(...(jobs.length ? [] : [t("jobs.none"), " ", h("a", { href: "#/" }, t("jobs.sendOne"))]));
      more.hidden = next === null;
      isWaiting = jobs.some((job) => !ENDED.includes(job.status));
    } catch (error) {
      if (signal.aborted) return;
      state.className = "message";
      state.textContent = describe(error);
      if (!isPassing(error)) return;
    }
    hurry = new AbortController();
    await pause(document.hidden || !isWaiting ? HIDDEN_MS : AGAIN_MS, hurry.signal);
  }
}

async function listJobs(count, signal) {
  const jobs = [];
  let next = "";
  while (jobs.length < count && next !== null) {
    const part = await askJson(`/v1/jobs?limit=${AT_ONCE}${next && `&cursor=${next}`}`, { signal });
    jobs.push(...part.jobs.filter((job) => job.kind === "colorize"));
    next = part.next;
  }
  return { jobs, next };
}

function card(job) {
  const done = job.pages.succeeded + job.pages.skipped + job.pages.failed + job.pages.cancelled;
  return h(
    "li",
    {},
    h(
      "a",
      { href: `#/jobs/${job.id}`, class: "job" },
      h("strong", {}, titleOf(job)),
      h("span", { class: `chip ${job.status}` }, t(`status.${job.status}`)),
      h("span", { class: "about" }, `${when(job.created_at)} · ${t("pages", job.pages.total)}`),
      !ENDED.includes(job.status) &&
        h("progress", { max: job.pages.total || 1, value: done, "aria-label": t("job.progress", done, job.pages.total) }),
      job.pages.failed > 0 && h("span", { class: "bad" }, t("jobs.failed", job.pages.failed)),
    ),
  );
}

export const titleOf = (job) => job.name ?? t("job.unnamed", job.id.slice(-6));
