import type { Api } from "../api/client";
import { ApiError, UnreachableError, explain } from "../api/errors";
import { type ContrastWindow, FULL_WINDOW, lookQuery, type PictureDisplay, type PictureLook, PLAIN_LOOK, type ServedLook, servedLook, toneCurve, type ToneCurve, windowOf } from "../state/picture_look"; // prettier-ignore
import { viewOf, withView, type PreferenceStore } from "../state/preferences";
import { Signal } from "../state/signal";
import type { OpenImage } from "./image_opening";
import type { Navigator } from "./navigator";
import { SCREEN_SIDE_PX, type PictureCache } from "./picture_cache";

/** A slider that moves is answered on screen at once; the server renders when it rests. */
const RENDER_AFTER_MS = 250;
const MOST_DISPLAYS = 200;

/**
 * How the open picture is looked at. Brightness, contrast and gamma are applied on screen; other bands, and the
 * contrast of deep pictures, are rendered by the server, and until that comes the screen does what it can.
 */
export class PictureView {
  /** What the open picture can be shown as; null until that is known. */
  readonly display = new Signal<PictureDisplay | null>(null);
  readonly tones = new Signal<ToneCurve>(toneCurve(FULL_WINDOW, FULL_WINDOW, 1));
  /** How the bitmap that is open was rendered; its tiles are rendered alike. */
  readonly shown_look = new Signal("");
  /** Why the picture cannot be shown as wanted. */
  readonly problem = new Signal<string | null>(null);
  /** Whether what there is to choose from is on screen. */
  readonly panel_open = new Signal(false);
  readonly #displays = new Map<string, PictureDisplay>();
  #shown_window: ContrastWindow = FULL_WINDOW;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #opened: OpenImage | null = null;

  constructor(
    private readonly api: Api,
    private readonly navigator: Navigator,
    private readonly pictures: PictureCache,
    private readonly preferences: PreferenceStore,
    private readonly session: string,
  ) {
    pictures.look = lookQuery(servedLook(this.look, null));
    this.shown_look.set(pictures.look);
    navigator.opened.subscribe((opened) => this.#open(opened));
    preferences.subscribe(() => this.#review());
    this.panel_open.subscribe(() => void this.#describe());
  }

  get look(): PictureLook {
    return viewOf(this.preferences.value, this.session).look;
  }

  get confidence_class_id(): number | null {
    return viewOf(this.preferences.value, this.session).confidence_class_id;
  }

  change(changes: Partial<PictureLook>): void {
    this.preferences.change(withView(this.preferences.value, this.session, { look: { ...this.look, ...changes } }));
  }

  showConfidenceOf(class_id: number | null): void {
    this.preferences.change(withView(this.preferences.value, this.session, { confidence_class_id: class_id }));
  }

  reset(): void {
    this.change(PLAIN_LOOK);
  }

  #open(opened: OpenImage | null): void {
    const is_other = opened?.image.id !== this.#opened?.image.id;
    this.#opened = opened;
    if (!is_other) return;
    this.problem.set(null);
    this.display.set(this.#displays.get(this.#displayKey()) ?? null);
    // The cache rendered it as it was told to.
    this.shown_look.set(this.pictures.look);
    this.#shown_window = windowIn(this.pictures.look);
    this.#review();
  }

  #review(): void {
    this.#applyTones();
    void this.#describe();
    if (lookQuery(this.#wanted()) === this.shown_look.value) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#render(), RENDER_AFTER_MS);
  }

  /** Until it is known what the picture holds, its contrast is left as it was rendered. */
  #wanted(): ServedLook {
    const { look } = this;
    if (this.display.value !== null || !depends(look)) return servedLook(look, this.display.value);
    return { bands: look.bands, window: this.#shown_window };
  }

  #applyTones(): void {
    this.tones.set(toneCurve(windowOf(this.look, this.display.value), this.#shown_window, this.look.gamma));
  }

  #displayKey(): string {
    return `${this.#opened?.image.id ?? 0}?${this.look.bands?.join() ?? ""}`;
  }

  /** Asks what the picture holds, where that matters. */
  async #describe(): Promise<void> {
    const opened = this.#opened;
    const { look } = this;
    if (!opened?.bitmap || !(depends(look) || this.panel_open.value)) return;
    const key = this.#displayKey();
    const known = this.#displays.get(key);
    if (known && this.display.value === known) return;
    try {
      const display = known ?? (await this.api.imageDisplay(opened.image.id, look.bands));
      this.#remember(key, display);
      if (key !== this.#displayKey()) return;
      this.display.set(display);
      this.#review();
    } catch (error) {
      this.#tell(error);
    }
  }

  #remember(key: string, display: PictureDisplay): void {
    this.#displays.set(key, display);
    for (const oldest of this.#displays.keys()) if (this.#displays.size > MOST_DISPLAYS) this.#displays.delete(oldest);
  }

  /** Has the open picture rendered as wanted, and shows it together with the tones that fit it. */
  async #render(): Promise<void> {
    const opened = this.#opened;
    const wanted = this.#wanted();
    const query = lookQuery(wanted);
    if (opened === null || query === this.shown_look.value) return;
    this.pictures.look = query;
    try {
      const bitmap = await this.pictures.load(opened.image.id, SCREEN_SIDE_PX);
      if (this.#opened?.image.id !== opened.image.id || this.pictures.look !== query) return;
      this.#shown_window = wanted.window;
      this.shown_look.set(query);
      this.problem.set(null);
      this.navigator.opened.set({ ...this.#opened, bitmap });
      this.#applyTones();
    } catch (error) {
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    if (!(error instanceof ApiError || error instanceof UnreachableError || error instanceof DOMException)) throw error;
    this.problem.set(explain(error));
  }
}


/** Whether it matters what the picture holds. */
function depends({ auto, brightness, contrast }: PictureLook): boolean {
  return auto || brightness !== 0 || contrast !== 0;
}

function windowIn(query: string): ContrastWindow {
  const parts = new URLSearchParams(query);
  return { low: Number(parts.get("low") ?? 0), high: Number(parts.get("high") ?? 1) };
}
