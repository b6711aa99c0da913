/** Colour ramps of the overlays. */
import type { Rgb } from "../state/color";

/** Background, undecided, foreground: the red-to-green confidence heat map. */
const HEAT: readonly Rgb[] = [
  [214, 40, 57],
  [247, 201, 72],
  [38, 176, 96],
];

/** Viridis (Smith and van der Walt 2015): perceptually uniform, and readable without telling red from green. */
const VIRIDIS: readonly Rgb[] = [
  [68, 1, 84],
  [72, 26, 108],
  [71, 47, 125],
  [65, 68, 135],
  [57, 86, 140],
  [49, 104, 142],
  [42, 120, 142],
  [35, 136, 142],
  [31, 152, 139],
  [34, 168, 132],
  [53, 183, 121],
  [84, 197, 104],
  [122, 209, 81],
  [165, 219, 54],
  [210, 226, 27],
  [253, 231, 37],
];

export const RAMP_STEPS = 256;

/** Red at 0, amber at 0.5, green at 1. */
export function heatColor(p: number): Rgb {
  return along(HEAT, p);
}

/** Dark violet where the head is sure, yellow where two classes are as likely. */
export function uncertaintyColor(uncertainty: number): Rgb {
  return along(VIRIDIS, uncertainty);
}

/** RGB bytes of `RAMP_STEPS` colours from 0 to 1. */
export function rampBytes(color: (position: number) => Rgb): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * RAMP_STEPS);
  for (let i = 0; i < RAMP_STEPS; i += 1) bytes.set([...color(i / (RAMP_STEPS - 1)), 255], 4 * i);
  return bytes;
}

function along(stops: readonly Rgb[], position: number): Rgb {
  const place = Math.min(Math.max(position, 0), 1) * (stops.length - 1);
  const index = Math.min(Math.floor(place), stops.length - 2);
  const low = stops[index] ?? [0, 0, 0];
  const high = stops[index + 1] ?? low;
  const mix = (channel: 0 | 1 | 2): number => Math.round(low[channel] + (high[channel] - low[channel]) * (place - index));
  return [mix(0), mix(1), mix(2)];
}
