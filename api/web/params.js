// The parameters of a job, by the original's names: what each may be, and how it is asked for.
import { h } from "./dom.js";
import { t } from "./words.js";

export const PARAMS = [
  { name: "blend", kind: "range", min: 0, max: 1, step: 0.05, value: 0.8 },
  { name: "saturation", kind: "range", min: 0, max: 4, step: 0.1, value: 1.2 },
  { name: "format", kind: "choice", options: ["png", "jpeg", "webp"], value: "png" },
  { name: "archive", kind: "choice", options: ["cbz", "zip"], value: "cbz" },
  { name: "epochs", kind: "number", min: 1, max: 1000, step: 1, value: 100, advanced: true },
  { name: "preset", kind: "choice", options: ["default", "original"], value: "default", advanced: true },
  { name: "palette_size", kind: "number", min: 1, max: 256, step: 1, value: 12, advanced: true },
  { name: "min_region_px", kind: "number", min: 1, max: 1000000, step: 1, value: 200, advanced: true },
  { name: "trapped_ball_radii", kind: "list", value: [15, 10, 9, 8, 7, 6, 5, 4], advanced: true },
  { name: "keep_lightness", kind: "check", value: true, advanced: true },
  { name: "skip_coloured", kind: "check", value: true, advanced: true },
  { name: "seed", kind: "number", min: 0, max: 4294967295, step: 1, value: 0, advanced: true },
  { name: "stop_after", kind: "choice", options: ["", "cgan", "s2p", "inknhue"], value: null, advanced: true },
];

/** Fields for all parameters, those for the few who want them folded; `values` is changed as they are. */
export function paramFields(values, onchange) {
  const field = (param) => fieldOf(param, values, onchange);
  return [
    h("div", { class: "params" }, PARAMS.filter((param) => !param.advanced).map(field)),
    h(
      "details",
      {},
      h("summary", {}, t("send.advanced")),
      h("div", { class: "params" }, PARAMS.filter((param) => param.advanced).map(field)),
    ),
  ];
}

function fieldOf(param, values, onchange) {
  const value = values[param.name] ?? param.value;
  const set = (next) => {
    values[param.name] = next;
    onchange();
  };
  const id = `param-${param.name}`;
  const shared = { id, "aria-describedby": `${id}-about` };
  return h(
    "div",
    { class: `param ${param.kind}` },
    h("label", { for: id }, h("code", {}, param.name)),
    inputOf(param, shared, value, set),
    h("p", { id: `${id}-about`, class: "about" }, t(`params.${param.name}`)),
  );
}

function inputOf(param, shared, value, set) {
  const { kind, min, max, step } = param;
  if (kind === "check") {
    return h("input", { ...shared, type: "checkbox", checked: value, onchange: ({ target }) => set(target.checked) });
  }
  if (kind === "choice") {
    const options = param.options.map((one) => h("option", { value: one }, one || "–"));
    return h("select", { ...shared, value: value ?? "", onchange: ({ target }) => set(target.value || null) }, options);
  }
  if (kind === "list") {
    const onchange = ({ target }) => {
      const numbers = target.value.split(/[\s,]+/).filter(Boolean).map(Number);
      const isGood = numbers.length && numbers.every((one) => Number.isInteger(one) && one >= 1 && one <= 100);
      target.setCustomValidity(isGood ? "" : t("send.numbers"));
      if (target.reportValidity()) set(numbers);
    };
    return h("input", { ...shared, value: value.join(", "), inputmode: "numeric", onchange });
  }
  const shown = kind === "range" && h("output", { for: shared.id, textContent: String(value) });
  const oninput = ({ target }) => shown && (shown.textContent = target.value);
  const onchange = ({ target }) => target.reportValidity() && target.value !== "" && set(Number(target.value));
  const input = h("input", { ...shared, type: kind, min, max, step, value: String(value), required: true, oninput, onchange });
  return shown ? h("span", { class: "ranged" }, input, shown) : input;
}
