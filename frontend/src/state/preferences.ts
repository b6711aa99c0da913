import { validChanges, type KeyChanges } from "./key_remap";
import { PLAIN_LOOK, type PictureLook } from "./picture_look";
import { Signal } from "./signal";

export type Theme = "auto" | "light" | "dark";
/** In the order in which a key goes through them. */
export const OVERLAY_STYLES = ["certainty", "confidence", "classes", "uncertainty", "contour"] as const;
export type OverlayStyle = (typeof OVERLAY_STYLES)[number];
/** auto: the GPU where there is one, else the processor. */
export type Renderer = "auto" | "webgl" | "canvas";

/** How the pictures of one session are looked at. */
export interface SessionView {
  readonly look: PictureLook;
  /** Whose confidence is shown where there are more than two classes; null: the first one's. */
  readonly confidence_class_id: number | null;
}

const DEFAULT_VIEW: SessionView = { look: PLAIN_LOOK, confidence_class_id: null };
/** Sessions whose view is remembered. */
const MOST_VIEWS = 50;

export interface Preferences {
  readonly theme: Theme;
  /** 0..1 */
  readonly overlay_opacity: number;
  readonly overlay_style: OverlayStyle;
  readonly auto_advance: boolean;
  readonly hint_dismissed: boolean;
  /** The wheel moves the image, and zooms with Ctrl; else it zooms. */
  readonly wheel_pans: boolean;
  readonly renderer: Renderer;
  /** Where they differ from the table of keys. */
  readonly keys: KeyChanges;
  /** Hints that were followed or put away. */
  readonly hints_done: readonly string[];
  /** By `session.created_at`. */
  readonly views: Readonly<Record<string, SessionView>>;
}

export const DEFAULT_PREFERENCES: Preferences = {
  theme: "auto",
  overlay_opacity: 0.4,
  overlay_style: "certainty",
  auto_advance: true,
  hint_dismissed: false,
  wheel_pans: false,
  renderer: "auto",
  keys: {},
  hints_done: [],
  views: {},
};

/** The view of one session; whatever an older page did not store yet is as by default. */
export function viewOf(preferences: Preferences, session: string): SessionView {
  const view = preferences.views[session];
  return { ...DEFAULT_VIEW, ...view, look: { ...PLAIN_LOOK, ...view?.look } };
}

/** The preferences with that view changed; the views that were changed longest ago go. */
export function withView(preferences: Preferences, session: string, changes: Partial<SessionView>): Pick<Preferences, "views"> {
  const others = Object.entries(preferences.views).filter(([key]) => key !== session);
  const view = { ...viewOf(preferences, session), ...changes };
  return { views: Object.fromEntries([...others, [session, view] as const].slice(-MOST_VIEWS)) };
}

/** The part of window.localStorage that is needed. */
export interface KeyValueStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const KEY = "fewclick:preferences";
/** Of what is stored and exported. Before 2 "confidence" was also the default, and everything was stored at the first change. */
const VERSION = 2;

export class PreferenceStore extends Signal<Preferences> {
  readonly #storage: KeyValueStorage;

  constructor(storage: KeyValueStorage) {
    super(completed(read(storage)));
    this.#storage = storage;
  }

  change(changes: Partial<Preferences>): void {
    this.set({ ...this.value, ...changes });
    try {
      this.#storage.setItem(KEY, JSON.stringify({ ...this.value, version: VERSION }));
    } catch (error) {
      // The preference lasts as long as the page.
      if (!isRefusal(error)) throw error;
    }
  }
}

/** Whatever an older page did not store, or someone else has changed by hand, is as by default. */
function completed({ version, ...found }: Stored): Preferences {
  return {
    ...DEFAULT_PREFERENCES,
    ...withStyleOf(version, found),
    keys: validChanges(found.keys),
    hints_done: Array.isArray(found.hints_done) ? found.hints_done.filter((hint) => typeof hint === "string") : [],
  };
}

/** Whoever had chosen no class had, with three or more, "all classes by colour" under that name: that is "certainty" now. */
function withStyleOf(version: unknown, found: Partial<Preferences>): Partial<Preferences> {
  const is_older = typeof version !== "number" || version < 2;
  const has_chosen = Object.values(found.views ?? {}).some(({ confidence_class_id }) => typeof confidence_class_id === "number");
  return is_older && found.overlay_style === "confidence" && !has_chosen ? { ...found, overlay_style: "certainty" } : found;
}

const OF_THIS_BROWSER = new Set(["views", "hints_done"]);

/** What is taken along to another browser: all but how single sessions are looked at. */
export function exported(preferences: Preferences): string {
  const others = Object.entries(preferences).filter(([name]) => !OF_THIS_BROWSER.has(name));
  return `${JSON.stringify({ fewclick_preferences: VERSION, ...Object.fromEntries(others) }, null, 2)}\n`;
}

/** What an exported file says; null where it is none. Only what is known, and of its kind, is taken. */
export function imported(text: string): Partial<Preferences> | null {
  const found = parsed(text);
  if (found === null || !("fewclick_preferences" in found)) return null;
  const known = new Map<string, unknown>(Object.entries(DEFAULT_PREFERENCES));
  const taken = Object.entries(found).filter(
    ([name, value]) => known.has(name) && !OF_THIS_BROWSER.has(name) && typeof value === typeof known.get(name),
  );
  const { keys, ...others } = Object.fromEntries(taken) as Partial<Preferences>;
  return { ...withStyleOf(found.fewclick_preferences, others), keys: validChanges(keys) };
}

/** Whether the browser would not store something: the storage is full, or forbidden altogether. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && ["QuotaExceededError", "NS_ERROR_DOM_QUOTA_REACHED", "SecurityError"].includes(error.name);
}

/** Without a version by older pages. */
type Stored = Partial<Preferences> & { readonly version?: unknown };

function read(storage: KeyValueStorage): Stored {
  // Someone else's or a damaged entry: the defaults are fine.
  return parsed(storage.getItem(KEY) ?? "{}") ?? {};
}

function parsed(text: string): object | null {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === "object" && found !== null && !Array.isArray(found) ? found : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
