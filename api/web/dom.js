// Elements, and what all views share of them.
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "textContent", "className", "indeterminate"]);

/** An element with attributes, properties, listeners (`onclick`) and children; what is null or false is left out. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  const late = [];
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (PROPERTIES.has(key)) late.push([key, value]);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  for (const [key, value] of late) element[key] = value; // a select takes its value once it has its options
  return element;
}

/** One choice of several, as radio buttons that look like one control. */
export function segmented(label, options, value, onchange) {
  const name = `choice-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  return h(
    "fieldset",
    { class: "segmented" },
    h("legend", { class: "quiet" }, label),
    options.map(([key, text]) =>
      h(
        "label",
        {},
        h("input", { type: "radio", name, value: key, checked: key === value, onchange: () => onchange(key) }),
        h("span", {}, text),
      ),
    ),
  );
}

/** Ask before something that cannot be taken back. Resolves to whether it was agreed to. */
export function confirmed(title, text, yes, no, extra = []) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { "aria-labelledby": "dialog-title", onclose: () => (dialog.remove(), resolve(dialog.returnValue === "yes")) },
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "dialog-title" }, title),
        text && h("p", {}, text),
        extra,
        h(
          "div",
          { class: "row end" },
          h("button", { value: "no", class: "plain" }, no),
          h("button", { value: "yes", class: "strong" }, yes),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

const status = () => document.getElementById("status");
let clearing = 0;

/** Say something to everybody: on the page for a moment, and to screen readers. */
export function announce(text, kind = "news") {
  const place = status();
  place.textContent = text;
  place.className = kind;
  clearTimeout(clearing);
  clearing = setTimeout(() => (place.textContent = ""), kind === "bad" ? 20000 : 6000);
}

/** Resolves after so many milliseconds, or at once when the signal is aborted or the browser is online again. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    addEventListener("online", end);
  });
}

/** Calls back once an element comes near what can be seen. */
export function whenSeen(element, callback) {
  watched.set(element, callback);
  observer.observe(element);
}

const watched = new WeakMap();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      watched.get(target)?.();
    }
  },
  { rootMargin: "300px" },
);
