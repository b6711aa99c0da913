/** Probability maps to colours. Pure: no canvas, no DOM. */
import { isBright, parseColor, type Rgb } from "../state/color";
import { taps } from "../state/geometry";
import type { ClassMap, GrayMap } from "../state/prediction";
import type { OverlayStyle } from "../state/preferences";
import { heatColor, uncertaintyColor } from "./ramps";

/** RGBA, row-major, not premultiplied; as ImageData wants it. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** Cells of a grid are drawn as this many pixels a side at most; the compositor does the rest. */
const MOST_FACTOR = 4;
const MOST_PIXELS = 320_000;
/** Refined maps come when nobody waits. */
const MOST_PIXELS_REFINED = 600_000;
/** Alpha of what an outline surrounds, where the opacity is 1, and of the edge beside an outline. */
export const INSIDE_ALPHA = 77;
export const EDGE_ALPHA = 204;
/** Of the class that everything is predicted as while nothing else has labels: no result, and not to be taken for one. */
const VEIL_ALPHA = 64;
const FAINTEST_ALPHA = 70;
const GREY: Rgb = [128, 128, 128];
const LOGIT_LIMIT = Math.log(254.5 / 0.5);

/** Of an 8-bit probability. */
export const LOGITS = Float32Array.from({ length: 256 }, (_, value) => {
  const p = Math.min(Math.max(value, 0.5), 254.5) / 255;
  return Math.log(p / (1 - p));
});

/** Logits of a map, enlarged `factor` times, bilinear between cell centres with clamped edges. */
export function upsampleLogits(map: GrayMap, factor: number): Float32Array {
  const { width, height, values } = map;
  const columns = taps(width, width * factor);
  // A person waits for this loop: no objects in it.
  const lefts = Int32Array.from(columns, ([left]) => left);
  const rights = Int32Array.from(columns, ([, right]) => right);
  const shares = Float32Array.from(columns, ([, , share]) => share);
  const out = new Float32Array(columns.length * height * factor);
  const line = new Float32Array(width);
  let o = 0;
  for (const [top, bottom, dv] of taps(height, height * factor)) {
    for (let x = 0; x < width; x += 1) {
      const a = LOGITS[values[top * width + x] ?? 0] ?? 0;
      line[x] = a + ((LOGITS[values[bottom * width + x] ?? 0] ?? 0) - a) * dv;
    }
    for (let x = 0; x < lefts.length; x += 1) {
      const a = line[lefts[x] ?? 0] ?? 0;
      out[o] = a + ((line[rights[x] ?? 0] ?? 0) - a) * (shares[x] ?? 0);
      o += 1;
    }
  }
  return out;
}

/** How often to enlarge a map before the compositor does the rest: the more classes, the less. */
export function enlargement(map: GrayMap, class_count: number, refined: boolean): number {
  const most = refined ? MOST_PIXELS_REFINED : MOST_PIXELS;
  const affordable = Math.sqrt(most / (map.width * map.height * Math.max(class_count, 1)));
  return Math.min(Math.max(Math.floor(affordable), 1), MOST_FACTOR);
}

export interface OverlayInput {
  readonly maps: readonly ClassMap[];
  /** Of the session, in order. */
  readonly colors: readonly { readonly id: number; readonly color: string }[];
  readonly style: OverlayStyle;
  /** Whose confidence is shown of more than two classes; null: the first one's. */
  readonly confidence_class_id: number | null;
  /** The one class that has labels; null where the head can tell classes apart. */
  readonly only_class_id: number | null;
  readonly refined: boolean;
  /** 0..1, of what lies inside outlines; outlines themselves are opaque. The other styles are made transparent as a whole. */
  readonly opacity: number;
}

/** The overlay of a prediction, null if there is nothing to draw. */
export function paintOverlay(input: OverlayInput): Pixels | null {
  const first = input.maps[0];
  if (first === undefined) return null;
  const palette = paletteOrder(input).map((id) => parseColor(input.colors.find((entry) => entry.id === id)?.color ?? ""));
  if (input.only_class_id !== null) return veil(first.map, palette[0], veilAlpha(input));
  const factor = enlargement(first.map, input.maps.length, input.refined);
  const size = { width: first.map.width * factor, height: first.map.height * factor };
  const logits = input.maps.map(({ map }) => upsampleLogits(map, factor));
  const is_binary = input.colors.length === 2;
  const heat_of = heatMapOf(input);
  if (heat_of !== null) return { ...size, rgba: looked(logits[heat_of.plane] ?? null, size, heatTable(heat_of.is_foreground)) };
  if (is_binary && input.style === "certainty") return { ...size, rgba: looked(logits[0] ?? null, size, certaintyTable(palette)) };
  const labels = is_binary ? binaryLabels(logits[0] ?? new Float32Array()) : topLabels(logits);
  if (input.style === "uncertainty") return { ...size, rgba: uncertain(labels) };
  if (input.style === "contour") return { ...size, rgba: contours(labels, palette, size.width, input.opacity) };
  return { ...size, rgba: tinted(labels, palette, input.style === "certainty") };
}

/** Which plane is shown as a heat map, -1 for a class that the head does not know; null: none is. */
export function heatMapOf({ style, colors, maps, confidence_class_id }: OverlayInput): { plane: number; is_foreground: boolean } | null {
  if (style !== "confidence") return null;
  if (colors.length === 2) return { plane: 0, is_foreground: maps[0]?.class_id === colors[0]?.id };
  const shown = colors.find(({ id }) => id === confidence_class_id) ?? colors[0];
  return { plane: maps.findIndex(({ class_id }) => class_id === shown?.id), is_foreground: true };
}

/** Ids of the classes by palette index: the only one that has labels, else those of the maps, then the others. */
export function paletteOrder({ maps, colors, only_class_id }: OverlayInput): number[] {
  const shown = only_class_id === null ? maps.map(({ class_id }) => class_id) : [only_class_id];
  return [...shown, ...colors.map(({ id }) => id).filter((id) => !shown.includes(id))];
}

/** 0..255. Outlines are not made transparent as a whole, and what they would surround is made so here. */
export function veilAlpha({ style, opacity }: Pick<OverlayInput, "style" | "opacity">): number {
  return VEIL_ALPHA * (style === "contour" ? opacity : 1);
}

function veil({ width, height }: GrayMap, color: Rgb = GREY, alpha: number): Pixels {
  const rgba = new Uint8ClampedArray(width * height * 4);
  new Uint32Array(rgba.buffer).fill(word(color, alpha));
  return { width, height, rgba };
}

/** Colours by logit. A person waits for this: one look into a table for each pixel. */
function looked(
  logits: Float32Array | null,
  { width, height }: { width: number; height: number },
  table: Uint32Array,
): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(width * height * 4);
  const words = new Uint32Array(rgba.buffer);
  if (logits === null) return new Uint8ClampedArray(words.fill(table[0] ?? 0).buffer);
  const scale = (table.length - 1) / (2 * LOGIT_LIMIT);
  // Rounded by cutting off: nothing here is below 0.
  for (let i = 0; i < words.length; i += 1) words[i] = table[(((logits[i] ?? 0) + LOGIT_LIMIT) * scale + 0.5) | 0] ?? 0;
  return rgba;
}

const heat_tables = new Map<boolean, Uint32Array>();

function heatTable(is_foreground: boolean): Uint32Array {
  const known = heat_tables.get(is_foreground);
  if (known) return known;
  const table = colorTable((p) => [heatColor(is_foreground ? p : 1 - p), 255]);
  heat_tables.set(is_foreground, table);
  return table;
}

let certainty_table: { readonly of: string; readonly table: Uint32Array } | null = null;

/** Of two classes: the more likely one's colour, fainter where it is less sure. */
function certaintyTable([first = GREY, second = GREY]: readonly Rgb[]): Uint32Array {
  const of = [...first, ...second].join();
  if (certainty_table?.of !== of) {
    certainty_table = { of, table: colorTable((p) => [p >= 0.5 ? first : second, strength(Math.abs(2 * p - 1))]) };
  }
  return certainty_table.table;
}

/** By logit. */
function colorTable(colorOf: (p: number) => readonly [Rgb, number]): Uint32Array {
  return Uint32Array.from({ length: 1024 }, (_, i) => {
    const [color, alpha] = colorOf(sigmoid(((i / 1023) * 2 - 1) * LOGIT_LIMIT));
    return word(color, alpha);
  });
}

/** Little-endian RGBA: every platform that runs a browser is. */
function word([r, g, b]: Rgb, alpha: number): number {
  return ((Math.round(alpha) << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** Alpha of a class's colour where the head is so sure, 0..1. */
function strength(sure: number): number {
  return FAINTEST_ALPHA + (255 - FAINTEST_ALPHA) * Math.max(sure, 0);
}

interface Labels {
  /** Index into the palette. */
  readonly labels: Uint8Array;
  /** P of that class, 0..1. */
  readonly certainty: Float32Array;
  /** How far P of the most likely class is above that of the next one, 0..1. */
  readonly margin: Float32Array;
}

/** 0 where the class of the map is more likely than the other one, else 1. */
function binaryLabels(logits: Float32Array): Labels {
  const labels = new Uint8Array(logits.length);
  const certainty = new Float32Array(logits.length);
  const margin = new Float32Array(logits.length);
  for (let i = 0; i < logits.length; i += 1) {
    const p = sigmoid(logits[i] ?? 0);
    labels[i] = p >= 0.5 ? 0 : 1;
    certainty[i] = Math.max(p, 1 - p);
    margin[i] = Math.abs(2 * p - 1);
  }
  return { labels, certainty, margin };
}

function topLabels(logits: readonly Float32Array[]): Labels {
  const count = logits[0]?.length ?? 0;
  const labels = new Uint8Array(count);
  const best = new Float32Array(count).fill(-Infinity);
  const margin = new Float32Array(count).fill(-Infinity);
  logits.forEach((plane, k) => {
    for (let i = 0; i < count; i += 1) {
      const value = plane[i] ?? 0;
      const before = best[i] ?? 0;
      if (value > before) {
        best[i] = value;
        labels[i] = k;
      }
      // Until the end: the second best.
      margin[i] = Math.max(margin[i] ?? 0, Math.min(value, before));
    }
  });
  for (let i = 0; i < count; i += 1) {
    best[i] = sigmoid(best[i] ?? 0);
    margin[i] = (best[i] ?? 0) - sigmoid(margin[i] ?? 0);
  }
  return { labels, certainty: best, margin };
}

function uncertain({ margin }: Labels): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(margin.length * 4);
  const table = Array.from({ length: 256 }, (_, i) => uncertaintyColor(1 - i / 255));
  for (let i = 0; i < margin.length; i += 1) setPixel(rgba, i, table[Math.round(255 * (margin[i] ?? 0))], 255);
  return rgba;
}

/** Class colours; by confidence, the fainter the less certain. */
function tinted(
  { labels, certainty }: Labels,
  palette: readonly Rgb[],
  by_confidence: boolean,
): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(labels.length * 4);
  const chance = 1 / Math.max(palette.length, 2);
  for (let i = 0; i < labels.length; i += 1) {
    const sure = by_confidence ? ((certainty[i] ?? 0) - chance) / (1 - chance) : 1;
    setPixel(rgba, i, palette[labels[i] ?? 0], strength(sure));
  }
  return rgba;
}

/** Borders of the regions in class colours with a black or white edge inside, the regions themselves only hinted at. */
function contours({ labels }: Labels, palette: readonly Rgb[], width: number, opacity: number): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(labels.length * 4);
  const edges = palette.map((color): Rgb => (isBright(color) ? [0, 0, 0] : [255, 255, 255]));
  const borders = changes(labels, width);
  const beside = changes(borders, width);
  for (let i = 0; i < labels.length; i += 1) {
    const label = labels[i] ?? 0;
    if (borders[i] === 1) setPixel(rgba, i, palette[label], 255);
    else if (beside[i] === 1) setPixel(rgba, i, edges[label], EDGE_ALPHA);
    else setPixel(rgba, i, palette[label], INSIDE_ALPHA * opacity);
  }
  return rgba;
}

/** 1 where one of the four neighbours has another value. */
function changes(values: Uint8Array, width: number): Uint8Array {
  const found = new Uint8Array(values.length);
  for (let start = 0; start < values.length; start += width) {
    for (let i = start; i < start + width; i += 1) {
      const value = values[i];
      if (i + 1 < start + width && values[i + 1] !== value) found[i] = found[i + 1] = 1;
      if (i + width < values.length && values[i + width] !== value) found[i] = found[i + width] = 1;
    }
  }
  return found;
}

function setPixel(rgba: Uint8ClampedArray, i: number, color: Rgb | undefined, alpha: number): void {
  rgba[4 * i] = color?.[0] ?? 0;
  rgba[4 * i + 1] = color?.[1] ?? 0;
  rgba[4 * i + 2] = color?.[2] ?? 0;
  rgba[4 * i + 3] = alpha;
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
