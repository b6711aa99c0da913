import { Signal } from "./signal";

export type Theme = "auto" | "light" | "dark";
export type OverlayStyle = "confidence" | "classes" | "contour";

export interface Preferences {
  readonly theme: Theme;
  /** 0..1 */
  readonly overlay_opacity: number;
  readonly overlay_style: OverlayStyle;
  readonly auto_advance: boolean;
  readonly hint_dismissed: boolean;
}

export const DEFAULT_PREFERENCES: Preferences = {
  theme: "auto",
  overlay_opacity: 0.4,
  overlay_style: "confidence",
  auto_advance: true,
  hint_dismissed: false,
};

/** The part of window.localStorage that is needed. */
export interface KeyValueStorage {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const KEY = "fewclick:preferences";

export class PreferenceStore extends Signal<Preferences> {
  readonly #storage: KeyValueStorage;

  constructor(storage: KeyValueStorage) {
    super({ ...DEFAULT_PREFERENCES, ...read(storage) });
    this.#storage = storage;
  }

  change(changes: Partial<Preferences>): void {
    this.set({ ...this.value, ...changes });
    try {
      this.#storage.setItem(KEY, JSON.stringify(this.value));
    } catch (error) {
      // The preference lasts as long as the page.
      if (!isRefusal(error)) throw error;
    }
  }
}

/** Whether the browser would not store something: the storage is full, or forbidden altogether. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && ["QuotaExceededError", "NS_ERROR_DOM_QUOTA_REACHED", "SecurityError"].includes(error.name);
}

function read(storage: KeyValueStorage): Partial<Preferences> {
  try {
    const found: unknown = JSON.parse(storage.getItem(KEY) ?? "{}");
    return typeof found === "object" && found !== null ? found : {};
  } catch (error) {
    // Someone else's or a damaged entry: the defaults are fine.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
