import type { Api } from "../api/client";
import type { ImageInfo } from "../state/types";

/** Images whose id is the text, or that have it in their path or comment; that with the id comes first. */
export async function findImages(api: Api, text: string, limit: number): Promise<readonly ImageInfo[]> {
  const q = text.trim().replace(/^#(?=\d+$)/, "");
  if (q === "") return [];
  const id = /^\d{1,15}$/.test(q) && Number(q) > 0 ? Number(q) : null;
  const [exact, { items }] = await Promise.all([id === null ? null : imageIfThere(api, id), api.images({ q, limit, sort: "path", count: false })]);
  return exact === null ? items : [exact, ...items.filter((image) => image.id !== exact.id)].slice(0, limit);
}

/** The image that is meant by an id, or by a part of a name; null if there is none. */
export async function imageToJumpTo(api: Api, text: string): Promise<number | null> {
  const id = Number(/^\s*#?(\d{1,15})\s*$/.exec(text)?.[1] ?? 0);
  // An id needs no search in all paths and comments.
  if (id > 0 && (await imageIfThere(api, id)) !== null) return id;
  const [first] = await findImages(api, text, 1);
  return first?.id ?? null;
}

async function imageIfThere(api: Api, image_id: number): Promise<ImageInfo | null> {
  // Not the image itself: that would count as opening it, and one that is not there is an error to the browser.
  const { items } = await api.images({ ids: [image_id], limit: 1, count: false });
  return items[0] ?? null;
}
