// Pictures of a job, fetched with the key and kept for as long as there is room. A version names what never changes.
import { ask, received } from "./server.js";

const AT_ONCE = 4;
const KEPT_BYTES = 256e6;
const kept = new Map(); // address and version → { promise, bytes }, the least lately used first
const waiting = [];
let under_way = 0;

/** The bytes behind a link. `version` tells a page's attempts apart. */
export function fetchBlob(link, version = "") {
  const key = `${link} ${version}`;
  const known = kept.get(key);
  if (known) {
    kept.delete(key);
    kept.set(key, known);
    return known.promise;
  }
  const entry = { bytes: 0, promise: null };
  entry.promise = inTurn(async () => received((await ask(link)).blob())).then(
    (blob) => ((entry.bytes = blob.size), shrink(), blob),
    (error) => {
      kept.delete(key);
      throw error;
    },
  );
  kept.set(key, entry);
  return entry.promise;
}

/** A picture decoded, and where `width` is given so many pixels wide; the caller closes it. */
export function decode(blob, width) {
  // In one step, which browsers do aside; a second one, from picture to picture, would hold up the page.
  const size = width ? { resizeWidth: width, resizeQuality: "medium" } : {};
  return createImageBitmap(blob, { colorSpaceConversion: "none", ...size });
}

/** Draw a picture into a canvas, which takes its size. */
export function draw(canvas, picture) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").drawImage(picture, 0, 0);
}

function shrink() {
  let total = [...kept.values()].reduce((sum, entry) => sum + entry.bytes, 0);
  for (const [key, entry] of kept) {
    if (total <= KEPT_BYTES) return;
    total -= entry.bytes;
    kept.delete(key);
  }
}

async function inTurn(act) {
  if (under_way >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  under_way += 1;
  try {
    return await act();
  } finally {
    under_way -= 1;
    waiting.pop()?.(); // the latest first: it is what is being looked at
  }
}
