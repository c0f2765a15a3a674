// Sending files straight to storage: again after a broken connection, and only what has not arrived.
import { pause } from "./dom.js";
import { Refusal, Unreachable, askJson, isPassing } from "./server.js";

const AT_ONCE = 3;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30000;
const DIGESTED_BYTES = 64e6; // a browser takes digests of what lies in memory only
const EXPIRED = 403;

/**
 * Send files; resolves once all have arrived.
 * items: [{ file, name, upload }], whose `upload` is set to { id, … } as soon as one is announced, to go on with later.
 * told.progress(item, share), told.waiting(item, error) while nobody answers, told.changed() when an upload is worth keeping.
 */
export async function sendAll(items, told, signal) {
  const left = [...items];
  const stop = new AbortController();
  const end = () => stop.abort();
  signal.addEventListener("abort", end);
  try {
    const work = async () => {
      while (left.length) await send(left.shift(), told, stop.signal);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    end(); // one was refused: the others need not go on
    signal.removeEventListener("abort", end);
  }
}

async function send(item, told, signal) {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    try {
      if (await hasArrived(item, signal)) break;
      if (!item.upload?.url) {
        item.upload = await announce(item, signal);
        told.changed();
      }
      if (!item.upload.received) await put(item, (share) => told.progress(item, share), signal);
      break;
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error;
      told.waiting(item, error);
      await pause(Math.max(pauseMs, (error.retryAfterS ?? 0) * 1000), signal);
    }
  }
  item.upload = { id: item.upload.id, isSent: true };
  told.progress(item, 1);
  told.changed();
}

async function hasArrived(item, signal) {
  if (!item.upload) return false;
  try {
    const { received } = await askJson(`/v1/uploads/${item.upload.id}`, { signal });
    if (!received && item.upload.isSent) item.upload = null;
    return received;
  } catch (error) {
    if (error.status !== 404) throw error;
    item.upload = null; // kept for a day only: announced anew
    return false;
  }
}

async function announce({ file, name }, signal) {
  const body = { filename: name.slice(-255), size: file.size };
  if (crypto.subtle && file.size <= DIGESTED_BYTES) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    body.sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  const { id, url, headers, received } = await askJson("/v1/uploads", { method: "POST", body, signal });
  return { id, url, headers, received }; // received: the server has these bytes already
}

/** PUT with XMLHttpRequest: fetch tells nothing of how far it is. */
function put(item, onShare, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("PUT", item.upload.url);
    for (const [name, value] of Object.entries(item.upload.headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onShare(total ? loaded / total : 0);
    request.onload = () => {
      if (request.status < 300) return resolve();
      if (request.status === EXPIRED) {
        item.upload = null;
        return reject(new Unreachable("the address has expired"));
      }
      let problem = {};
      try {
        problem = JSON.parse(request.responseText);
      } catch {
        problem = { title: request.statusText }; // a bucket answers in XML
      }
      reject(new Refusal(request.status, problem));
    };
    request.onerror = request.ontimeout = () => reject(new Unreachable("the connection broke"));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort);
    request.send(item.file);
  });
}
