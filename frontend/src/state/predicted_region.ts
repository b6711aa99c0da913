/** The predicted region around a place: what a click would accept. */
import { scaleBetween, type Vec2 } from "./geometry";
import type { ShownPrediction } from "./prediction";
import type { Correction } from "./tools";
import type { LabelClass } from "./types";
import type { Size } from "./viewport";
import { grouped } from "./words";

export interface PredictedRegion {
  readonly class_id: number;
  /** Of the map, not of the image. */
  readonly width: number;
  readonly height: number;
  /** 1 where the region is; row-major. */
  readonly cells: Uint8Array;
  /** Whether it goes on where the pointer is now. */
  readonly has: (at: Vec2) => boolean;
}

/** Beyond this it would take longer than a frame. */
const MOST_CELLS = 4_000_000;

/** null where there is no prediction, or it is too large to be looked through at once. */
export function predictedRegionAt(
  { maps }: ShownPrediction,
  classes: readonly LabelClass[],
  image: Size,
  at: Vec2,
): PredictedRegion | null {
  const first = maps[0]?.map;
  if (first === undefined || first.width * first.height > MOST_CELLS) return null;
  const { width, height } = first;
  const classAt = classReader(maps, classes);
  const start = cellOf(first, image, at);
  if (start < 0) return null;
  const class_id = classAt(start);
  const cells = flood(width, height, start, (i) => classAt(i) === class_id);
  return { class_id, width, height, cells, has: (there) => cells[cellOf(first, image, there)] === 1 };
}

/** The most likely class at a place, and how likely it is, 0..1. null where there is no prediction. */
export function predictedClassAt(
  { maps }: ShownPrediction,
  classes: readonly LabelClass[],
  image: Size,
  at: Vec2,
): { readonly class_id: number; readonly p: number } | null {
  const first = maps[0]?.map;
  const cell = first === undefined ? -1 : cellOf(first, image, at);
  if (cell < 0) return null;
  const class_id = classReader(maps, classes)(cell);
  const own = maps.find((entry) => entry.class_id === class_id);
  // The one map of two classes says what the other is.
  return { class_id, p: (own?.map.values[cell] ?? 255 - (first?.values[cell] ?? 0)) / 255 };
}

/** -1 beside the image. */
function cellOf(map: Size, image: Size, [x, y]: Vec2): number {
  const [across, down] = scaleBetween(image, map);
  const [column, row] = [Math.floor(x * across), Math.floor(y * down)];
  return column < 0 || row < 0 || column >= map.width || row >= map.height ? -1 : row * map.width + column;
}

/** Gives the id of the most likely class of a cell. */
function classReader(maps: ShownPrediction["maps"], classes: readonly LabelClass[]): (i: number) => number {
  const other = classes.length === 2 && maps.length === 1 ? (classes.find(({ id }) => id !== maps[0]?.class_id)?.id ?? -1) : null;
  return (i) => {
    let [best, class_id] = other === null ? [-1, -1] : [127.5, other];
    for (const entry of maps) {
      const here = entry.map.values[i] ?? 0;
      if (here > best) [best, class_id] = [here, entry.class_id];
    }
    return class_id;
  };
}

/** The region with all that it encloses. */
export function withHolesFilled(region: PredictedRegion): PredictedRegion {
  const { width, height, cells } = region;
  const filled = new Uint8Array(cells.length).fill(1);
  // What is reached from the edge of the map is not enclosed.
  const open: number[] = [];
  const visit = (i: number): void => {
    if (cells[i] === 1 || filled[i] === 0) return;
    filled[i] = 0;
    open.push(i);
  };
  for (let column = 0; column < width; column += 1) [column, column + width * (height - 1)].forEach(visit);
  for (let row = 0; row < height; row += 1) [row * width, (row + 1) * width - 1].forEach(visit);
  for (let i = open.pop(); i !== undefined; i = open.pop()) visitBeside(i, width, height, visit);
  return { ...region, cells: filled };
}

/** What a click makes of the region, and how large that is: "Accept as nuclei, about 12,400 px". `class_id`: of what it becomes. */
export function correctionText({ width, height, cells }: PredictedRegion, correction: Correction, class_id: number | null, classes: readonly LabelClass[], image: Size): string {
  const name = classes.find((one) => one.id === class_id)?.name;
  if (name === undefined) return "Predicted as the chosen class: choose the class that it is";
  const share = cells.reduce((sum, on) => sum + on, 0) / (width * height);
  const size = `about ${grouped(twoDigits(share * image.width * image.height))} px`;
  return `${WORDS[correction]} ${name}, ${size}`;
}

const WORDS: Readonly<Record<Correction, string>> = { accept: "Accept as", erase: "Change to", fill: "Accept, holes filled, as" };

/** Cells of the prediction are no pixels: more digits would promise too much. */
function twoDigits(count: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(count, 1))) - 1);
  return Math.round(count / unit) * unit;
}

/** The cells that touch one by a side. */
function visitBeside(i: number, width: number, height: number, visit: (i: number) => void): void {
  const column = i % width;
  if (column > 0) visit(i - 1);
  if (column < width - 1) visit(i + 1);
  if (i >= width) visit(i - width);
  if (i < width * (height - 1)) visit(i + width);
}

/** Cells that hang together by their sides. */
function flood(width: number, height: number, start: number, isSame: (i: number) => boolean): Uint8Array {
  const cells = new Uint8Array(width * height);
  const open = [start];
  cells[start] = 1;
  const visit = (i: number): void => {
    if (cells[i] === 1 || !isSame(i)) return;
    cells[i] = 1;
    open.push(i);
  };
  for (let i = open.pop(); i !== undefined; i = open.pop()) visitBeside(i, width, height, visit);
  return cells;
}
