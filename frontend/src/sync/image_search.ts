import type { Api } from "../api/client";
import type { ImageInfo } from "../state/types";

/** Images whose id is the text, or that have it in their path or comment; that with the id comes first. */
export async function findImages(api: Api, text: string, limit: number): Promise<readonly ImageInfo[]> {
  const q = text.trim().replace(/^#(?=\d+$)/, "");
  if (q === "") return [];
  const id = /^\d{1,15}$/.test(q) && Number(q) > 0 ? Number(q) : null;
  const [exact, { items }] = await Promise.all([id === null ? null : imageIfThere(api, id), api.images({ q, limit, sort: "path" })]);
  return exact === null ? items : [exact, ...items.filter((image) => image.id !== exact.id)].slice(0, limit);
}

async function imageIfThere(api: Api, image_id: number): Promise<ImageInfo | null> {
  // Not the image itself: that would count as opening it, and one that is not there is an error to the browser.
  const { items } = await api.images({ q: String(image_id), limit: 50, sort: "id" });
  return items.find(({ id }) => id === image_id) ?? null;
}
