/** COCO's compressed run lengths: pixels off, on, off, ... down the columns of a rectangle. */
import type { Vec2 } from "./geometry";
import type { MaskGeometry } from "./regions";

const decoded = new WeakMap<MaskGeometry, readonly number[]>();

/** Lengths of the runs; the first is of pixels that are off. */
export function decodeRuns(mask: MaskGeometry): readonly number[] {
  const known = decoded.get(mask);
  if (known) return known;
  const runs = parse(mask.counts);
  decoded.set(mask, runs);
  return runs;
}

/** Five bits a character, the sixth says that more follow; from the third run on the difference to the one before last. */
function parse(counts: string): number[] {
  const runs: number[] = [];
  for (let p = 0; p < counts.length; ) {
    let [value, shift, more] = [0, 0, true];
    while (more && p < counts.length) {
      const c = counts.charCodeAt(p) - 48;
      value |= (c & 0x1f) << shift;
      more = (c & 0x20) !== 0;
      p += 1;
      shift += 5;
      if (!more && (c & 0x10) !== 0 && shift < 32) value |= -1 << shift;
    }
    runs.push(value + (runs.length > 2 ? (runs[runs.length - 2] ?? 0) : 0));
  }
  return runs;
}

export function runsContain(runs: readonly number[], { x, y, size: [height, width] }: MaskGeometry, [px, py]: Vec2): boolean {
  const [column, row] = [Math.floor(px) - x, Math.floor(py) - y];
  if (column < 0 || row < 0 || column >= width || row >= height) return false;
  const place = column * height + row;
  let end = 0;
  for (let i = 0; i < runs.length; i += 1) {
    end += runs[i] ?? 0;
    if (place < end) return i % 2 === 1;
  }
  return false;
}

export interface Bitmap {
  readonly width: number;
  readonly height: number;
  /** 1 where the mask is; row-major. */
  readonly pixels: Uint8Array;
}

/** The mask with every `step`-th pixel of it. */
export function bitmapOf(mask: MaskGeometry, step: number): Bitmap {
  const [full_height, full_width] = mask.size;
  const [width, height] = [Math.ceil(full_width / step), Math.ceil(full_height / step)];
  const pixels = new Uint8Array(width * height);
  let place = 0;
  decodeRuns(mask).forEach((run, i) => {
    if (i % 2 === 1) fillRun(pixels, width, full_height, step, place, place + run);
    place += run;
  });
  return { width, height, pixels };
}

function fillRun(pixels: Uint8Array, width: number, full_height: number, step: number, from: number, to: number): void {
  for (let place = from; place < to; ) {
    const column = Math.floor(place / full_height);
    const end = Math.min(to, (column + 1) * full_height);
    if (column % step === 0) {
      const first = Math.ceil((place - column * full_height) / step);
      const last = Math.ceil((end - column * full_height) / step);
      for (let row = first; row < last; row += 1) pixels[row * width + column / step] = 1;
    }
    place = end;
  }
}

const anchors = new WeakMap<MaskGeometry, Vec2>();

/** A place well inside: the middle of the longest stretch down a column. */
export function anchorOf(mask: MaskGeometry): Vec2 {
  const known = anchors.get(mask);
  if (known) return known;
  const rows = Math.max(mask.size[0], 1);
  let [place, longest, at] = [0, 0, 0];
  decodeRuns(mask).forEach((run, i) => {
    const end = place + run;
    // A run may go on in the next column.
    for (let from = place; i % 2 === 1 && from < end; ) {
      const to = Math.min(end, (Math.floor(from / rows) + 1) * rows);
      if (to - from > longest) [longest, at] = [to - from, from + Math.floor((to - from) / 2)];
      from = to;
    }
    place = end;
  });
  const anchor: Vec2 = [mask.x + Math.floor(at / rows) + 0.5, mask.y + (at % rows) + 0.5];
  anchors.set(mask, anchor);
  return anchor;
}
