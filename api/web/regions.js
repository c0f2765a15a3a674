// The page's regions: a PNG of 16-bit ids, which a canvas would cut down to 8. PNG (W3C), sections 5, 7 and 9.
const SIGNATURE_BYTES = 8;
const GREY = 0;

/** Read a grey PNG of 16 bits without interlace, as the stage writes it. */
export async function readRegions(blob) {
  const view = new DataView(await blob.arrayBuffer());
  const parts = [];
  let width = 0;
  let height = 0;
  for (let at = SIGNATURE_BYTES; at < view.byteLength; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...new Uint8Array(view.buffer, at + 4, 4));
    if (kind === "IHDR") {
      [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      const [depth, colour, interlace] = [16, 17, 20].map((offset) => view.getUint8(at + offset));
      if (depth !== 16 || colour !== GREY || interlace) throw new Error("no picture of regions");
    } else if (kind === "IDAT") parts.push(new Uint8Array(view.buffer, at + 8, length));
    at += length + 12;
  }
  const inflated = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Regions(width, height, unfilter(new Uint8Array(await new Response(inflated).arrayBuffer()), width, height));
}

function unfilter(raw, width, height) {
  const stride = 2 * width;
  const ids = new Uint16Array(width * height);
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y += 1) {
    const start = y * (stride + 1);
    const filter = raw[start];
    const line = raw.subarray(start + 1, start + 1 + stride);
    for (let x = 0; x < stride; x += 1) {
      const left = x < 2 ? 0 : line[x - 2];
      const corner = x < 2 ? 0 : above[x - 2];
      if (filter === 1) line[x] += left;
      else if (filter === 2) line[x] += above[x];
      else if (filter === 3) line[x] += (left + above[x]) >> 1;
      else if (filter === 4) line[x] += paeth(left, above[x], corner);
    }
    for (let x = 0; x < width; x += 1) ids[y * width + x] = (line[2 * x] << 8) | line[2 * x + 1];
    above = line;
  }
  return ids;
}

function paeth(left, above, corner) {
  const guess = left + above - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? above : corner;
}

class Regions {
  constructor(width, height, ids) {
    Object.assign(this, { width, height, ids });
    this.boxes = new Map(); // id → [left, top, right, bottom]
    for (let y = 0, i = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1, i += 1) {
        const box = this.boxes.get(ids[i]);
        if (!box) this.boxes.set(ids[i], [x, y, x, y]);
        else {
          if (x < box[0]) box[0] = x;
          if (x > box[2]) box[2] = x;
          box[3] = y;
        }
      }
    }
  }

  /** The region at a place in shares of the page; null on lines and outside. */
  at(x, y) {
    if (!(x >= 0 && x < 1 && y >= 0 && y < 1)) return null;
    return this.ids[Math.floor(y * this.height) * this.width + Math.floor(x * this.width)] || null;
  }

  /** Light a region up on a canvas of its own; null puts the light out. */
  light(canvas, id, [r, g, b]) {
    if (id === null) {
      canvas.hidden = true;
      return;
    }
    const [left, top, right, bottom] = this.boxes.get(id);
    const [width, height] = [right - left + 1, bottom - top + 1];
    const image = new ImageData(width, height);
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        if (this.ids[(top + y) * this.width + left + x] === id) image.data.set([r, g, b, 115], 4 * (y * width + x));
      }
    }
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").putImageData(image, 0, 0);
    const percent = (value, whole) => `${(100 * value) / whole}%`;
    Object.assign(canvas.style, {
      left: percent(left, this.width),
      top: percent(top, this.height),
      width: percent(width, this.width),
      height: percent(height, this.height),
    });
    canvas.hidden = false;
  }
}
