/** What the page remembers in case something goes wrong, and the text that a person can hand on: no labels, no folders. */

/** The newest few of what was put in. */
export class Ring<T> {
  readonly #items: T[] = [];

  constructor(private readonly most: number) {}

  push(item: T): void {
    this.#items.push(item);
    if (this.#items.length > this.most) this.#items.shift();
  }

  /** Oldest first. */
  get items(): readonly T[] {
    return [...this.#items];
  }
}

export interface RequestNote {
  /** ISO */
  readonly at: string;
  readonly method: string;
  /** Path and the names of the query's parts: what was searched for stays with the person. */
  readonly path: string;
  /** HTTP status; null: no answer. */
  readonly status: number | null;
  readonly ms: number;
}

export interface ErrorNote {
  readonly at: string;
  readonly text: string;
}

const MOST_REQUESTS = 30;
const MOST_ERRORS = 20;
const MOST_CHARACTERS = 600;

export class Diagnostics {
  readonly #requests = new Ring<RequestNote>(MOST_REQUESTS);
  readonly #errors = new Ring<ErrorNote>(MOST_ERRORS);

  constructor(private readonly now: () => Date = () => new Date()) {}

  get requests(): readonly RequestNote[] {
    return this.#requests.items;
  }

  get errors(): readonly ErrorNote[] {
    return this.#errors.items;
  }

  request(method: string, url: string, status: number | null, ms: number): void {
    this.#requests.push({ at: this.now().toISOString(), method, path: shortAddress(url), status, ms: Math.round(ms) });
  }

  error(text: string): void {
    this.#errors.push({ at: this.now().toISOString(), text: withoutFolders(text).slice(0, MOST_CHARACTERS) });
  }
}

export interface ReportFacts {
  readonly version: string | null;
  readonly browser: string;
  readonly screen: string;
  readonly task: string;
  readonly extractor: string;
  readonly image_id: number | null;
  readonly server: string;
  readonly training: string;
  readonly saves: string;
  /** Name of a count and the count. */
  readonly counts: Readonly<Record<string, number>>;
}

/** As text for an issue or a colleague. */
export function reportText(facts: ReportFacts, { requests, errors }: Pick<Diagnostics, "requests" | "errors">, now: Date): string {
  const counts = Object.entries(facts.counts).map(([name, count]) => `${name} ${count}`);
  return [
    "Fewclick, details of a problem",
    `time: ${now.toISOString()}`,
    `version: ${facts.version ?? "unknown"}`,
    `browser: ${facts.browser}`,
    `screen: ${facts.screen}`,
    `session: ${facts.task}, ${facts.extractor}, image ${facts.image_id ?? "none"}`,
    `counts: ${counts.length === 0 ? "unknown" : counts.join(", ")}`,
    `server: ${facts.server}`,
    `training: ${facts.training}`,
    `saving: ${facts.saves}`,
    "",
    errors.length === 0 ? "errors: none" : "errors, oldest first:",
    ...errors.map(({ at, text }) => `  ${at} ${text.replaceAll("\n", "\n    ")}`),
    "",
    requests.length === 0 ? "requests: none" : "requests, oldest first:",
    ...requests.map(({ at, method, path, status, ms }) => `  ${at} ${method} ${path} ${status ?? "no answer"} ${ms} ms`),
    "",
  ].join("\n");
}

/** "http://host/s/one/api/images?q=cat&limit=5" becomes "api/images?q&limit". */
export function shortAddress(url: string): string {
  const [path = "", query = ""] = (/^[^#]*/.exec(url)?.[0] ?? "").split("?");
  const from = path.indexOf("/api/");
  const short = from === -1 ? path.replace(/^[a-z]+:\/\/[^/]*/i, "") : path.slice(from + 1);
  const names = query === "" ? [] : query.split("&").map((part) => part.split("=")[0] ?? "");
  return withoutFolders(short) + (names.length === 0 ? "" : `?${[...new Set(names)].join("&")}`);
}

/** Of paths on a disk only the last part stays: "/home/ann/images/a.png" becomes "…/a.png". */
export function withoutFolders(text: string): string {
  const addresses = text.replace(/\b(?:file|https?):\/\/[^\s)"'<>]*/g, (address) => `…/${lastPart(address)}`);
  return addresses
    .replace(/\b[A-Za-z]:\\(?:[^\\\s:*?"<>|]+\\)*([^\\\s:*?"<>|]*)/g, "…\\$1")
    .replace(/(?<![\w.…/])[~.]{0,2}\/(?:[^/\s:'"<>]+\/)+([^/\s:'"<>]*)/g, "…/$1");
}

function lastPart(address: string): string {
  return address.slice(address.lastIndexOf("/") + 1);
}
