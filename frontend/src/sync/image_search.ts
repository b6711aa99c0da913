import type { Api } from "../api/client";
import { isNotFound } from "../api/errors";
import type { ImageInfo } from "../state/types";

/** Images whose id is the text, or that have it in their path or comment; that with the id comes first. */
export async function findImages(api: Api, text: string, limit: number): Promise<readonly ImageInfo[]> {
  const q = text.trim().replace(/^#(?=\d+$)/, "");
  if (q === "") return [];
  const id = /^\d{1,15}$/.test(q) && Number(q) > 0 ? Number(q) : null;
  const [exact, { items }] = await Promise.all([id === null ? null : imageIfThere(api, id), api.images({ q, limit, sort: "path" })]);
  return exact === null ? items : [exact, ...items.filter((image) => image.id !== exact.id)].slice(0, limit);
}

/** The image that is meant by an id, or by a part of a name; null if there is none. */
export async function imageToJumpTo(api: Api, text: string): Promise<number | null> {
  const id = Number(/^\s*#?(\d{1,15})\s*$/.exec(text)?.[1] ?? 0);
  const [first] = await findImages(api, text, 1);
  // An id that is part of many paths may be missing among those found.
  return id > 0 && first?.id !== id && (await exists(api, id)) ? id : (first?.id ?? null);
}

async function exists(api: Api, image_id: number): Promise<boolean> {
  try {
    return (await api.image(image_id)).id === image_id;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function imageIfThere(api: Api, image_id: number): Promise<ImageInfo | null> {
  // Not the image itself: that would count as opening it, and one that is not there is an error to the browser.
  const { items } = await api.images({ q: String(image_id), limit: 50, sort: "id" });
  return items.find(({ id }) => id === image_id) ?? null;
}
