/** The one place that knows the server's routes. Every address is relative to the page, so that it works under a mount prefix. */
import createClient, { type Client } from "openapi-fetch";

import type { Checkpoint, CheckpointComparison, CheckpointDetails, CheckpointList, Measurement, PrunePlan } from "../state/checkpoints";
import type {
  Annotation, Config, Draft, HeadKind, Health, ImageComment, ImageDetails, ImageInfo, LabelClass, Prediction, SessionLink, Stats, Strategy,
  Training,
} from "../state/types"; // prettier-ignore
import type { BulkAction, BulkChange, BulkOutcome } from "../state/bulk";
import type { FilterQuery, GallerySort } from "../state/image_filter";
import type { ClassUsage, RemovedClass, RestoredClass } from "../state/classes";
import type { Vec2 } from "../state/geometry";
import type { StartPage } from "../state/start";
import type { Finetuning } from "../state/finetuning";
import type { PictureDisplay } from "../state/picture_look";
import type { TileAddress } from "../state/tiles";
import { draftBody, from, saysNothing } from "./bodies";
import type { paths } from "./schema";
import { getBlob, send, unwrap } from "./transport";

export interface ImageQuery extends FilterQuery {
  readonly cursor?: string;
  readonly limit?: number;
  readonly sort?: GallerySort;
  readonly ids?: number[];
  /** false leaves the total out. */
  readonly count?: boolean;
}

export interface ImageIds {
  readonly ids: number[];
  readonly total: number;
  /** How many changes the session had. */
  readonly label_sequence: number;
}

export interface ImagePage {
  readonly items: readonly ImageInfo[];
  readonly next_cursor: string | null;
  /** null where it was left out. */
  readonly total: number | null;
}

export interface ClassChange {
  readonly name?: string;
  readonly color?: string;
  readonly group?: string | null;
  readonly parent_id?: number | null;
  /** The class that it comes before, of those with the same parent; null: it comes last. */
  readonly before?: number | null;
}

export interface AcceptedRegion {
  /** Of the prediction that the person saw. */
  readonly version: number;
  readonly at: Vec2;
  readonly class_id: number | null;
  readonly fill_holes: boolean;
}

export type MapSize = "grid" | "image";

const LARGEST_PAGE = 500;

export type Api = ReturnType<typeof createApi>;

/** `page_url` is the address of the page, document.baseURI: the API lies beside it. */
export function createApi(page_url: string, fetcher: typeof fetch = (...args) => fetch(...args)) {
  // Without the hash, which names an image, and without the query.
  const folder = new URL(".", page_url).href;
  const client = createClient<paths>({ baseUrl: folder.replace(/\/$/, ""), fetch: (request) => send(fetcher, request) });
  const at = (path: string): string => new URL(path, folder).href;
  const image = (image_id: number) => ({ params: { path: { image_id } } });

  return {
    health: async (): Promise<Health> => unwrap(client.GET("/api/health")),
    config: async (): Promise<Config> => unwrap(client.GET("/api/config")),
    setStrategy: async (strategy: Strategy): Promise<Config> =>
      unwrap(client.PATCH("/api/config", { body: { strategy } })),
    setHead: async (head: HeadKind): Promise<Config> => unwrap(client.PATCH("/api/config", { body: { head } })),
    sessions: async (): Promise<readonly SessionLink[]> => unwrap(client.GET("/api/sessions")),
    startPage: async (): Promise<StartPage> => unwrap(client.GET("/api/start")),
    stats: async (): Promise<Stats> => unwrap(client.GET("/api/stats")),

    /** The server chooses a colour. */
    addClass: async (name: string, parent_id: number | null = null): Promise<LabelClass> =>
      unwrap(client.POST("/api/classes", { body: { name, parent_id } })),
    changeClass: async (class_id: number, change: ClassChange): Promise<LabelClass> =>
      unwrap(client.PATCH("/api/classes/{class_id}", { params: { path: { class_id } }, body: change })),
    removeClass: async (class_id: number): Promise<{ readonly annotations_removed: number }> =>
      unwrap(client.DELETE("/api/classes/{class_id}", { params: { path: { class_id } } })),
    /** Undoes a removal, or a merge. */
    restoreClass: async (class_id: number): Promise<LabelClass & RestoredClass> =>
      unwrap(client.POST("/api/classes/{class_id}/restore", { params: { path: { class_id } } })),

    /** Gives its annotations to another class and removes it. */
    mergeClass: async (class_id: number, merge_into: number): Promise<{ readonly annotations_moved: number }> =>
      unwrap(client.PATCH("/api/classes/{class_id}", { params: { path: { class_id } }, body: { merge_into } })),
    classUsage: async (class_id: number): Promise<ClassUsage> =>
      unwrap(client.GET("/api/classes/{class_id}/usage", { params: { path: { class_id } } })),
    removedClasses: async (): Promise<readonly RemovedClass[]> => unwrap(client.GET("/api/classes/removed")),

    images: async (query: ImageQuery, signal?: AbortSignal): Promise<ImagePage> =>
      unwrap(client.GET("/api/images", { params: { query }, signal: signal ?? null })),
    imageIds: async (query: ImageQuery, offset: number, limit: number): Promise<ImageIds> =>
      unwrap(client.GET("/api/images/ids", { params: { query: { ...query, offset, limit } } })),
    imageMetadata: async (): Promise<Readonly<Record<string, readonly string[]>>> =>
      (await unwrap(client.GET("/api/images/metadata"))).keys,
    changeMany: async ({ images, ...change }: Partial<BulkChange> & { readonly action: BulkAction }): Promise<BulkOutcome> =>
      unwrap(client.POST("/api/annotations/bulk", { body: { by_model: false, unseen: false, ...change, images: [...(images ?? [])] } })),
    /** Its neighbours are of those that the filter lets pass. */
    image: async (image_id: number, filter: FilterQuery = {}): Promise<ImageDetails> =>
      unwrap(client.GET("/api/images/{image_id}", { params: { path: { image_id }, query: filter } })),
    /** null when none is left. */
    nextImage: async (strategy: Strategy, current_id: number | null, filter: FilterQuery = {}): Promise<ImageInfo | null> => {
      const query = { ...filter, ...(current_id === null ? { strategy } : { strategy, current_id }) };
      return (await unwrap(client.GET("/api/images/next", { params: { query } }))) ?? null;
    },

    /** Those that are likely to come next: a guess, to fetch ahead by. */
    upcomingImages: async (strategy: Strategy, current_id: number, limit: number, filter: FilterQuery = {}): Promise<readonly ImageInfo[]> =>
      (await unwrap(client.GET("/api/images/upcoming", { params: { query: { ...filter, strategy, current_id, limit } } }))).items,
    /** `revision` null overwrites whatever stands. */
    putComment: async (image_id: number, text: string, revision: number | null): Promise<ImageComment> =>
      unwrap(client.PUT("/api/images/{image_id}/comment", { ...image(image_id), body: { text, ...from(revision) } })),

    annotation: async (image_id: number): Promise<Annotation> =>
      annotationFrom(client.GET("/api/images/{image_id}/annotations", image(image_id))),
    /** `revision` null overwrites whatever stands. */
    putAnnotation: async (image_id: number, draft: Draft, revision: number | null, regions_stay = false): Promise<Annotation> => {
      if (draft.kind === "aside") {
        const request = { ...image(image_id), body: from(revision) };
        return annotationFrom(draft.as === "skipped" ? client.POST("/api/images/{image_id}/annotations/skip", request)
          : client.POST("/api/images/{image_id}/annotations/undetermined", request)); // prettier-ignore
      }
      if (saysNothing(draft)) {
        const params = { path: { image_id }, query: from(revision) };
        return annotationFrom(client.DELETE("/api/images/{image_id}/annotations", { params }));
      }
      const body = { ...from(revision), ...draftBody(draft, regions_stay) };
      const params = { path: { image_id }, query: { geometry: "changed" as const } };
      return annotationFrom(client.PUT("/api/images/{image_id}/annotations", { params, body }));
    },
    undo: async (image_id: number, revision: number | null): Promise<Annotation> =>
      annotationFrom(client.POST("/api/images/{image_id}/annotations/undo", { ...image(image_id), body: from(revision) })),
    redo: async (image_id: number, revision: number | null): Promise<Annotation> =>
      annotationFrom(client.POST("/api/images/{image_id}/annotations/redo", { ...image(image_id), body: from(revision) })),
    extractPoints: async (image_id: number, revision: number | null): Promise<Annotation> =>
      annotationFrom(client.POST("/api/images/{image_id}/extract-points", { ...image(image_id), body: from(revision) })),
    acceptPrediction: async (image_id: number, version: number, revision: number | null): Promise<Annotation> =>
      annotationFrom(client.POST("/api/images/{image_id}/accept-prediction", { ...image(image_id), body: { version, into: "masks", fill_holes: false, ...from(revision) } })),

    /** The predicted region at a place; `class_id`: what it is instead, or null for what is predicted. */
    acceptRegion: async (image_id: number, accepted: AcceptedRegion, revision: number | null): Promise<Annotation> => {
      const { at: [x, y], ...rest } = accepted; // prettier-ignore
      const body = { ...rest, x, y, into: "masks" as const, ...from(revision) };
      return annotationFrom(client.POST("/api/images/{image_id}/accept-prediction", { ...image(image_id), body }));
    },

    /** null while there is none; the server is asked to make it then. */
    prediction: async (image_id: number): Promise<Prediction | null> =>
      (await unwrap(
        client.GET("/api/images/{image_id}/prediction", { params: { path: { image_id }, query: { if_any: true } } }),
      )) ?? null,
    /** 8-bit grey PNG of P(class). */
    predictionMap: (image_id: number, class_id: number, size: MapSize, version: number, signal?: AbortSignal): Promise<Blob> =>
      // The version in the address keeps the browser's cache from ever answering with an older map.
      getBlob(fetcher, at(`api/images/${image_id}/prediction/map?class_id=${class_id}&size=${size}&v=${version}`), { signal: signal ?? null }),
    /** `look`: as `lookQuery` has it. */
    imageFile: (image_id: number, max_side: number | null, priority: RequestPriority, look = ""): Promise<Blob> =>
      getBlob(fetcher, at(`api/images/${image_id}/file${asQuery(max_side === null ? "" : `max_side=${max_side}`, look)}`), { priority }),
    imageTile: (image_id: number, { level, x, y }: TileAddress, look: string, signal: AbortSignal): Promise<Blob> =>
      getBlob(fetcher, at(`api/images/${image_id}/tile${asQuery(`level=${level}&x=${x}&y=${y}`, look)}`), { signal }),
    imageDisplay: async (image_id: number, bands: readonly number[] | null): Promise<PictureDisplay> => {
      const query = bands ? { bands: bands.join(",") } : {};
      return unwrap(client.GET("/api/images/{image_id}/display", { params: { path: { image_id }, query } }));
    },

    training: async (): Promise<Training> => unwrap(client.GET("/api/training")),
    startTraining: async (kind: Training["kind"] = "head"): Promise<Training> =>
      unwrap(client.POST("/api/training/start", { body: { kind } })),
    finetuning: async (): Promise<Finetuning> => unwrap(client.GET("/api/training/finetuning")),
    /** null goes back to the weights without any adapter. */
    adopt: async (checkpoint_id: number | null, image_id: number | null): Promise<Finetuning> =>
      unwrap(client.POST("/api/training/adopt", { body: { checkpoint_id, image_id } })),
    stopTraining: async (): Promise<Training> => unwrap(client.POST("/api/training/stop")),
    activateCheckpoint: async (checkpoint_id: number): Promise<unknown> =>
      unwrap(client.POST("/api/checkpoints/{checkpoint_id}/activate", { params: { path: { checkpoint_id } } })),

    checkpoints: async (wanted: number): Promise<CheckpointList> => {
      const { checkpoint: in_force } = await unwrap(client.GET("/api/checkpoints/in-force"));
      return { ...(await checkpointPages(client, wanted)), in_force };
    },
    checkpoint: async (checkpoint_id: number): Promise<CheckpointDetails> =>
      unwrap(client.GET("/api/checkpoints/{checkpoint_id}", { params: { path: { checkpoint_id } } })),
    changeCheckpoint: async (checkpoint_id: number, body: { name?: string | null; pinned?: boolean }): Promise<Checkpoint> =>
      unwrap(client.PATCH("/api/checkpoints/{checkpoint_id}", { params: { path: { checkpoint_id } }, body })),
    rollBack: async (): Promise<Checkpoint | null> => unwrap(client.POST("/api/checkpoints/rollback")),
    releaseCheckpoint: async (): Promise<unknown> => unwrap(client.POST("/api/checkpoints/release")),
    compareCheckpoints: async (a: number, b: number): Promise<CheckpointComparison> =>
      unwrap(client.GET("/api/checkpoints/compare", { params: { query: { a, b } } })),
    measureCheckpoints: async (a: number, b: number): Promise<Measurement> =>
      unwrap(client.POST("/api/checkpoints/compare", { params: { query: { a, b } } })),
    pruneCheckpoints: async (body: { keep: number; dry_run: boolean; only?: number[] }): Promise<PrunePlan> =>
      unwrap(client.POST("/api/checkpoints/prune", { body })),

    thumbnailUrl: (image_id: number, size: number): string => at(`api/images/${image_id}/thumbnail?size=${size}`),
    overlayUrl: (image_id: number, version: number): string => at(`api/images/${image_id}/prediction/overlay?version=${version}`),
    exportUrl: (query: string): string => at(`api/export?${query}`),
    eventsUrl: (): string => at("api/events?predictions=true"),
  };
}

/** The newest checkpoints, as many as are wanted, page by page. */
async function checkpointPages(client: Client<paths>, wanted: number): Promise<Omit<CheckpointList, "in_force">> {
  const rows: Checkpoint[] = [];
  for (let cursor: number | undefined; ; ) {
    const limit = Math.min(LARGEST_PAGE, wanted - rows.length);
    const request = client.GET("/api/checkpoints", { params: { query: { limit, ...(cursor === undefined ? {} : { cursor }) } } });
    rows.push(...(await unwrap(request)));
    const { headers } = (await request).response;
    cursor = Number(headers.get("X-Next-Cursor") ?? 0);
    if (cursor === 0 || rows.length >= wanted) return { rows, total: Number(headers.get("X-Total-Count") ?? rows.length) };
  }
}

/** The schema's arrays know no lengths. */
async function annotationFrom(request: Promise<{ data?: object; error?: unknown; response: Response }>): Promise<Annotation> {
  return (await unwrap(request)) as Annotation;
}

function asQuery(...parts: readonly string[]): string {
  const all = parts.filter((part) => part !== "").join("&");
  return all === "" ? "" : `?${all}`;
}
