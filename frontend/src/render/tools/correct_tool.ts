import type { Vec2 } from "../../state/geometry";
import type { PredictedRegion } from "../../state/predicted_region";
import type { Correction } from "../../state/tools";
import { parseColor } from "../../state/color";
import type { PaintSurface, ToolPointer } from "../tools";
import type { KeyTool } from "./key_tool";
import { chip } from "./marks";

export interface CorrectHandlers {
  correction(): Correction;
  regionAt(at: Vec2): PredictedRegion | null;
  /** The region as a click would take it. */
  taken(region: PredictedRegion, correction: Correction): PredictedRegion;
  /** Of what a click would make of it. */
  colorFor(region: PredictedRegion, correction: Correction): string;
  /** What a click would do there, in words. */
  says(region: PredictedRegion | null, correction: Correction): string;
  correct(at: Vec2, correction: Correction): void;
  changed(): void;
}

/** A click on a predicted region accepts, erases or fills it; with the right button it erases, with Shift it fills. */
export class CorrectTool implements KeyTool {
  readonly draws = false;
  #region: PredictedRegion | null = null;
  /** As a click would take it. */
  #taken: PredictedRegion | null = null;
  #says = "";
  #correction: Correction = "accept";
  #pointer: ToolPointer | null = null;
  readonly #canvas = document.createElement("canvas");
  #painted: { readonly region: PredictedRegion; readonly color: string } | null = null;

  constructor(
    private readonly pointer: (correction: Correction, color: string | null) => string,
    private readonly handlers: CorrectHandlers,
  ) {}

  get cursor(): string {
    return this.pointer(this.#pointer ? this.#correction : this.handlers.correction(), this.#region && this.handlers.colorFor(this.#region, this.#correction));
  }

  /** Of a click where the pointer is; empty while it is elsewhere. */
  get says(): string {
    return this.#says;
  }

  down(pointer: ToolPointer): boolean {
    this.handlers.correct(pointer.inside, this.#meant(pointer));
    return false;
  }

  hover(pointer: ToolPointer | null): void {
    this.#pointer = pointer;
    const correction = pointer ? this.#meant(pointer) : this.#correction;
    const stays = pointer !== null && this.#region?.has([pointer.x, pointer.y]) === true;
    if (!stays) this.#region = pointer ? this.handlers.regionAt([pointer.x, pointer.y]) : null;
    if (!stays || correction !== this.#correction) this.#mean(correction);
    if (pointer === null) this.#says = "";
    this.handlers.changed();
  }

  /** Another prediction: what was found in the one before is void. */
  forget(): void {
    this.#region = null;
    this.hover(this.#pointer);
  }

  /** Another kind of correction, or another class, is chosen: a click means something else where the pointer rests. */
  look(): void {
    if (this.#pointer === null) return;
    this.#mean(this.#meant(this.#pointer));
    this.handlers.changed();
  }

  get isEmpty(): boolean {
    return this.#region === null && this.#says === "";
  }

  paint(surface: PaintSurface): void {
    const { context, inImage, image, toStage, stage } = surface;
    const color = this.#region && this.handlers.colorFor(this.#region, this.#correction);
    if (this.#taken !== null && color !== null) {
      this.#draw(this.#taken, color);
      context.imageSmoothingEnabled = false;
      inImage((pen) => pen.drawImage(this.#canvas, 0, 0, image.width, image.height));
    }
    if (this.#pointer) chip(context, toStage([this.#pointer.x, this.#pointer.y]), stage, this.#says, color);
  }

  #mean(correction: Correction): void {
    this.#correction = correction;
    this.#taken = this.#region && this.handlers.taken(this.#region, correction);
    this.#says = this.handlers.says(this.#taken, correction);
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
