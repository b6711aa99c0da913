/** How a picture is looked at: bands, brightness, contrast, gamma. Nothing of it changes any data. */
import { clamp } from "./geometry";

export interface PictureLook {
  /** One (grey) or three (red, green, blue), counted from 1; null: as the session shows it. */
  readonly bands: readonly number[] | null;
  /** Start from the range that suits the picture, instead of the session's. */
  readonly auto: boolean;
  /** -1..1 */
  readonly brightness: number;
  /** -1..1 */
  readonly contrast: number;
  /** 0.2..5; above 1 lightens the dark parts. */
  readonly gamma: number;
}

export const PLAIN_LOOK: PictureLook = { bands: null, auto: false, brightness: 0, contrast: 0, gamma: 1 };
export const GAMMA_LIMIT = 5;

/** What the server says of a picture; see GET /images/{id}/display. */
export interface PictureDisplay {
  readonly bands: number;
  readonly deep: boolean;
  readonly black: number;
  readonly white: number;
  readonly auto_low: number;
  readonly auto_high: number;
}

/** Black and white, as shares of the range that the session shows. */
export interface ContrastWindow {
  readonly low: number;
  readonly high: number;
}

export const FULL_WINDOW: ContrastWindow = { low: 0, high: 1 };

/** What the server renders; the rest is done on screen. */
export interface ServedLook {
  readonly bands: readonly number[] | null;
  readonly window: ContrastWindow;
}

export const PLAIN_SERVED: ServedLook = { bands: null, window: FULL_WINDOW };

export function isPlain(look: PictureLook): boolean {
  return look.bands === null && !look.auto && look.brightness === 0 && look.contrast === 0 && look.gamma === 1;
}

/** What is to be black and white. Full contrast is eight times the plain one, none an eighth. */
export function windowOf(look: PictureLook, display: PictureDisplay | null): ContrastWindow {
  const base = look.auto && display ? { low: display.auto_low, high: display.auto_high } : FULL_WINDOW;
  const extent = base.high - base.low;
  const width = extent * 8 ** -look.contrast;
  const middle = (base.low + base.high) / 2 - (look.brightness * extent) / 2;
  return { low: middle - width / 2, high: middle + width / 2 };
}

/** Only deep pictures hold more than their 8-bit form: the contrast of the others is the screen's affair. */
export function servedLook(look: PictureLook, display: PictureDisplay | null): ServedLook {
  return { bands: look.bands, window: display?.deep === true ? rounded(windowOf(look, display)) : FULL_WINDOW };
}

/** The query of a served look, "" for the plain one; tells pictures apart in caches as well. */
export function lookQuery({ bands, window }: ServedLook): string {
  const parts = bands ? [`bands=${bands.join(",")}`] : [];
  if (window.low !== 0 || window.high !== 1) parts.push(`low=${window.low}`, `high=${window.high}`);
  return parts.join("&");
}

/** 0..1 in, 0..1 out: multiply, add, clip, then raise to the power. */
export interface ToneCurve {
  readonly slope: number;
  readonly intercept: number;
  readonly exponent: number;
}

/** What the screen still has to do to a picture that was rendered with the window `shown`. */
export function toneCurve(wanted: ContrastWindow, shown: ContrastWindow, gamma: number): ToneCurve {
  const range = Math.max(wanted.high - wanted.low, 1e-6);
  return {
    slope: (shown.high - shown.low) / range,
    intercept: (shown.low - wanted.low) / range,
    exponent: 1 / clamp(gamma, 1 / GAMMA_LIMIT, GAMMA_LIMIT),
  };
}

export function changesNothing({ slope, intercept, exponent }: ToneCurve): boolean {
  return Math.abs(slope - 1) < 1e-3 && Math.abs(intercept) < 1e-3 && exponent === 1;
}

/** So that two ways to the same look share what was fetched. */
function rounded({ low, high }: ContrastWindow): ContrastWindow {
  const round = (value: number): number => Math.round(value * 1e4) / 1e4;
  return { low: round(low), high: round(high) };
}
