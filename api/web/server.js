// Asking the server, with the key where it wants one.
import { t, words } from "./words.js";

const KEY = "nurie-key";
const LATER = [429, 503];

/** What the server refused, in its own words: RFC 9457. */
export class Refusal extends Error {
  constructor(status, problem, retryAfterS) {
    super(problem.detail || problem.title || String(status));
    Object.assign(this, { status, code: problem.code ?? "internal", retryAfterS });
  }
}

/** Nobody answered. */
export class Unreachable extends Error {}

export const getKey = () => sessionStorage.getItem(KEY) ?? "";

export function setKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
  dispatchEvent(new Event("nurie-key"));
}

/** A response that is good, or 304. Throws Refusal, Unreachable, or AbortError. */
export async function ask(path, { method = "GET", body, headers = {}, signal } = {}) {
  const key = getKey();
  const sent = { ...headers };
  if (key) sent.Authorization = `Bearer ${key}`;
  if (body !== undefined) sent["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: sent,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: headers["If-None-Match"] ? "no-store" : "default",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable(error.message);
  }
  if (response.ok || response.status === 304) return response;
  const problem = await response.json().catch(() => ({ title: response.statusText }));
  const refusal = new Refusal(response.status, problem, Number(response.headers.get("Retry-After")) || null);
  if (refusal.code === "unauthorized") dispatchEvent(new CustomEvent("nurie-unauthorized"));
  throw refusal;
}

/** What an answer holds; null where it holds nothing. Read whole even by who needs none of it: until then it keeps its connection. */
export async function askJson(path, options) {
  const text = await received((await ask(path, options)).text());
  return text ? JSON.parse(text) : null;
}

/** The body of an answer, of which the connection may break just as before it. */
export async function received(body) {
  try {
    return await body;
  } catch (error) {
    throw error.name === "AbortError" ? error : new Unreachable(error.message);
  }
}

export const isPassing = (error) => error instanceof Unreachable || LATER.includes(error.status) || error.status >= 500;

/** An error in words, with what to do next. */
export function describe(error) {
  if (error instanceof Unreachable) return t("unreachable");
  if (error instanceof Refusal) {
    const advice = words().advice[error.code];
    return advice ? `${advice} (${error.message})` : error.message;
  }
  return error.message || String(error);
}

/** An id of our own that nobody else has; crypto.randomUUID wants a secure context. */
export function freshId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
