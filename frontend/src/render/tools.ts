/** What draws on the stage: tools that hear the pointer, layers that paint. All coordinates are pixels of the image. */
import type { Vec2 } from "../state/geometry";
import type { Size, Viewport } from "../state/viewport";

export interface ToolPointer {
  /** Pixels of the image; may lie beside it. */
  readonly x: number;
  readonly y: number;
  /** The nearest place on the image. */
  readonly inside: Vec2;
  readonly button: "primary" | "secondary";
  readonly shift: boolean;
  readonly alt: boolean;
  readonly ctrl: boolean;
  /** 0..1; 0.5 where the device tells none. */
  readonly pressure: number;
  readonly device: "mouse" | "pen" | "touch";
  /** How many pixels of the image one CSS pixel is long: for radii that are meant on screen. */
  readonly pixel: number;
  /** Presses in quick succession: 2 for the second one of a double click. */
  readonly clicks: number;
}

/** What the pointer does on the image. The stage pans and zooms by itself, whatever the tool. */
export interface StageTool {
  /** CSS cursor. */
  readonly cursor: string;
  /** Whether a drag by one finger draws (two fingers still move the image); else it moves the image, and a tap is a press. */
  readonly draws: boolean;
  /** A press; true if the tool wants the drag that follows. */
  down(pointer: ToolPointer): boolean;
  /** All the places since the last call, in order: more than one a frame where the device tells them. */
  drag?(pointers: readonly ToolPointer[]): void;
  up?(pointer: ToolPointer): void;
  /** The drag is void: a second finger came, or Escape, or another tool. */
  cancel?(): void;
  /** The pointer moved without a press, or left (null). */
  hover?(pointer: ToolPointer | null): void;
  /** What only the tool shows: a brush's circle, an unfinished polygon. Asked for by `ImageStage.repaintTool`. */
  paint?(surface: PaintSurface): void;
  /** Nothing would be painted now: without its canvas each frame costs less. */
  readonly isEmpty?: boolean;
}

/** Paints between the prediction and the points, for example masks. */
export interface StageLayer {
  paint(surface: PaintSurface): void;
  /** Nothing would be painted now. */
  readonly isEmpty?: boolean;
}

export interface PaintSurface {
  /** Empty; its unit is the CSS pixel of the stage. */
  readonly context: CanvasRenderingContext2D;
  readonly view: Viewport;
  readonly stage: Size;
  readonly image: Size;
  /** From the image to the stage. */
  readonly toStage: (xy: Vec2) => Vec2;
  /** Draws in pixels of the image, nothing beside it: `context.drawImage(mask, left, top, width, height)`. */
  readonly inImage: (draw: (context: CanvasRenderingContext2D) => void) => void;
}
