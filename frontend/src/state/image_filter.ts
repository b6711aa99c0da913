/** Which images the gallery shows, and which ones Next and Previous go through; as it stands in the address. */
import type { ImageStatus, LabelClass } from "./types";

/** reviewed: labelled by a person; accepted: labelled by accepting a prediction alone. */
export const STATUS_CHOICES = ["all", "unlabeled", "labeled", "reviewed", "accepted", "skipped", "undetermined", "failed"] as const;
export type StatusChoice = (typeof STATUS_CHOICES)[number];

/** shown: labelled as the class, or not labelled and predicted as it. */
export const CLASS_ROLES = ["shown", "labeled", "predicted"] as const;
export type ClassRole = (typeof CLASS_ROLES)[number];

const SORTS = ["id", "path", "predicted", "uncertainty", "confidence", "changed"] as const;
export type GallerySort = (typeof SORTS)[number];

export interface ImageFilter {
  readonly status: StatusChoice;
  readonly class_id: number | null;
  readonly class_role: ClassRole;
  /** Confidence in percent, 0..100. */
  readonly min_percent: number;
  readonly max_percent: number;
  readonly text: string;
  /** key=value, as the metadata of the images have it. */
  readonly metadata: readonly string[];
}

export const NO_FILTER: ImageFilter = {
  status: "all", class_id: null, class_role: "shown", min_percent: 0, max_percent: 100, text: "", metadata: [],
}; // prettier-ignore

/** What GET /api/images, /next and /{id} take. */
export interface FilterQuery {
  status?: ImageStatus;
  features?: "failed";
  reviewed?: boolean;
  shown_class_id?: number;
  labeled_class_id?: number;
  predicted_class_id?: number;
  min_confidence?: number;
  max_confidence?: number;
  q?: string;
  meta?: string[];
}

export function filterQuery(filter: ImageFilter): FilterQuery {
  const query: FilterQuery = { ...statusQuery(filter.status) };
  if (filter.class_id !== null) query[`${filter.class_role}_class_id`] = filter.class_id;
  if (filter.min_percent > 0) query.min_confidence = filter.min_percent / 100;
  if (filter.max_percent < 100) query.max_confidence = filter.max_percent / 100;
  if (filter.text !== "") query.q = filter.text;
  if (filter.metadata.length > 0) query.meta = [...filter.metadata];
  return query;
}

/** For the next image to label: what is labelled already comes up only where the filter asks for it. */
export function nextQuery(filter: ImageFilter): FilterQuery {
  const query = filterQuery(filter);
  // Only images that can be labelled come up at all.
  delete query.features;
  return query;
}

/** Whether Next goes through images that are labelled or set aside: then in order, as there is nothing to pick. */
export function goesThroughDone({ status }: ImageFilter): boolean {
  return !["all", "unlabeled", "failed"].includes(status);
}

export function isFilter(filter: ImageFilter): boolean {
  return filterParts(filter, []).length > 0;
}

/** What a head says decides which images are shown, or in which order: they are no fair sample. */
export function asksModel(filter: ImageFilter, sort: GallerySort): boolean {
  const by_class = filter.class_id !== null && filter.class_role !== "labeled";
  const by_confidence = filter.min_percent > 0 || filter.max_percent < 100;
  return by_class || by_confidence || ["predicted", "uncertainty", "confidence"].includes(sort);
}

export interface FilterPart {
  readonly text: string;
  /** The filter without it. */
  readonly without: ImageFilter;
}

const STATUS_TEXTS: Readonly<Record<StatusChoice, string>> = {
  all: "All", unlabeled: "Unlabelled", labeled: "Labelled", reviewed: "Reviewed", accepted: "Accepted", skipped: "Skipped",
  undetermined: "Undetermined", failed: "Failed",
}; // prettier-ignore
const ROLE_TEXTS: Readonly<Record<ClassRole, string>> = { shown: "", labeled: "labelled ", predicted: "predicted " };

export function statusText(status: StatusChoice): string {
  return STATUS_TEXTS[status];
}

/** The filter in words, part by part. */
export function filterParts(filter: ImageFilter, classes: readonly LabelClass[]): FilterPart[] {
  const parts: FilterPart[] = [];
  const { status, class_id, class_role, min_percent, max_percent, text, metadata } = filter;
  if (status !== "all") parts.push({ text: statusText(status), without: { ...filter, status: "all" } });
  if (class_id !== null) {
    const name = classes.find(({ id }) => id === class_id)?.name ?? `class ${class_id}`;
    parts.push({ text: `${ROLE_TEXTS[class_role]}${name}`, without: { ...filter, class_id: null, class_role: "shown" } });
  }
  if (min_percent > 0 || max_percent < 100) {
    const range = max_percent === 100 ? `${min_percent} % and more` : min_percent === 0 ? `up to ${max_percent} %` : `${min_percent}–${max_percent} %`;
    parts.push({ text: `confidence ${range}`, without: { ...filter, min_percent: 0, max_percent: 100 } });
  }
  if (text !== "") parts.push({ text: `“${text}”`, without: { ...filter, text: "" } });
  for (const pair of metadata) parts.push({ text: pair, without: { ...filter, metadata: metadata.filter((other) => other !== pair) } });
  return parts;
}

/** As it stands behind the "?" of the address; empty without a filter. `sort` is the gallery's. */
export function filterToSearch(filter: ImageFilter, sort: GallerySort = "id"): string {
  const found: [string, string | number][] = [];
  if (filter.status !== "all") found.push(["status", filter.status]);
  if (filter.class_id !== null) found.push(["class", filter.class_id]);
  if (filter.class_id !== null && filter.class_role !== "shown") found.push(["as", filter.class_role]);
  if (filter.min_percent > 0) found.push(["min", filter.min_percent]);
  if (filter.max_percent < 100) found.push(["max", filter.max_percent]);
  if (filter.text !== "") found.push(["q", filter.text]);
  for (const pair of filter.metadata) found.push(["meta", pair]);
  if (sort !== "id") found.push(["sort", sort]);
  return found.length === 0 ? "" : `?${found.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&")}`;
}

/** The inverse; whatever makes no sense is left out. */
export function filterFromHash(hash: string): { filter: ImageFilter; sort: GallerySort } {
  const found = pairsOf(hash);
  const class_id = Number(found.get("class")?.[0]);
  const min_percent = percentOf(found.get("min")?.[0], 0);
  const max_percent = percentOf(found.get("max")?.[0], 100);
  const filter: ImageFilter = {
    status: oneOf(STATUS_CHOICES, found.get("status")?.[0], "all"),
    class_id: Number.isInteger(class_id) && class_id > 0 ? class_id : null,
    class_role: oneOf(CLASS_ROLES, found.get("as")?.[0], "shown"),
    min_percent: Math.min(min_percent, max_percent),
    max_percent,
    text: (found.get("q")?.[0] ?? "").slice(0, 200),
    metadata: (found.get("meta") ?? []).filter(isPair),
  };
  return { filter, sort: oneOf(SORTS, found.get("sort")?.[0], "id") };
}

/** Whether it names a key and a value. */
export function isPair(text: string): boolean {
  return text.indexOf("=") > 0 && text.length <= 500;
}

function statusQuery(status: StatusChoice): FilterQuery {
  switch (status) {
    case "all":
      return {};
    case "failed":
      return { features: "failed" };
    case "reviewed":
      return { status: "labeled", reviewed: true };
    case "accepted":
      return { status: "labeled", reviewed: false };
    case "unlabeled":
    case "labeled":
    case "skipped":
    case "undetermined":
      return { status };
  }
}

/** What stands behind the "?", by key. */
function pairsOf(hash: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const at = hash.indexOf("?");
  for (const part of at < 0 ? [] : hash.slice(at + 1).split("&")) {
    const [key = "", value = ""] = part.split(/=(.*)/s).map(decoded);
    found.set(key, [...(found.get(key) ?? []), value]);
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (error) {
    // An address that somebody cut off in the middle of a sign.
    if (error instanceof URIError) return "";
    throw error;
  }
}

function percentOf(text: string | undefined, otherwise: number): number {
  const value = text === undefined || text === "" ? NaN : Number(text);
  return value >= 0 && value <= 100 ? Math.round(value) : otherwise;
}

function oneOf<T extends string>(values: readonly T[], text: string | undefined, otherwise: T): T {
  return values.find((value) => value === text) ?? otherwise;
}
