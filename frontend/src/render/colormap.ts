/** Probability maps to colours. Pure: no canvas, no DOM. */
import { isBright, parseColor, type Rgb } from "../state/color";
import { taps } from "../state/geometry";
import type { ClassMap, GrayMap } from "../state/prediction";
import type { OverlayStyle } from "../state/preferences";

/** RGBA, row-major, not premultiplied; as ImageData wants it. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** Background, undecided, foreground: the red-to-green confidence heat map. */
const HEAT: readonly Rgb[] = [
  [214, 40, 57],
  [247, 201, 72],
  [38, 176, 96],
];
/** Cells of a grid are drawn as this many pixels a side at most; the compositor does the rest. */
const MOST_FACTOR = 4;
const MOST_PIXELS = 320_000;
/** Refined maps come when nobody waits. */
const MOST_PIXELS_REFINED = 600_000;
/** Alpha of what an outline surrounds, where the opacity is 1, and of the edge beside an outline. */
const INSIDE_ALPHA = 77;
const EDGE_ALPHA = 204;
const LOGIT_LIMIT = Math.log(254.5 / 0.5);

const LOGITS = Float32Array.from({ length: 256 }, (_, value) => {
  const p = Math.min(Math.max(value, 0.5), 254.5) / 255;
  return Math.log(p / (1 - p));
});

/** Logits of a map, enlarged `factor` times, bilinear between cell centres with clamped edges. */
export function upsampleLogits(map: GrayMap, factor: number): Float32Array {
  const { width, height, values } = map;
  const columns = taps(width, width * factor);
  const rows = taps(height, height * factor);
  const out_width = width * factor;
  const out = new Float32Array(out_width * height * factor);
  const line = new Float32Array(width);
  let o = 0;
  for (const [top, bottom, dv] of rows) {
    for (let x = 0; x < width; x += 1) {
      const a = LOGITS[values[top * width + x] ?? 0] ?? 0;
      const b = LOGITS[values[bottom * width + x] ?? 0] ?? 0;
      line[x] = a + (b - a) * dv;
    }
    for (const [left, right, du] of columns) {
      const a = line[left] ?? 0;
      out[o] = a + ((line[right] ?? 0) - a) * du;
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
  readonly refined: boolean;
  /** 0..1, of what lies inside outlines; outlines themselves are opaque. The other styles are made transparent as a whole. */
  readonly opacity: number;
}

/** The overlay of a prediction, null if there is nothing to draw. */
export function paintOverlay(input: OverlayInput): Pixels | null {
  const first = input.maps[0];
  if (first === undefined) return null;
  const factor = enlargement(first.map, input.maps.length, input.refined);
  const size = { width: first.map.width * factor, height: first.map.height * factor };
  const logits = input.maps.map(({ map }) => upsampleLogits(map, factor));
  const is_binary = input.colors.length === 2;
  if (is_binary && input.style === "confidence") {
    const is_foreground = first.class_id === input.colors[0]?.id;
    return { ...size, rgba: heat(logits[0] ?? new Float32Array(), is_foreground) };
  }
  const labels = is_binary ? binaryLabels(logits[0] ?? new Float32Array()) : topLabels(logits);
  const shown = input.maps.map(({ class_id }) => class_id);
  const others = input.colors.map(({ id }) => id).filter((id) => !shown.includes(id));
  const palette = [...shown, ...others].map((id) => parseColor(input.colors.find((entry) => entry.id === id)?.color ?? ""));
  if (input.style === "contour") return { ...size, rgba: contours(labels, palette, size.width, input.opacity) };
  return { ...size, rgba: tinted(labels, palette, input.style === "confidence") };
}

function heat(logits: Float32Array, is_foreground: boolean): Uint8ClampedArray<ArrayBuffer> {
  const table = heatTable(is_foreground);
  const rgba = new Uint8ClampedArray(logits.length * 4);
  const words = new Uint32Array(rgba.buffer);
  const scale = (table.length - 1) / (2 * LOGIT_LIMIT);
  for (let i = 0; i < words.length; i += 1) words[i] = table[Math.round(((logits[i] ?? 0) + LOGIT_LIMIT) * scale)] ?? 0;
  return rgba;
}

const heat_tables = new Map<boolean, Uint32Array>();

/** Colours by logit, as little-endian RGBA words: every platform that runs a browser is. */
function heatTable(is_foreground: boolean): Uint32Array {
  const known = heat_tables.get(is_foreground);
  if (known) return known;
  const table = Uint32Array.from({ length: 1024 }, (_, i) => {
    const logit = ((i / 1023) * 2 - 1) * LOGIT_LIMIT;
    const p = 1 / (1 + Math.exp(is_foreground ? -logit : logit));
    const [r, g, b] = heatColor(p);
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
  heat_tables.set(is_foreground, table);
  return table;
}

/** Red at 0, amber at 0.5, green at 1. */
export function heatColor(p: number): Rgb {
  const position = Math.min(Math.max(p, 0), 1) * (HEAT.length - 1);
  const index = Math.min(Math.floor(position), HEAT.length - 2);
  const low = HEAT[index] ?? [0, 0, 0];
  const high = HEAT[index + 1] ?? low;
  const mix = (channel: 0 | 1 | 2): number => Math.round(low[channel] + (high[channel] - low[channel]) * (position - index));
  return [mix(0), mix(1), mix(2)];
}

interface Labels {
  /** Index into the palette. */
  readonly labels: Uint8Array;
  /** P of that class, 0..1. */
  readonly certainty: Float32Array;
}

/** 0 where the class of the map is more likely than the other one, else 1. */
function binaryLabels(logits: Float32Array): Labels {
  const labels = new Uint8Array(logits.length);
  const certainty = new Float32Array(logits.length);
  for (let i = 0; i < logits.length; i += 1) {
    const p = sigmoid(logits[i] ?? 0);
    labels[i] = p >= 0.5 ? 0 : 1;
    certainty[i] = Math.max(p, 1 - p);
  }
  return { labels, certainty };
}

function topLabels(logits: readonly Float32Array[]): Labels {
  const count = logits[0]?.length ?? 0;
  const labels = new Uint8Array(count);
  const best = new Float32Array(count).fill(-Infinity);
  logits.forEach((plane, k) => {
    for (let i = 0; i < count; i += 1) {
      const value = plane[i] ?? 0;
      if (value > (best[i] ?? 0)) {
        best[i] = value;
        labels[i] = k;
      }
    }
  });
  for (let i = 0; i < count; i += 1) best[i] = sigmoid(best[i] ?? 0);
  return { labels, certainty: best };
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
    setPixel(rgba, i, palette[labels[i] ?? 0], 70 + 185 * Math.max(sure, 0));
  }
  return rgba;
}

/** Borders of the regions in class colours with a black or white edge inside, the regions themselves only hinted at. */
function contours({ labels }: Labels, palette: readonly Rgb[], width: number, opacity: number): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(labels.length * 4);
  const edges = palette.map((color): Rgb => (isBright(color) ? [0, 0, 0] : [255, 255, 255]));
  const borders = Uint8Array.from(labels, (label, i) => (touches(labels, width, i, (other) => other !== label) ? 1 : 0));
  for (let i = 0; i < labels.length; i += 1) {
    const label = labels[i] ?? 0;
    if (borders[i] === 1) setPixel(rgba, i, palette[label], 255);
    else if (touches(borders, width, i, (border) => border === 1)) setPixel(rgba, i, edges[label], EDGE_ALPHA);
    else setPixel(rgba, i, palette[label], INSIDE_ALPHA * opacity);
  }
  return rgba;
}

/** Whether one of the four neighbours is such. */
function touches(values: Uint8Array, width: number, i: number, is_such: (value: number | undefined) => boolean): boolean {
  const column = i % width;
  return (
    (column + 1 < width && is_such(values[i + 1])) ||
    (column > 0 && is_such(values[i - 1])) ||
    (i + width < values.length && is_such(values[i + width])) ||
    (i >= width && is_such(values[i - width]))
  );
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
