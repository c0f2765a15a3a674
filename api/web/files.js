// Files that somebody drops or chooses: pages, folders, archives; in natural order, and whether they are in colour.
import { decode } from "./pictures.js";

const PICTURE = /\.(png|jpe?g|webp|bmp|tiff?|gif)$/i;
const ARCHIVE = /\.(cbz|zip)$/i;
const THUMBNAIL_PX = 240;
// As common/imaging.py has it.
const COLOUR_CHROMA = 12;
const MAX_SHEET_TINT = 0.25;
const COLOUR_SHARE = 0.01;
const SAMPLE_PX = 60000;

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
export const inNaturalOrder = (one, other) => collator.compare(one.name, other.name) || (one.name < other.name ? -1 : 1);
export const isArchive = (name) => ARCHIVE.test(name);
export const isPicture = (name) => PICTURE.test(name);

/** All files of a drop, those in folders too, as [{ name, file }]; names have their folders. */
export async function readDrop(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return readList(transfer.files);
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

export const readList = (files) =>
  [...files].map((file) => ({ name: file.webkitRelativePath || file.name, file }));

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ name: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return; // browsers give a hundred at a time
    for (const child of part) await walk(child, found);
  }
}

/** A small canvas of a picture and whether it is in colour; null for what the browser cannot read, such as TIFF. */
export async function look(blob) {
  let picture;
  try {
    picture = await decode(blob, THUMBNAIL_PX);
  } catch {
    return null;
  }
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  picture.close();
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { canvas, isColoured: isColoured(data) };
}

function isColoured(data) {
  const step = Math.max(1, Math.floor(data.length / 4 / SAMPLE_PX));
  const spreads = [];
  const tints = [[], [], []];
  for (let i = 0; i < data.length; i += 4 * step) {
    const light = (data[i] + data[i + 1] + data[i + 2]) / 3;
    const spread = [data[i] - light, data[i + 1] - light, data[i + 2] - light];
    spreads.push([light, spread]);
    if (light > 64) spread.forEach((value, channel) => tints[channel].push(value / light));
  }
  const sheet = tints.map((values) => Math.min(MAX_SHEET_TINT, Math.max(-MAX_SHEET_TINT, median(values))));
  const chroma = ([light, spread]) => Math.max(...spread.map((value, c) => Math.abs(value - sheet[c] * light)));
  return spreads.filter((one) => chroma(one) > COLOUR_CHROMA).length > COLOUR_SHARE * spreads.length;
}

function median(values) {
  if (!values.length) return 0;
  values.sort((a, b) => a - b);
  return values[values.length >> 1];
}
