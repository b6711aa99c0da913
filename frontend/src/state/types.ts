/** The words of the HTTP contract, as far as the page uses them. Coordinates: pixels of the upright original image. */

import type { Quality } from "./quality";
import type { Region } from "./regions";

export type Task = "segmentation" | "classification" | "multilabel";
export type Origin = "human" | "extracted" | "accepted" | "imported";
/** undetermined: a person has looked and cannot tell. */
export type ImageStatus = "unlabeled" | "labeled" | "skipped" | "undetermined";
export type FeatureState = "pending" | "ready" | "failed";
/** IDLE before the first run. */
export type TrainingState = "IDLE" | "QUEUED" | "RUNNING" | "SUSPENDED" | "FINISHED" | "FAILED";

export const STRATEGIES = ["sequential", "random", "least_confident", "least_confident_minority"] as const;
export type Strategy = (typeof STRATEGIES)[number];

export type HeadKind = "linear" | "conv" | "mlp";

export interface LabelClass {
  readonly id: number;
  readonly name: string;
  /** #RRGGBB */
  readonly color: string;
  /** Of the classes of a group one holds at most, where an image may have several. */
  readonly group: string | null;
  /** The class that it is a kind of. */
  readonly parent_id?: number | null;
}

export interface Point {
  /** null until the server has stored it. */
  readonly id: number | null;
  readonly x: number;
  readonly y: number;
  readonly class_id: number;
  readonly origin: Origin;
}

export interface ImageLabel {
  readonly class_id: number;
  readonly origin: Origin;
}

/** The annotation of one image at one revision. */
export interface Annotation {
  readonly revision: number;
  readonly points: readonly Point[];
  /** Segmentation: the last is on top. */
  readonly regions?: readonly Region[];
  readonly label: ImageLabel | null;
  /** Where an image may have several; empty: none of them; null: nobody has answered. */
  readonly labels: readonly ImageLabel[] | null;
  readonly skipped: boolean;
  /** A person has looked and cannot tell. */
  readonly undetermined?: boolean;
  readonly can_undo: boolean;
  readonly can_redo: boolean;
}

export interface ImageInfo {
  readonly id: number;
  readonly path: string;
  readonly width: number | null;
  readonly height: number | null;
  readonly status: ImageStatus;
  readonly features: FeatureState;
  readonly failure: string | null;
  /** Of its annotation. */
  readonly revision: number;
  readonly class_id: number | null;
  readonly class_ids: readonly number[] | null;
  readonly point_count: number;
  readonly region_count?: number;
  /** 1 - confidence, 0..1 */
  readonly uncertainty: number | null;
  readonly predicted_class_id: number | null;
  /** Of the newest prediction; 0 without one. */
  readonly predicted_version?: number;
  /** Of its classes: accepted where none was chosen by a person. */
  readonly origin?: Origin | null;
  /** Where an image may have several: what accepting the prediction would answer. */
  readonly predicted_class_ids?: readonly number[] | null;
  /** What a person noted about it. */
  readonly comment?: string | null;
  readonly comment_revision?: number;
}

/** The comment on an image at one revision; empty where there is none. */
export interface ImageComment {
  readonly image_id: number;
  readonly text: string;
  readonly revision: number;
}

/** How the open image came: by the strategy, in the order of all images, back to it, or because a person chose it. */
export type Arrival = { readonly kind: "strategy"; readonly strategy: Strategy } | { readonly kind: "review" | "back" | "chosen" };

/** What GET /images/{id} adds. */
export interface ImageDetails extends ImageInfo {
  /** Neighbours in the order of ids, labelled or not. */
  readonly previous_id: number | null;
  readonly next_id: number | null;
}

export interface ClassProbability {
  readonly class_id: number;
  readonly p: number;
}

export interface Prediction {
  readonly version: number;
  readonly annotation_revision: number;
  readonly stale: boolean;
  /** Classification only. */
  readonly probabilities?: readonly ClassProbability[] | null;
  /** Segmentation only. */
  readonly map?: { readonly width: number; readonly height: number; readonly class_ids: readonly number[] } | null;
}

export interface Extractor {
  readonly name: string;
  readonly dim: number;
  readonly patch_size: number;
  readonly resize: number;
}

export interface Config {
  readonly task: Task;
  readonly classes: readonly LabelClass[];
  readonly extractor: Extractor;
  readonly training: { readonly strategy: Strategy; readonly head: HeadKind };
  /** What a full run can train here. */
  readonly heads: readonly HeadKind[];
  readonly session: { readonly name: string; readonly created_at: string };
}

export interface Health {
  readonly version: string;
  readonly ml_service: { readonly alive: boolean; readonly starting: boolean; readonly heartbeat_age_s: number | null };
  readonly extraction: ExtractionHealth;
}

/** How far the features of the images are. */
export interface ExtractionHealth {
  readonly state: "done" | "running" | "starting" | "stopped" | "failed";
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  /** Images with the cheap tier of features. */
  readonly pooled_done: number;
  readonly rate_images_s: number | null;
  readonly eta_s: number | null;
  readonly message: string | null;
}

export interface Training {
  readonly state: TrainingState;
  /** Whether it trains a head, or fine-tunes the extractor. */
  readonly kind: "head" | "finetune";
  readonly run_id: number | null;
  readonly epoch: number;
  readonly best_epoch: number | null;
  readonly train_loss: readonly number[];
  readonly val_loss: readonly (number | null)[];
  /** As the run recorded it; `segments`: what it learned from since which epoch. */
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly message: string;
  readonly reason: string | null;
  readonly stop_requested: boolean;
}

/** How often the head is right on labelled points or images that it has not learned from. */
export interface HeldOut {
  /** 0..1 */
  readonly value: number;
  readonly images: number;
  /** Held-out points, or images in a classification session. */
  readonly samples: number;
}

/** Which head predicts: the live one, or that of a checkpoint. */
export interface HeadInForce {
  readonly kind: "live" | "run" | "adapter";
  readonly run_id: number | null;
  readonly checkpoint_id: number | null;
}

export interface ClassCount {
  readonly class_id: number;
  readonly images: number;
  readonly points: number;
  readonly regions: number;
  /** Of the class and of those below it. */
  readonly images_with_below: number;
  readonly points_with_below: number;
}

/** How fast people label while they do: pauses count for nothing. */
export interface Pace {
  /** null: too little to go by. */
  readonly images_per_hour: number | null;
  readonly labels_per_hour: number | null;
  readonly active_s: number;
  readonly images: number;
  readonly remaining: number;
  readonly finish_s: number | null;
}

export interface HourCount {
  /** Its start, ISO. */
  readonly hour: string;
  readonly annotations: number;
}

export interface Stats {
  readonly images: number;
  readonly by_status: Readonly<Record<ImageStatus, number>>;
  readonly by_features: Readonly<Record<FeatureState, number>>;
  readonly by_class: readonly ClassCount[];
  readonly held_out: HeldOut | null;
  readonly head: HeadInForce | null;
  readonly quality: Quality;
  /** Classification: moving share of right predictions among first labels. */
  readonly labels_per_hour: readonly HourCount[];
  readonly pace: Pace;
  readonly live_accuracy: readonly { readonly at: string; readonly labeled: number; readonly count: number; readonly accuracy: number }[];
}

export type ExportFormat = "json" | "csv" | "png-masks" | "coco" | "yolo-segment";

export interface SessionLink {
  readonly name: string;
  readonly task: Task;
  readonly url: string;
  readonly current: boolean;
}

/** What one save sends; complete, so that the newest alone counts. */
export type Draft =
  /** Without regions: those stay. */
  | { readonly kind: "points"; readonly points: readonly Point[]; readonly regions?: readonly Region[] }
  | { readonly kind: "label"; readonly class_id: number | null }
  /** null: no answer. */
  | { readonly kind: "classes"; readonly class_ids: readonly number[] | null }
  /** In place of any answer. */
  | { readonly kind: "aside"; readonly as: "skipped" | "undetermined" };

/** "refused": the server is there, and will not take something as it is. */
export type SaveStatus = "saved" | "saving" | "offline" | "refused";
