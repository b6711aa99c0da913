import type { Api, MapSize } from "../api/client";
import type { ClassMap, GrayMap } from "../state/prediction";
import type { LabelClass } from "../state/types";

/**
 * Which maps an overlay needs: of two classes the first one's says everything; of more, every one that the head knows.
 * backend/services/prediction_push.py sends the same; tests/backend/services/needed_maps.json holds both to it.
 */
export function neededMaps(classes: readonly LabelClass[], head_class_ids: readonly number[]): number[] {
  const known = classes.filter(({ id }) => head_class_ids.includes(id)).map(({ id }) => id);
  return classes.length === 2 ? known.slice(0, 1) : known;
}

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
