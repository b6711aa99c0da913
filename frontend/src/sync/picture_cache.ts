import type { Api } from "../api/client";
import { isFinal } from "../api/errors";

/** Longest side that is fetched at first: a larger picture comes in tiles where the person looks closer. */
export const SCREEN_SIDE_PX = 4096;
const MOST_PICTURES = 16;
const MOST_PIXELS = 64_000_000;
/** The open picture and the next one stay, however large they are. */
const FEWEST_PICTURES = 2;

/** Decoded pictures, those used last: the open one, a few visited ones, the next ones. */
export class PictureCache {
  /** How pictures are rendered from now on, as `lookQuery` has it. */
  look = "";
  readonly #api: Api;
  readonly #pictures = new Map<string, Promise<ImageBitmap>>();
  readonly #ready = new Map<string, ImageBitmap>();

  constructor(api: Api) {
    this.#api = api;
  }

  /** The picture if it is decoded already: then it can be painted in this very frame. */
  peek(image_id: number): ImageBitmap | null {
    return this.#ready.get(this.#key(image_id, SCREEN_SIDE_PX)) ?? null;
  }

  load(image_id: number, max_side: number | null, priority: RequestPriority = "high"): Promise<ImageBitmap> {
    const name = this.#key(image_id, max_side);
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
      const bitmap = await createImageBitmap(await this.#file(image_id, max_side, priority));
      if (this.#pictures.has(name)) this.#ready.set(name, bitmap);
      this.#evict();
      return bitmap;
    } catch (error) {
      this.#pictures.delete(name);
      throw error;
    }
  }

  /** A picture that has no such bands is shown as the session shows it. */
  async #file(image_id: number, max_side: number | null, priority: RequestPriority): Promise<Blob> {
    const { look } = this;
    try {
      return await this.#api.imageFile(image_id, max_side, priority, look);
    } catch (error) {
      if (look === "" || !isFinal(error)) throw error;
      return this.#api.imageFile(image_id, max_side, priority);
    }
  }

  #evict(): void {
    for (const name of this.#pictures.keys()) {
      const pixels = [...this.#ready.values()].reduce((sum, { width, height }) => sum + width * height, 0);
      const fits = this.#pictures.size <= MOST_PICTURES && pixels <= MOST_PIXELS;
      if (fits || this.#pictures.size <= FEWEST_PICTURES) return;
      this.#pictures.delete(name);
      // Not closed: the stage may still show it. The garbage collector takes it when nobody does.
      this.#ready.delete(name);
    }
  }

  #key(image_id: number, max_side: number | null): string {
    return `${image_id}@${max_side ?? "full"}?${this.look}`;
  }
}
