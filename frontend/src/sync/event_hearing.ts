/** To whom of the page each event of the server is brought. */
import type { ClassEditing } from "./class_editor";
import type { Commenting } from "./commenting";
import { newsFor, type Watched } from "./event_news";
import type { EventStream, ServerEvent } from "./event_stream";
import type { GallerySource } from "./gallery_source";
import type { Labelling } from "./labelling";
import type { Navigator } from "./navigator";
import type { PredictionWatch } from "./prediction_watch";

export interface Hearers {
  readonly events: EventStream;
  readonly predictions: PredictionWatch;
  readonly gallery: GallerySource;
  readonly navigator: Navigator;
  readonly outcomes: Labelling["outcomes"];
  readonly commenting: Commenting;
  readonly class_editing: ClassEditing;
  /** Ask the server again. */
  readonly watches: Readonly<Record<Watched, () => void>>;
}

export function hearEvents(hearers: Hearers): void {
  hearers.events.listen((event) => hear(hearers, event));
}

function hear(hearers: Hearers, event: ServerEvent): void {
  for (const watched of newsFor(event)) hearers.watches[watched]();
  if (event.kind === "prediction") hearPrediction(hearers, event);
  else if (event.kind === "annotation") hearAnnotation(hearers, event);
  else if (event.kind === "classes") void hearers.class_editing.refresh();
  else if (event.kind === "features") void hearers.navigator.hearFeatures(event.all_named === false ? null : (event.image_ids ?? []));
}

function hearPrediction({ predictions, gallery, navigator }: Hearers, event: ServerEvent): void {
  const { image_id, image_ids, version, removed, prediction, maps = [] } = event;
  const ids = image_ids ?? (image_id === undefined ? [] : [image_id]);
  if (removed === true) predictions.announceRemoved();
  else if (ids.length === 0) predictions.announceHead();
  // First, as a person waits for it.
  for (const id of removed === true ? [] : ids) predictions.announce(id, version ?? 0, prediction ? { prediction, maps } : null);
  gallery.hear(ids.length === 0 ? null : ids, "prediction");
  navigator.refreshAhead(ids);
  navigator.reconsider();
}

function hearAnnotation({ gallery, navigator, outcomes, commenting }: Hearers, event: ServerEvent): void {
  const { image_id, revision = 0, comment_revision } = event;
  if (image_id === undefined) return;
  navigator.hearAnnotation(image_id, revision);
  gallery.hear([image_id], comment_revision === undefined ? "label" : "comment");
  void outcomes.hear(image_id, revision);
  if (comment_revision !== undefined) void commenting.hear(image_id, comment_revision);
}
