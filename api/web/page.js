// Sends a chapter and shows its pages as they come: the newest picture of each page that there is.
const POLL_MS = 1000;
const PICTURES = ["final", "rough", "draft", "source"];
const ENDED = ["succeeded", "partial", "failed", "cancelled"];

const form = document.getElementById("submit");
const message = document.getElementById("message");
const list = document.getElementById("pages");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const data = new FormData();
  const files = [...form.elements.pages.files].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  for (const file of files) data.append(/\.(cbz|zip)$/i.test(file.name) ? "archive" : "pages", file);
  for (const file of form.elements.references.files) data.append("references", file);
  say("Sending …");
  try {
    const job = await read(await fetch("/v1/jobs", { method: "POST", body: data }));
    list.replaceChildren();
    document.getElementById("job").hidden = false;
    await follow(job.links.self);
  } catch (error) {
    say(error.message);
  }
});

async function follow(url) {
  for (;;) {
    const job = await read(await fetch(url));
    const pages = [];
    for (let cursor = 0; cursor !== null; ) {
      const part = await read(await fetch(`${job.links.pages}?cursor=${cursor}`));
      pages.push(...part.pages);
      cursor = part.next;
    }
    pages.forEach(show);
    const model = job.reference_model;
    say(model.status === "training" ? `Learning the colours: ${Math.round(model.progress * 100)}%` : `Job ${job.status}`);
    if (ENDED.includes(job.status)) {
      for (const name of ["result", "report"]) {
        const link = document.getElementById(name);
        link.hidden = !job.links[name];
        if (job.links[name]) link.href = job.links[name];
      }
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function show(page) {
  let item = document.getElementById(`page-${page.number}`);
  if (!item) {
    item = document.createElement("li");
    item.id = `page-${page.number}`;
    item.append(document.createElement("img"), document.createElement("div"));
    list.append(item);
  }
  const picture = PICTURES.find((name) => page.artifacts[name]);
  const [image, text] = item.children;
  // The attempt is part of the address, so that a page that ran again is fetched again.
  const source = picture && `${page.artifacts[picture]}?attempt=${page.attempt}`;
  if (source && image.getAttribute("src") !== source) image.src = source;
  image.alt = `${page.name}, ${picture ?? "not there yet"}`;
  text.className = page.status;
  const warning = Object.values(page.timings).find((timing) => timing.warning)?.warning;
  const state = page.stage ? `${page.status}, ${page.stage}` : page.status;
  text.textContent = `${page.name}: ${page.error?.detail ?? [state, warning].filter(Boolean).join("; ")}`;
}

async function read(response) {
  const body = await response.json();
  if (!response.ok) throw new Error(body.detail);
  return body;
}

function say(text) {
  message.textContent = text;
}
