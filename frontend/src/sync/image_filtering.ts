import type { Api } from "../api/client";
import { filterQuery, goesThroughDone, nextQuery, type ImageFilter } from "../state/image_filter";
import type { Readable } from "../state/signal";

/** The API as the labelling page asks it for images: next and previous stay within the filter. */
export function filteredApi(api: Api, filter: Readable<ImageFilter>): Api {
  return {
    ...api,
    nextImage: (strategy, current_id) =>
      api.nextImage(goesThroughDone(filter.value) ? "sequential" : strategy, current_id, nextQuery(filter.value)),
    upcomingImages: async (strategy, current_id, limit) =>
      goesThroughDone(filter.value) ? [] : api.upcomingImages(strategy, current_id, limit, nextQuery(filter.value)),
    image: (image_id) => api.image(image_id, filterQuery(filter.value)),
  };
}
