import type { Api } from "../api/client";

/** Longest side that is fetched at first; a larger picture comes whole when the person zooms in that far. */
export const SCREEN_SIDE_PX = 4096;
const MOST_PICTURES = 8;

/** Decoded pictures, those used last: the open one, a few visited ones, the next ones. */
export class PictureCache {
  readonly #api: Api;
  readonly #pictures = new Map<string, Promise<ImageBitmap>>();
  readonly #ready = new Map<string, ImageBitmap>();

  constructor(api: Api) {
    this.#api = api;
  }

  /** The picture if it is decoded already: then it can be painted in this very frame. */
  peek(image_id: number): ImageBitmap | null {
    return this.#ready.get(key(image_id, SCREEN_SIDE_PX)) ?? null;
  }

  load(image_id: number, max_side: number | null, priority: RequestPriority = "high"): Promise<ImageBitmap> {
    const name = key(image_id, max_side);
    const known = this.#pictures.get(name);
    const picture = known ?? this.#fetch(name, image_id, max_side, priority);
    // Last in the map is used last.
    this.#pictures.delete(name);
    this.#pictures.set(name, picture);
    this.#evict();
    return picture;
  }

  async #fetch(name: string, image_id: number, max_side: number | null, priority: RequestPriority): Promise<ImageBitmap> {
    try {
      const bitmap = await createImageBitmap(await this.#api.imageFile(image_id, max_side, priority));
      if (this.#pictures.has(name)) this.#ready.set(name, bitmap);
      return bitmap;
    } catch (error) {
      this.#pictures.delete(name);
      throw error;
    }
  }

  #evict(): void {
    for (const name of this.#pictures.keys()) {
      if (this.#pictures.size <= MOST_PICTURES) return;
      this.#pictures.delete(name);
      // Not closed: the stage may still show it. The garbage collector takes it when nobody does.
      this.#ready.delete(name);
    }
  }
}

function key(image_id: number, max_side: number | null): string {
  return `${image_id}@${max_side ?? "full"}`;
}
