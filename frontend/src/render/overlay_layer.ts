import type { Renderer } from "../state/preferences";
import type { OverlayInput } from "./colormap";
import type { Frame } from "./frame";
import { CanvasOverlay, type OverlayPainter } from "./overlay_painter";
import { WebglOverlay } from "./overlay_webgl";

/** The overlay, by the GPU if there is one; while its context is lost, without. */
export class OverlayLayer {
  readonly #fallback = new CanvasOverlay();
  #gpu: WebglOverlay | null = null;
  #renderer: Renderer | null = null;
  #shown: OverlayPainter | null = null;
  #opacity = "";

  /** `home`: where its canvas goes; `changed`: it must be painted again. */
  constructor(
    private readonly home: HTMLElement,
    private readonly changed: () => void,
  ) {}

  setRenderer(renderer: Renderer): void {
    if (renderer === this.#renderer) return;
    this.#renderer = renderer;
    this.#gpu?.dispose();
    this.#gpu = renderer === "canvas" ? null : WebglOverlay.create(renderer === "webgl", this.changed, this.changed);
    this.changed();
  }

  /** Whether a change of the view alone has to be painted. */
  get follows_view(): boolean {
    return this.#shown?.kind === "webgl";
  }

  /** Outlines stay opaque: there the painter thins out what they surround. */
  setOpacity(opacity: number | null): void {
    this.#opacity = opacity === null ? "" : String(opacity);
    if (this.#shown) this.#shown.canvas.style.opacity = this.#opacity;
  }

  paint(input: OverlayInput | null, frame: Frame): void {
    const gpu = this.#gpu;
    const painter = gpu !== null && !gpu.is_lost && (input === null || gpu.fits(input)) ? gpu : this.#fallback;
    if (painter !== this.#shown) this.#swap(painter);
    painter.paint(input, frame);
  }

  #swap(painter: OverlayPainter): void {
    const { canvas } = painter;
    canvas.className = "stage-overlay";
    canvas.ariaHidden = "true";
    canvas.dataset.testid = "overlay";
    canvas.dataset.painter = painter.kind;
    canvas.style.opacity = this.#opacity;
    if (this.#shown) this.#shown.canvas.replaceWith(canvas);
    else this.home.append(canvas);
    this.#shown = painter;
  }
}
