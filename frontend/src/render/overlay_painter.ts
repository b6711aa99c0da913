import { putPixels } from "./canvas";
import { paintOverlay, type OverlayInput } from "./colormap";
import type { Frame } from "./frame";

export interface OverlayPainter {
  readonly kind: "webgl" | "canvas";
  readonly canvas: HTMLCanvasElement;
  /** Whether it cannot paint at the moment. */
  readonly is_lost: boolean;
  /** null: nothing is to be seen. */
  paint(input: OverlayInput | null, frame: Frame): void;
  dispose(): void;
}

/** The overlay without a GPU: a few pixels a cell, over the whole picture, which the compositor scales. */
export class CanvasOverlay implements OverlayPainter {
  readonly kind = "canvas";
  readonly canvas = document.createElement("canvas");
  readonly is_lost = false;
  #painted: OverlayInput | null | undefined = undefined;

  paint(input: OverlayInput | null): void {
    if (input === this.#painted) return;
    this.#painted = input;
    putPixels(this.canvas, input ? paintOverlay(input) : null);
  }

  dispose(): void {
    this.#painted = undefined;
  }
}
