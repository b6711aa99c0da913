/** Everything behind the page, wired once. Views read its signals and call its methods; they never speak HTTP. */
import { createApi } from "./api/client";
import { explain } from "./api/errors";
import { AnnotationStore } from "./state/annotations";
import { Keys } from "./state/key_remap";
import { PreferenceStore, type KeyValueStorage } from "./state/preferences";
import { Diagnostics } from "./state/report";
import { Signal } from "./state/signal";
import { UiState } from "./state/ui";
import { noteErrors, ToastStore } from "./state/toasts";
import type { Config, ExportFormat, LabelClass, SessionLink, Task } from "./state/types";
import { CheckpointShelf } from "./sync/checkpoint_shelf";
import { FinetuningWatch } from "./sync/finetuning";
import { ClassEditing } from "./sync/class_editor";
import { EventStream, type ServerEvent } from "./sync/event_stream";
import { Labelling } from "./sync/labelling";
import { Navigator } from "./sync/navigator";
import { PictureCache } from "./sync/picture_cache";
import { PictureView } from "./sync/picture_view";
import { tellWhenLiveHeadTakesOver } from "./sync/head_change";
import { GallerySource, HealthWatch, StatsWatch, TrainingWatch } from "./sync/polling";
import { PredictionWatch } from "./sync/prediction_watch";
import { noted } from "./sync/request_log";
import { SaveQueue } from "./sync/save_queue";
import { TileSource } from "./sync/tile_source";

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
  const stats = new StatsWatch(api);
  const has_labels = (): boolean => {
    const { points, label } = annotations.current.value;
    return points.length > 0 || label !== null || (stats.stats.value?.by_status.labeled ?? 0) > 0;
  };
  const predictions = new PredictionWatch(api, classes, events.connected, has_labels);
  // The session's birth is part of the key: labels of a session that was made anew must not be sent to it.
  const unsaved_key = `fewclick:unsaved:${new URL(page_url).pathname}:${config.session.name}:${config.session.created_at}`;
  const saves: SaveQueue = new SaveQueue(
    (image_id, draft, revision) => api.putAnnotation(image_id, draft, revision),
    {
      saved: (...args) => {
        listener.saved(...args);
        stats.refreshSoon();
      },
      changed: (...args) => {
        listener.changed(...args);
        stats.refreshSoon();
      },
      conflict: (...args) => listener.conflict(...args),
      rejected: (...args) => listener.rejected(...args),
    },
    storage,
    unsaved_key,
  );
  const pictures = new PictureCache(api);
  const navigator = new Navigator(api, annotations, pictures, predictions, saves, toasts);
  const picture_view = new PictureView(api, navigator, pictures, preferences, config.session.created_at);
  const labelling = new Labelling(api, task, classes, annotations, saves, navigator, predictions, preferences, toasts);
  const listener = labelling.saveListener();
  const training = new TrainingWatch(api, saves, events.connected, toasts);
  // All that the page knows of features and predictions is void then.
  const finetuning = new FinetuningWatch(api, toasts, () => location.reload());
  const class_editing = new ClassEditing(api, config.task, classes, toasts, () => {
    stats.refreshSoon();
    if (annotations.image_id.value !== null) void labelling.reload(annotations.image_id.value);
  });
  const shelf = new CheckpointShelf(api, toasts, () => {
    stats.refreshSoon();
    predictions.refresh();
  });
  const health = new HealthWatch(api, () => {
    saves.retryNow();
    predictions.refresh();
    // Events of the meantime may be lost.
    if (annotations.image_id.value !== null) void labelling.reload(annotations.image_id.value);
  });

  navigator.strategy.set(config.training.strategy);
  training.head.set(config.training.head);
  classes.set(config.classes);

  stats.stats.subscribe(() => predictions.reviewBehind());
  tellWhenLiveHeadTakesOver(stats, toasts, (checkpoint_id) => api.activateCheckpoint(checkpoint_id));
  events.listen((event) => hear(event));
  function hear(event: ServerEvent): void {
    switch (event.kind) {
      case "prediction":
        hearPrediction(event);
        break;
      case "annotation":
        if (event.image_id !== undefined) hearAnnotation(event.image_id, event.revision ?? 0);
        break;
      case "training":
      case "job":
        shelf.hear();
        training.refreshSoon();
        finetuning.refreshSoon();
        stats.refreshSoon();
        break;
      case "classes":
        void class_editing.refresh();
        stats.refreshSoon();
        break;
      case "features":
        stats.refreshSoon();
        health.refreshSoon();
        void navigator.hearFeatures(event.all_named === false ? null : (event.image_ids ?? []));
    }
  }

  function hearPrediction({ image_id, image_ids, version, removed }: ServerEvent): void {
    const ids = image_ids ?? (image_id === undefined ? [] : [image_id]);
    if (removed === true) predictions.announceRemoved();
    else if (ids.length === 0) predictions.announceHead();
    for (const id of removed === true ? [] : ids) predictions.announce(id, version ?? 0);
    navigator.refreshAhead(ids);
    navigator.reconsider();
  }

  function hearAnnotation(image_id: number, revision: number): void {
    stats.refreshSoon();
    navigator.invalidate(image_id);
    void labelling.hear(image_id, revision);
  }

  return {
    config,
    sessions,
    classes,
    ui: new UiState(),
    toasts,
    preferences,
    keys,
    diagnostics,
    annotations,
    predictions,
    pictures,
    picture_view,
    tiles: new TileSource(api),
    saves,
    navigator,
    labelling,
    training,
    finetuning,
    stats,
    health,
    class_editing,
    shelf,
    gallery: new GallerySource(api),
    thumbnailUrl: (image_id: number, size: number): string => api.thumbnailUrl(image_id, size),
    exportUrl: (format: ExportFormat): string => api.exportUrl(format),

    async start(image_id: number | null): Promise<void> {
      events.open();
      saves.restore();
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
