// Looking into a ZIP or CBZ without unpacking it: what pages it has, and one of them. APPNOTE.TXT 4.3 and 4.5.
const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_BYTES = 22;
const MAX_COMMENT = 65535;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;
const UTF8 = 0x800;

/** The files of an archive, as [{ name, read() }]. Throws for what is no archive; ZIP64 is left to the server. */
export async function listZip(file) {
  const tail = await bytes(file, Math.max(0, file.size - END_BYTES - MAX_COMMENT), file.size);
  let at = tail.byteLength - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END) at -= 1;
  if (at < 0) throw new Error("no archive");
  const count = tail.getUint16(at + 10, true);
  const [size, start] = [tail.getUint32(at + 12, true), tail.getUint32(at + 16, true)];
  const directory = await bytes(file, start, start + size);
  const entries = [];
  for (let i = 0, p = 0; i < count && p + ENTRY_BYTES <= directory.byteLength; i += 1) {
    if (directory.getUint32(p, true) !== ENTRY) throw new Error("no archive");
    const [flags, method] = [directory.getUint16(p + 8, true), directory.getUint16(p + 10, true)];
    const packed = directory.getUint32(p + 20, true);
    const [name, extra, comment] = [28, 30, 32].map((offset) => directory.getUint16(p + offset, true));
    const header = directory.getUint32(p + 42, true);
    const text = new Uint8Array(directory.buffer, p + ENTRY_BYTES, name);
    const read = () => readEntry(file, header, packed, method);
    entries.push({ name: new TextDecoder(flags & UTF8 ? "utf-8" : "shift_jis").decode(text), read });
    p += ENTRY_BYTES + name + extra + comment;
  }
  return entries.filter((entry) => !entry.name.endsWith("/"));
}

async function readEntry(file, header, packed, method) {
  const local = await bytes(file, header, header + LOCAL_BYTES);
  const start = header + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
  const part = file.slice(start, start + packed);
  if (method === STORED) return part;
  if (method !== DEFLATED) throw new Error("packed otherwise");
  return new Response(part.stream().pipeThrough(new DecompressionStream("deflate-raw"))).blob();
}

const bytes = async (file, from, to) => new DataView(await file.slice(from, to).arrayBuffer());
