// The page's words, in the reader's language.
const LANGUAGES = { en: "English", "zh-Hant": "繁體中文", ja: "日本語" };
const CHOSEN = "nurie-language";
let dictionary = null;

export const languages = () => Object.entries(LANGUAGES);
export const words = () => dictionary;

/** A text of the dictionary; where it depends on something, with that. */
export function t(key, ...values) {
  const text = key.split(".").reduce((found, part) => found?.[part], dictionary);
  if (text === undefined) throw new Error(`no words for ${key}`);
  return typeof text === "function" ? text(...values) : text;
}

export function language() {
  const chosen = localStorage.getItem(CHOSEN);
  if (chosen in LANGUAGES) return chosen;
  for (const wanted of navigator.languages ?? []) {
    if (/^ja\b/i.test(wanted)) return "ja";
    if (/^zh\b/i.test(wanted)) return "zh-Hant"; // the nearest that there is, for simplified too
    if (/^en\b/i.test(wanted)) return "en";
  }
  return "en";
}

/** Take the words of a language that was chosen, or else of the browser's. */
export async function speak(chosen) {
  if (chosen) localStorage.setItem(CHOSEN, chosen);
  dictionary = (await import(`./words/${language()}.js`)).default;
  document.documentElement.lang = language();
}

/** A length of time, roughly, as people say it. */
export function duration(seconds) {
  if (seconds < 60) return t("time.seconds", Math.max(1, Math.round(seconds)));
  if (seconds < 3600) return t("time.minutes", Math.round(seconds / 60));
  return t("time.hours", Math.round(seconds / 360) / 10);
}

/** A moment, as it is written where the reader is. */
export function when(iso) {
  const place = navigator.languages?.find((one) => one.startsWith(language())) ?? language();
  return new Intl.DateTimeFormat(place, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
}
