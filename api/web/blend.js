// λ as a live slider: between a few pictures that are exact, the others are mixed as fast as a canvas draws.
const KEYS = [0, 0.25, 0.5, 0.75, 1];

/** Works the pictures out; resolves to a Blend, whose `close` frees them. */
export async function prepareBlend({ aligned, rough, final, blend }, signal) {
  const worker = new Worker(new URL("./blend-worker.js", import.meta.url), { type: "module" });
  try {
    const frames = await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.frames));
      worker.onerror = (event) => reject(new Error(event.message));
      signal.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
      worker.postMessage({ aligned, rough, final, blend, keys: KEYS });
    });
    return new Blend(frames);
  } finally {
    worker.terminate();
  }
}

class Blend {
  constructor(frames) {
    this.frames = frames;
  }

  /** Draw the page at λ, 0..1, over a whole canvas. */
  draw(canvas, blend) {
    const context = canvas.getContext("2d");
    const at = blend * (KEYS.length - 1);
    const low = Math.min(KEYS.length - 2, Math.floor(at));
    const paint = (frame, alpha) => {
      context.globalAlpha = alpha;
      context.drawImage(frame, 0, 0, canvas.width, canvas.height);
    };
    paint(this.frames[low], 1);
    if (at > low) paint(this.frames[low + 1], at - low);
    context.globalAlpha = 1;
  }

  close() {
    this.frames.forEach((frame) => frame.close());
  }
}
