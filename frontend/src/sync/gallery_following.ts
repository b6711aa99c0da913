import { filterQuery, isFilter, NO_FILTER, type GallerySort, type ImageFilter } from "../state/image_filter";
import type { Readable, Signal } from "../state/signal";
import type { AcceptableImages } from "./acceptable_images";
import type { GallerySource } from "./gallery_source";
import type { Navigator } from "./navigator";

interface Parts {
  readonly filter: Signal<ImageFilter>;
  readonly sort: Readable<GallerySort>;
  readonly is_open: Readable<boolean>;
  readonly gallery: GallerySource;
  readonly acceptable: AcceptableImages;
  readonly navigator: Navigator;
  readonly stats: Readable<unknown>;
}

/** The list of the gallery, what can be accepted of it, and the way through the images follow filter, order and what is answered. */
export function followGallery({ filter, sort, is_open, gallery, acceptable, navigator, stats }: Parts): void {
  const show = (): void => {
    const query = { ...filterQuery(filter.value), sort: sort.value };
    void gallery.show(query);
    acceptable.show(query);
  };
  sort.subscribe(show);
  filter.subscribe(() => {
    show();
    navigator.filterChanged(isFilter(filter.value) ? () => filter.set(NO_FILTER) : null);
  });
  for (const signal of [stats, is_open, gallery.listed]) {
    signal.subscribe(() => {
      if (is_open.value) acceptable.countSoon();
    });
  }
  gallery.setOpen(is_open.value);
  is_open.subscribe((now) => gallery.setOpen(now));
}
