/** Everything behind the page, wired once. Views read its signals and call its methods; they never speak HTTP. */
import { createApi } from "./api/client";
import { explain } from "./api/errors";
import { AnnotationStore } from "./state/annotations";
import { LabelTally } from "./state/label_tally";
import { Keys } from "./state/key_remap";
import { PreferenceStore, type KeyValueStorage } from "./state/preferences";
import { isAllDone } from "./state/progress";
import { Diagnostics } from "./state/report";
import { asRecent } from "./state/class_search";
import { filterFromHash, NO_FILTER, type GallerySort, type ImageFilter } from "./state/image_filter";
import { onlyClass } from "./state/only_class";
import { Signal } from "./state/signal";
import { ToolState } from "./state/tools";
import { UiState } from "./state/ui";
import { noteErrors, ToastStore } from "./state/toasts";
import type { Config, LabelClass, SaveStatus, SessionLink, Task } from "./state/types";
import { CheckpointShelf } from "./sync/checkpoint_shelf";
import { FinetuningWatch } from "./sync/finetuning";
import { Calm } from "./sync/calm";
import { ClassEditing } from "./sync/class_editor";
import { Commenting } from "./sync/commenting";
import { EventStream } from "./sync/event_stream";
import { hearEvents } from "./sync/event_hearing";
import { Labelling } from "./sync/labelling";
import { Navigator } from "./sync/navigator";
import { patient } from "./sync/patient";
import { PictureCache } from "./sync/picture_cache";
import { PictureView } from "./sync/picture_view";
import { tellWhenLiveHeadTakesOver } from "./sync/head_change";
import { BulkLabelling } from "./sync/bulk_labelling";
import { followGallery } from "./sync/gallery_following";
import { GallerySource } from "./sync/gallery_source";
import { filteredApi } from "./sync/image_filtering";
import { HealthWatch, noticeOtherVersion, StatsWatch, TrainingWatch } from "./sync/polling";
import { OverflowStorage } from "./sync/overflow_storage";
import { PredictionWatch } from "./sync/prediction_watch";
import { noted } from "./sync/request_log";
import { putWithRegions, RegionWork } from "./sync/regions";
import { SaveQueue } from "./sync/save_queue";
import { AllDoneMoment } from "./sync/all_done";
import { AcceptableImages } from "./sync/acceptable_images";
import { TileSource } from "./sync/tile_source";

/** A person does not see what is over sooner. */
const SAVE_SIGN_MS = 150;
const LEARNING_SIGN_MS = 300;

export type App = ReturnType<typeof createApp>;

/** `config` is fetched before: without it there is nothing to show. */
export function createApp(page_url: string, config: Config, sessions: readonly SessionLink[], storage: KeyValueStorage) {
  const diagnostics = new Diagnostics();
  const api = createApi(page_url, noted(diagnostics));
  const classes = new Signal<readonly LabelClass[]>([]);
  const task = new Signal<Task>(config.task);
  const toasts = new ToastStore();
  const preferences = new PreferenceStore(storage);
  const keys = new Keys(preferences, config.task);
  noteErrors(diagnostics, toasts);
  const annotations = new AnnotationStore();
  const events = new EventStream(api.eventsUrl());
  const calm: Calm = new Calm(() => predictions.behind.value, () => saves.status.value === "saving");
  const stats = new StatsWatch(api, calm, new LabelTally((image_id) => saves.pending(image_id) !== null));
  const has_labels = (): boolean => {
    const { points, label } = annotations.current.value;
    return points.length > 0 || annotations.regions.length > 0 || label !== null || (stats.stats.value?.by_status.labeled ?? 0) > 0;
  };
  const predictions = new PredictionWatch(api, classes, events.connected, has_labels);
  // The session's birth is part of the key: labels of a session that was made anew must not be sent to it.
  const unsaved_key = `fewclick:unsaved:${new URL(page_url).pathname}:${config.session.name}:${config.session.created_at}`;
  const saves: SaveQueue = new SaveQueue(
    (image_id, draft, revision, travel) => (travel === null ? putWithRegions(api, image_id, draft, revision) : api[travel](image_id, revision)),
    {
      saved: (...args) => {
        outcomes.saved(...args);
        gallery.changedHere([{ id: args[0], revision: args[2].revision }]);
        stats.refreshSoon();
      },
      changed: (...args) => {
        outcomes.changed(...args);
        gallery.changedHere([{ id: args[0], revision: args[1].revision }]);
        stats.refreshSoon();
      },
      conflict: (...args) => outcomes.conflict(...args),
      rejected: (...args) => outcomes.rejected(...args),
    },
    storage,
    unsaved_key,
    new OverflowStorage(),
  );
  const pictures = new PictureCache(api);
  const filter = new Signal<ImageFilter>(NO_FILTER);
  const gallery_sort = new Signal<GallerySort>("id");
  const recent_classes = new Signal<readonly number[]>([]);
  const navigator = new Navigator(filteredApi(api, filter), annotations, pictures, predictions, saves, toasts, calm);
  const commenting = new Commenting(api, navigator, toasts, storage, unsaved_key.replace("unsaved", "comments"));
  const picture_view = new PictureView(api, navigator, pictures, preferences, config.session.created_at);
  const tiles = new TileSource(api);
  tiles.onNoRoom = (reason) => toasts.show("info", `This picture is shown as an overview: ${reason}.`);
  const labelling = new Labelling(api, task, classes, annotations, saves, navigator, predictions, preferences, toasts);
  const { outcomes } = labelling;
  const tools = new ToolState();
  const regions = new RegionWork(annotations, labelling, tools, classes, predictions, toasts);
  const training = new TrainingWatch(api, saves, events.connected, toasts, calm);
  // All that the page knows of features and predictions is void then.
  const finetuning = new FinetuningWatch(api, toasts, () => location.reload(), calm);
  const class_editing = new ClassEditing(api, config.task, classes, toasts, () => {
    stats.refreshSoon();
    if (annotations.image_id.value !== null) void outcomes.reload(annotations.image_id.value);
  });
  const shelf = new CheckpointShelf(api, toasts, () => {
    stats.refreshSoon();
    predictions.refresh();
  });
  const gallery = new GallerySource(api);
  const acceptable = new AcceptableImages(api, gallery);
  const bulk = new BulkLabelling(api, saves, toasts, (changed) => {
    gallery.changedHere(changed);
    gallery.hear(changed.map(({ id }) => id));
    // The events that say so may be lost.
    for (const { id, revision } of changed) {
      navigator.forget(id);
      void outcomes.hear(id, revision);
    }
    stats.refreshSoon();
    navigator.invalidate();
  });
  const health = new HealthWatch(api, () => {
    saves.retryNow();
    commenting.saves.retryNow();
    predictions.refresh();
    // Events of the meantime may be lost.
    if (annotations.image_id.value !== null) void outcomes.reload(annotations.image_id.value);
  }, calm);
  const all_done = new AllDoneMoment();
  navigator.ends_reached.subscribe(() => {
    all_done.cameToTheEnd();
    ui.all_done_read.set(false);
  });
  annotations.onChange((change) => {
    stats.tally.note(change, annotations.current.value);
    if (change.origin !== "LOCAL") return;
    calm.acted();
    all_done.acted();
  });
  // What the server does for the person, such as undo, is on its way then, too.
  saves.status.subscribe((status) => {
    if (status === "saving") calm.acted();
  });
  annotations.image_id.subscribe(() => calm.movedOn());
  navigator.strategy.set(config.training.strategy);
  training.head.set(config.training.head);
  classes.set(config.classes);

  labelling.selected_class_id.subscribe((class_id) => {
    if (class_id !== null) recent_classes.set(asRecent(recent_classes.value, class_id));
  });
  stats.stats.subscribe(() => predictions.reviewBehind());
  const ui = new UiState();
  stats.stats.subscribe((found) => {
    if (!isAllDone(found)) ui.all_done_read.set(false);
  });
  followGallery({ filter, sort: gallery_sort, is_open: ui.gallery_open, gallery, acceptable, navigator, stats: stats.stats });
  health.health.subscribe((found) => {
    const works_again = found !== null && found !== "unreachable" && found.ml_service.alive;
    if (works_again && ["unreachable", "no-service"].includes(ui.banner_read.value ?? "")) ui.banner_read.set(null);
  });
  noticeOtherVersion(health.health, ui.page_outdated);
  tellWhenLiveHeadTakesOver(stats, toasts, (checkpoint_id) => api.activateCheckpoint(checkpoint_id));
  hearEvents({
    events,
    predictions,
    gallery,
    navigator,
    outcomes,
    commenting,
    class_editing,
    watches: {
      training: training.refreshSoon,
      finetuning: finetuning.refreshSoon,
      stats: stats.refreshSoon,
      health: health.refreshSoon,
      checkpoints: () => shelf.hear(),
    },
  });
  events.connected.subscribe((is_connected) => {
    if (is_connected) void outcomes.catchUp();
  });

  return {
    config,
    sessions,
    classes,
    ui,
    toasts,
    preferences,
    keys,
    diagnostics,
    annotations,
    events,
    tools,
    regions,
    predictions,
    pictures,
    picture_view,
    tiles,
    saves,
    signs: {
      labels: patient(saves.status, isSaving, SAVE_SIGN_MS),
      comments: patient(commenting.saves.status, isSaving, SAVE_SIGN_MS),
      learning: patient(predictions.behind, Boolean, LEARNING_SIGN_MS),
    },
    commenting,
    navigator,
    all_done,
    labelling,
    training,
    finetuning,
    stats,
    health,
    class_editing,
    shelf,
    gallery,
    acceptable,
    bulk,
    filter,
    gallery_sort,
    recent_classes,
    imageMetadata: async (): Promise<Readonly<Record<string, readonly string[]>>> => {
      try {
        return await api.imageMetadata();
      } catch (error) {
        // Nothing to choose from then; a key and a value can still be typed.
        explain(error);
        return {};
      }
    },
    /** A class was chosen: it is found sooner next time. */
    noteClass: (class_id: number): void => recent_classes.set(asRecent(recent_classes.value, class_id)),
    /** Filter and order as an address has them. */
    followHash: (hash: string): void => {
      const found = filterFromHash(hash);
      if (JSON.stringify(found.filter) !== JSON.stringify(filter.value)) filter.set(found.filter);
      gallery_sort.set(found.sort);
    },
    /** The one that all of the open image is predicted as, because no other one has labels. */
    get only_class(): LabelClass | null {
      return onlyClass(classes.value, predictions.shown.value, stats.stats.value?.by_class);
    },
    thumbnailUrl: (image_id: number, size: number): string => api.thumbnailUrl(image_id, size),
    overlayUrl: (image_id: number, version: number): string => api.overlayUrl(image_id, version),
    exportUrl: (query: string): string => api.exportUrl(query),

    async start(image_id: number | null): Promise<void> {
      events.open();
      await saves.restore();
      commenting.saves.restore();
      void health.run();
      void training.refresh();
      void finetuning.refresh();
      void stats.refresh();
      try {
        await navigator.start(image_id);
      } catch (error) {
        navigator.problem.set(explain(error));
      }
    },
  };
}

function isSaving(status: SaveStatus): boolean {
  return status === "saving";
}
