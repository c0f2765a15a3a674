// Following a job: told by events while the page is seen, asking with ETag, seldom, while it is not.
import { pause } from "./dom.js";
import { Refusal, Unreachable, ask, askJson, isPassing, received } from "./server.js";

export const ENDED = ["succeeded", "partial", "failed", "cancelled"];
const HIDDEN_MS = 5000;
const AGAIN_MS = 2000;
const PAGES_AT_ONCE = 1000;

export async function listPages(link, signal) {
  const pages = [];
  for (let cursor = 0; cursor !== null; ) {
    const part = await askJson(`${link}?limit=${PAGES_AT_ONCE}&cursor=${cursor}`, { signal });
    pages.push(...part.pages);
    cursor = part.next;
  }
  return pages;
}

/**
 * Tell of a job and its pages until it has ended, or the signal is aborted.
 * `told.job(job)` and `told.pages(pages)` get whole states; `told.trouble(error)` what goes wrong for a while, and null
 * when it is over. Throws what will not pass, such as a job that is gone.
 */
export async function follow(id, told, signal) {
  const link = `/v1/jobs/${id}`;
  let etag = null;
  while (!signal.aborted) {
    let isPaced = false;
    try {
      const response = await ask(link, { headers: etag ? { "If-None-Match": etag } : {}, signal });
      if (response.status !== 304) {
        const job = await received(response.json());
        const pages = await listPages(`${link}/pages`, signal);
        told.trouble(null);
        told.pages(pages);
        told.job(job);
        etag = response.headers.get("ETag");
        if (ENDED.includes(job.status)) return;
      } else told.trouble(null);
      if (!document.hidden) {
        isPaced = await listen(`${link}/events`, told, signal);
        etag = null; // what was told is newer than what that names
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) throw error;
      const isFull = error instanceof Refusal && error.code === "too_many_streams"; // then asking does
      told.trouble(isFull ? null : error);
      await pause(Math.max(AGAIN_MS, (error.retryAfterS ?? 0) * 1000), signal);
      continue;
    }
    await pause(document.hidden ? HIDDEN_MS : isPaced ? 0 : AGAIN_MS, signal);
  }
}

/** Read events until there are no more, or the page is hidden; whether the job has ended. */
async function listen(link, told, signal) {
  const stop = new AbortController();
  const end = () => stop.abort();
  const onHidden = () => document.hidden && end();
  signal.addEventListener("abort", end);
  document.addEventListener("visibilitychange", onHidden);
  let hasEnded = false;
  try {
    const response = await ask(link, { signal: stop.signal });
    if (response.status === 204) return true;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return hasEnded;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      const pages = [];
      let job = null;
      for (const event of events) {
        const [, kind] = /^event: (.*)$/m.exec(event) ?? [];
        const [, data] = /^data: (.*)$/m.exec(event) ?? [];
        if (kind === "page") pages.push(JSON.parse(data));
        else if (kind === "job") job = JSON.parse(data);
      }
      if (pages.length) told.pages(pages);
      if (job) told.job(job);
      hasEnded ||= Boolean(job) && ENDED.includes(job.status);
    }
  } catch (error) {
    if (error.name === "AbortError" && !signal.aborted) return true; // hidden: goes on by asking
    throw error instanceof TypeError ? new Unreachable(error.message) : error;
  } finally {
    stop.abort();
    signal.removeEventListener("abort", end);
    document.removeEventListener("visibilitychange", onHidden);
  }
}
