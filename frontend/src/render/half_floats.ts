import type { ClassMap } from "../state/prediction";
import { LOGITS } from "./colormap";

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** IEEE 754 binary16 of a number well within its range, rounded. */
export function toHalf(value: number): number {
  single[0] = value;
  const word = bits[0] ?? 0;
  const sign = (word >>> 16) & 0x8000;
  const exponent = ((word >>> 23) & 0xff) - 112;
  if (exponent <= 0) return sign;
  return sign | ((exponent << 10) + ((((word >>> 12) & 0x7ff) + 1) >>> 1));
}

const HALF_LOGITS = Uint16Array.from(LOGITS, toHalf);

/** Logits of all maps, layer by layer: one class a texel if there is one map, else four (RGBA). */
export function packLogits(maps: readonly ClassMap[]): Uint16Array<ArrayBuffer> {
  const channels = maps.length === 1 ? 1 : 4;
  const cells = (maps[0]?.map.width ?? 0) * (maps[0]?.map.height ?? 0);
  const packed = new Uint16Array(cells * channels * Math.ceil(maps.length / channels));
  maps.forEach(({ map }, k) => {
    const { values } = map;
    let o = Math.floor(k / channels) * cells * channels + (k % channels);
    for (let i = 0; i < cells; i += 1, o += channels) packed[o] = HALF_LOGITS[values[i] ?? 0] ?? 0;
  });
  return packed;
}
