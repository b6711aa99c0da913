import type { Api } from "../api/client";
import { ApiError, UnreachableError } from "../api/errors";
import type { TileProvider } from "../render/stage_types";
import { levelCount, type TileAddress } from "../state/tiles";
import type { Size } from "../state/viewport";

/** Of 512 x 512 pixels: 160 MB. */
const MOST_TILES = 160;
/** A browser asks a host for six things at once; one is the events, and labels must not wait for tiles. */
const MOST_REQUESTS = 3;
const RETRY_AFTER_MS = 3_000;
/** Somebody has to free space first. */
const RETRY_FULL_AFTER_MS = 60_000;
const STORAGE_FULL = 507;

/** Tiles of large pictures: fetched as they come into sight, those used last are kept. */
export class TileSource {
  /** A tile has come. */
  onArrival: () => void = () => undefined;
  /** The server has no room for the tiles of a picture: why, in a sentence. Said once, and again only after tiles have come. */
  onNoRoom: (reason: string) => void = () => undefined;
  readonly #api: Api;
  readonly #tiles = new Map<string, ImageBitmap>();
  readonly #running = new Map<string, AbortController>();
  /** When a tile that could not be had may be asked for again. */
  readonly #refused = new Map<string, number>();
  /** Pictures in one look of which a tile has come: the first one makes the server prepare all, and others would wait for it. */
  readonly #begun = new Set<string>();
  /** When pictures in one look that the server has no room for may be asked for again. */
  readonly #no_room = new Map<string, number>();
  #no_room_said = false;
  #wanted: readonly string[] = [];
  #addresses = new Map<string, { readonly image_id: number; readonly tile: TileAddress; readonly look: string }>();

  constructor(api: Api) {
    this.#api = api;
  }

  /** The tiles of one picture in one look, as `lookQuery` has it. */
  of(image_id: number, size: Size, look: string): TileProvider {
    const key = ({ level, x, y }: TileAddress): string => `${image_id}?${look}@${level}/${x}/${y}`;
    return {
      levels: levelCount(size),
      get: (tile) => this.#get(key(tile)),
      want: (tiles) => {
        this.#addresses = new Map(tiles.map((tile) => [key(tile), { image_id, tile, look }]));
        this.#want([...this.#addresses.keys()]);
      },
    };
  }

  #get(key: string): ImageBitmap | null {
    const tile = this.#tiles.get(key);
    if (tile === undefined) return null;
    // Last in the map is used last.
    this.#tiles.delete(key);
    this.#tiles.set(key, tile);
    return tile;
  }

  #want(keys: readonly string[]): void {
    this.#wanted = keys;
    for (const [key, controller] of this.#running) if (!this.#addresses.has(key)) controller.abort();
    this.#startMore();
  }

  #startMore(): void {
    for (const key of this.#wanted) {
      if (this.#running.size >= MOST_REQUESTS) return;
      const is_due = (this.#refused.get(key) ?? 0) <= performance.now();
      if (is_due && !this.#running.has(key) && !this.#tiles.has(key) && this.#mayAsk(key)) void this.#fetch(key);
    }
  }

  #mayAsk(key: string): boolean {
    const picture = pictureOf(key);
    if ((this.#no_room.get(picture) ?? 0) > performance.now()) return false;
    return this.#begun.has(picture) || ![...this.#running.keys()].some((other) => pictureOf(other) === picture);
  }

  async #fetch(key: string): Promise<void> {
    const address = this.#addresses.get(key);
    if (address === undefined) return;
    const controller = new AbortController();
    this.#running.set(key, controller);
    try {
      const blob = await this.#api.imageTile(address.image_id, address.tile, address.look, controller.signal);
      this.#begun.add(pictureOf(key));
      this.#no_room_said = false;
      this.#keep(key, await createImageBitmap(blob));
      this.onArrival();
    } catch (error) {
      if (!controller.signal.aborted) this.#refuse(key, error);
    } finally {
      this.#running.delete(key);
      this.#startMore();
    }
  }

  /** The coarser picture stays on screen; the next pan or zoom asks again, though not at once. */
  #refuse(key: string, error: unknown): void {
    const is_expected = error instanceof ApiError || error instanceof UnreachableError || error instanceof DOMException;
    if (!is_expected) throw error;
    this.#refused.set(key, performance.now() + RETRY_AFTER_MS);
    if (error instanceof ApiError && error.status === STORAGE_FULL) this.#stopAsking(pictureOf(key), error.message);
  }

  #stopAsking(picture: string, reason: string): void {
    this.#no_room.set(picture, performance.now() + RETRY_FULL_AFTER_MS);
    // Its tiles may be gone by now: then the first one makes the server prepare all again.
    this.#begun.delete(picture);
    if (this.#no_room_said) return;
    this.#no_room_said = true;
    this.onNoRoom(reason);
  }

  #keep(key: string, bitmap: ImageBitmap): void {
    this.#tiles.set(key, bitmap);
    for (const [oldest, tile] of this.#tiles) {
      if (this.#tiles.size <= MOST_TILES) return;
      this.#tiles.delete(oldest);
      tile.close();
    }
  }
}

/** Image and look of a tile's key. */
function pictureOf(key: string): string {
  return key.slice(0, key.lastIndexOf("@"));
}
