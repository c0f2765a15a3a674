// What a page looks like at a few λ, worked out aside so that the page goes on meanwhile.
//
// final = L of final; chroma = share × (aligned + λ (rough − aligned)), inkn'hue's blend (arXiv 2311.01804). The share,
// which keeps paper and ink free of colour, is found from the final picture that is there, at its own λ.
import { toLab, writeRgb } from "./colour.js";

const MAX_PIXELS = 2e6; // larger pages are shown smaller while the slider moves
const FAINT = 4; // chroma, squared, from which a share can be told

onmessage = async ({ data: { aligned, rough, final, blend, keys } }) => {
  try {
    const size = await sizeOf(final);
    const [alignedRgb, roughRgb, finalRgb] = await Promise.all([aligned, rough, final].map((blob) => pixels(blob, size)));
    const planes = separate(alignedRgb, roughRgb, finalRgb, blend);
    const frames = [];
    for (const key of keys) frames.push(await createImageBitmap(mix(planes, key, size)));
    postMessage({ frames }, frames);
  } catch (error) {
    postMessage({ error: String(error) });
  }
};

async function sizeOf(blob) {
  const picture = await createImageBitmap(blob);
  const scale = Math.min(1, Math.sqrt(MAX_PIXELS / (picture.width * picture.height)));
  const size = [Math.max(1, Math.round(picture.width * scale)), Math.max(1, Math.round(picture.height * scale))];
  picture.close();
  return size;
}

async function pixels(blob, [width, height]) {
  const picture = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, width, height);
  picture.close();
  return context.getImageData(0, 0, width, height).data;
}

function separate(aligned, rough, final, blend) {
  const count = final.length / 4;
  const planes = { light: new Float32Array(count), share: new Float32Array(count), chroma: new Float32Array(4 * count) };
  const [a, r, f] = [[], [], []];
  for (let i = 0, p = 0; i < count; i += 1, p += 4) {
    toLab(aligned[p], aligned[p + 1], aligned[p + 2], a);
    toLab(rough[p], rough[p + 1], rough[p + 2], r);
    toLab(final[p], final[p + 1], final[p + 2], f);
    const [ba, bb] = [a[1] + blend * (r[1] - a[1]), a[2] + blend * (r[2] - a[2])];
    const length = ba * ba + bb * bb;
    planes.light[i] = f[0];
    planes.share[i] = length < FAINT ? 1 : Math.min(1, Math.max(0, (f[1] * ba + f[2] * bb) / length));
    planes.chroma.set([a[1], a[2], r[1] - a[1], r[2] - a[2]], p);
  }
  return planes;
}

function mix({ light, share, chroma }, blend, [width, height]) {
  const image = new ImageData(width, height);
  for (let i = 0, p = 0; i < light.length; i += 1, p += 4) {
    const [s, l] = [share[i], light[i]];
    writeRgb(l, s * (chroma[p] + blend * chroma[p + 2]), s * (chroma[p + 1] + blend * chroma[p + 3]), image.data, p);
    image.data[p + 3] = 255;
  }
  return image;
}
