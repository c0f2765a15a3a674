// The page: its frame, and which view an address shows.
import { h } from "./dom.js";
import { showJob } from "./job.js";
import { showJobs } from "./jobs.js";
import { isSending, showSend } from "./send.js";
import { askJson, describe, getKey, setKey } from "./server.js";
import { showPage } from "./viewer.js";
import { language, languages, speak, t } from "./words.js";

const ROUTES = [
  [/^#\/jobs\/([0-9a-f]{32})\/pages\/(\d+)$/, showPage],
  [/^#\/jobs\/([0-9a-f]{32})$/, showJob],
  [/^#\/jobs$/, showJobs],
  [/^(#\/?)?$/, showSend],
];
const main = document.querySelector("main");
let leaving = new AbortController();

async function route() {
  leaving.abort();
  const { signal } = (leaving = new AbortController());
  document.title = "Nurie";
  const found = ROUTES.find(([pattern]) => pattern.test(location.hash));
  const place = h("div", { class: "view" });
  main.replaceChildren(place);
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = location.hash.startsWith("#/jobs") === (link.hash === "#/jobs");
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!found) return tell(place, t("notFound"));
  const [pattern, show] = found;
  try {
    await show(place, signal, ...pattern.exec(location.hash).slice(1));
  } catch (error) {
    if (!signal.aborted) tell(place, describe(error));
  }
}

function tell(place, text) {
  place.replaceChildren(h("h1", {}, t("nav.jobs")), h("p", { class: "message", role: "alert" }, text), h("p", {}, h("a", { href: "#/jobs" }, t("jobs.all"))));
}

/** The frame around the views, in the language chosen. */
function drawFrame() {
  const choose = async ({ target }) => {
    await speak(target.value);
    drawFrame();
    route();
  };
  const options = languages().map(([code, name]) => h("option", { value: code, lang: code }, name));
  document.querySelector("header").replaceChildren(
    h("a", { class: "brand", href: "#/" }, "Nurie ", h("span", { lang: "ja" }, "塗り絵")),
    h("nav", { "aria-label": t("nav.label") }, h("a", { href: "#/" }, t("nav.send")), h("a", { href: "#/jobs" }, t("nav.jobs"))),
    h(
      "div",
      { class: "row end" },
      getKey() && h("button", { class: "plain", onclick: () => askForKey(true) }, t("key.button")),
      h("label", { class: "quiet", for: "language" }, t("nav.language")),
      h("select", { id: "language", value: language(), onchange: choose }, options),
    ),
  );
  document.querySelector("footer").replaceChildren(h("a", { href: "/docs" }, t("nav.api")));
  document.querySelector(".skip").textContent = t("nav.skip");
}

/** A field for the key, above everything; kept for this tab alone. */
function askForKey(isChange = false) {
  const place = document.getElementById("key");
  if (!isChange && !place.hidden) return;
  const input = h("input", { id: "key-field", type: "password", autocomplete: "off", placeholder: "nurie_…", required: true });
  const submit = (event) => {
    event.preventDefault();
    place.hidden = true;
    setKey(input.value.trim());
  };
  const text = isChange ? t("key.change") : getKey() ? t("key.wrong") : t("key.wanted");
  place.hidden = false;
  place.replaceChildren(
    h("p", { role: "alert" }, text),
    h(
      "form",
      { class: "row", onsubmit: submit },
      h("label", { for: "key-field" }, t("key.label")),
      input,
      h("button", { class: "strong" }, t("key.save")),
      isChange && h("button", { class: "plain", type: "button", onclick: () => ((place.hidden = true), setKey("")) }, t("key.forget")),
      isChange && h("button", { class: "plain", type: "button", onclick: () => (place.hidden = true) }, t("no")),
    ),
  );
  input.focus();
}

addEventListener("hashchange", route);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which view this is
  main.focus();
});
addEventListener("nurie-unauthorized", () => askForKey());
addEventListener("nurie-key", () => {
  drawFrame();
  route();
});
addEventListener("beforeunload", (event) => isSending() && event.preventDefault());
// A file dropped beside a zone must not take the page away.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());

await speak();
drawFrame();
route();
askJson("/v1/tenant").catch(() => {}); // so that a key is asked for before anybody has dropped a chapter
