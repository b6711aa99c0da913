import type { Api, MapSize } from "../api/client";
import type { ClassMap, GrayMap } from "../state/prediction";

/** A map inside an event: 255 x P, row by row, bytes in base64. */
export interface PushedMap {
  readonly class_id: number;
  readonly width: number;
  readonly height: number;
  readonly values: string;
}

export function decodePushed({ class_id, width, height, values }: PushedMap): ClassMap {
  const decoded = Uint8Array.from(atob(values), (byte) => byte.charCodeAt(0));
  if (decoded.length !== width * height) {
    throw new RangeError(`a map of ${width} x ${height} cells has ${decoded.length} values`);
  }
  return { class_id, map: { width, height, values: decoded } };
}

/** The maps of one prediction, side by side. */
export async function loadMaps(
  api: Api,
  image_id: number,
  class_ids: readonly number[],
  size: MapSize,
  version: number,
  signal?: AbortSignal,
): Promise<ClassMap[]> {
  return Promise.all(
    class_ids.map(async (class_id) => ({
      class_id,
      map: await decodeGray(await api.predictionMap(image_id, class_id, size, version, signal)),
    })),
  );
}

async function decodeGray(png: Blob): Promise<GrayMap> {
  const bitmap = await createImageBitmap(png, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("this browser gives no 2D canvas");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  const values = new Uint8Array(width * height);
  for (let i = 0; i < values.length; i += 1) values[i] = rgba[4 * i] ?? 0;
  return { width, height, values };
}
