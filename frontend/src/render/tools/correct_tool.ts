import type { Vec2 } from "../../state/geometry";
import type { PredictedRegion } from "../../state/predicted_region";
import type { Correction } from "../../state/tools";
import { parseColor } from "../../state/color";
import type { PaintSurface, ToolPointer } from "../tools";
import type { KeyTool } from "./key_tool";

export interface CorrectHandlers {
  correction(): Correction;
  regionAt(at: Vec2): PredictedRegion | null;
  /** Of what a click would make of the region. */
  colorFor(region: PredictedRegion, correction: Correction): string;
  correct(at: Vec2, correction: Correction): void;
  changed(): void;
}

/** A click on a predicted region accepts, erases or fills it; with the right button it erases, with Shift it fills. */
export class CorrectTool implements KeyTool {
  readonly draws = false;
  #region: PredictedRegion | null = null;
  #correction: Correction = "accept";
  #pointer: ToolPointer | null = null;
  readonly #canvas = document.createElement("canvas");
  #painted: { readonly region: PredictedRegion; readonly color: string } | null = null;

  constructor(
    private readonly pointer: () => string,
    private readonly handlers: CorrectHandlers,
  ) {}

  get cursor(): string {
    return this.pointer();
  }

  down(pointer: ToolPointer): boolean {
    this.handlers.correct(pointer.inside, this.#meant(pointer));
    return false;
  }

  hover(pointer: ToolPointer | null): void {
    this.#pointer = pointer;
    const correction = pointer ? this.#meant(pointer) : this.#correction;
    const stays = pointer !== null && this.#region?.has([pointer.x, pointer.y]) === true;
    if (stays && correction === this.#correction) return;
    if (!stays) this.#region = pointer ? this.handlers.regionAt([pointer.x, pointer.y]) : null;
    this.#correction = correction;
    this.handlers.changed();
  }

  /** Another prediction: what was found in the one before is void. */
  forget(): void {
    this.#region = null;
    this.hover(this.#pointer);
  }

  get isEmpty(): boolean {
    return this.#region === null;
  }

  paint({ context, inImage, image }: PaintSurface): void {
    if (this.#region === null) return;
    this.#draw(this.#region, this.handlers.colorFor(this.#region, this.#correction));
    context.imageSmoothingEnabled = false;
    inImage((pen) => pen.drawImage(this.#canvas, 0, 0, image.width, image.height));
  }

  #meant({ shift, button }: ToolPointer): Correction {
    if (button === "secondary") return "erase";
    return shift ? "fill" : this.handlers.correction();
  }

  #draw(region: PredictedRegion, color: string): void {
    if (this.#painted?.region === region && this.#painted.color === color) return;
    this.#painted = { region, color };
    const { width, height, cells } = region;
    this.#canvas.width = width;
    this.#canvas.height = height;
    const pixels = new ImageData(width, height);
    const [r, g, b] = parseColor(color);
    cells.forEach((on, i) => {
      if (on === 1) pixels.data.set([r, g, b, isBorder(cells, width, i) ? 255 : 120], 4 * i);
    });
    this.#canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  }
}

function isBorder(cells: Uint8Array, width: number, i: number): boolean {
  const column = i % width;
  const left = column > 0 && cells[i - 1] === 0;
  const right = column < width - 1 && cells[i + 1] === 0;
  return left || right || cells[i - width] === 0 || cells[i + width] === 0;
}
