/** The part of the page's address behind #: what is open, with the filter, so that a reload and a link keep it. */
import { filterToSearch, type GallerySort, type ImageFilter } from "./image_filter";
import { START_HASH } from "./start";

export interface OpenPlace {
  /** null before the first image is there. */
  readonly image_id: number | null;
  readonly in_gallery: boolean;
  readonly filter: ImageFilter;
  readonly sort: GallerySort;
}

/** The image that an address such as #/image/12 names. */
export function imageIdInHash(hash: string): number | null {
  const id = /^#\/image\/(\d+)(?:\?|$)/.exec(hash)?.[1];
  return id === undefined ? null : Number(id);
}

export function isGallery(hash: string): boolean {
  return hash === "#/gallery" || hash.startsWith("#/gallery?");
}

/** Whether the new address is an entry of its own in the browser's history: Back leads to the image that was open before. */
export function isNewEntry(entry_image_id: number | null, { image_id, in_gallery }: Pick<OpenPlace, "image_id" | "in_gallery">): boolean {
  return entry_image_id !== null && image_id !== null && entry_image_id !== image_id && !in_gallery;
}

/** What `hash` has to become; null where it says so already: to set it costs the browser milliseconds. */
export function newHash(hash: string, { image_id, in_gallery, filter, sort }: OpenPlace): string | null {
  if (image_id === null || hash === START_HASH) return null;
  const wanted = in_gallery ? `#/gallery${filterToSearch(filter, sort)}` : `#/image/${image_id}${filterToSearch(filter)}`;
  return wanted === hash ? null : wanted;
}
