/** Saved heads as the page shows them. */

export type Json = Readonly<Record<string, unknown>>;

export interface Checkpoint {
  readonly id: number;
  readonly kind: "live" | "run" | "adapter";
  readonly name: string | null;
  readonly pinned: boolean;
  readonly active: boolean;
  /** It predicts now: active, or just what the live head is. */
  readonly in_force: boolean;
  /** Of the whole list: whether another head predicted before the present one. */
  readonly can_roll_back: boolean;
  readonly parent_id: number | null;
  readonly run_id: number | null;
  readonly metrics: Json;
  readonly n_labels: number | null;
  readonly size_bytes: number | null;
  readonly created_at: string;
}

/** The newest of them, and how many there are. */
export interface CheckpointList {
  readonly rows: readonly Checkpoint[];
  readonly total: number;
  /** The saved head that predicts, among the rows or not; null where the live head is not saved as it is. */
  readonly in_force: Checkpoint | null;
}

export interface CheckpointDetails extends Checkpoint {
  readonly description: Json;
  readonly problem: string | null;
  readonly data: {
    readonly n_images: number;
    readonly n_training_images: number;
    readonly n_validation_images: number;
    readonly n_labels: number;
    readonly by_class: readonly {
      readonly class_id: number;
      readonly name: string;
      readonly color: string;
      readonly by_origin: Readonly<Record<string, number>>;
      readonly total: number;
      /** Of the total: on images that the head of a run has not learned from. */
      readonly held_out: number;
    }[];
  } | null;
  readonly data_problem: string | null;
}

export interface ClassDifference {
  readonly class_id: number;
  readonly name: string;
  readonly color: string;
  readonly a: number;
  readonly b: number;
  readonly added: number;
  readonly removed: number;
  readonly changed_to: number;
  readonly changed_from: number;
}

export interface Measurement {
  readonly state: "none" | "queued" | "running" | "done" | "failed";
  readonly stale: boolean;
  readonly error: string | null;
  readonly result: Json | null;
}

export interface CheckpointComparison {
  readonly a: Checkpoint;
  readonly b: Checkpoint;
  readonly config: readonly { readonly key: string; readonly a?: unknown; readonly b?: unknown }[];
  readonly config_equal: number;
  readonly data: {
    readonly identical: boolean;
    readonly same_held_out: boolean;
    readonly images_added: number;
    readonly images_removed: number;
    readonly images_changed: number;
    readonly classes: readonly ClassDifference[];
  } | null;
  readonly data_problem: string | null;
  readonly metrics: readonly { readonly key: string; readonly a: number | null; readonly b: number | null; readonly better: string | null }[];
  readonly measurement: Measurement;
}

export interface PrunePlan {
  readonly removed: readonly Checkpoint[];
  readonly kept: readonly { readonly id: number; readonly reason: string }[];
  readonly lost_ids: readonly number[];
  readonly leftover_files: number;
  /** Whose losses go. */
  readonly epochs: number;
  readonly freed_bytes: number;
}

/** Both, measured on the same held-out labels. */
export interface MeasuredPair {
  readonly n_images: number;
  readonly n_samples: number;
  readonly a: MeasuredSide;
  readonly b: MeasuredSide;
  /** Accuracy of b - a, and its standard error over images. */
  readonly difference: number | null;
  readonly standard_error: number | null;
  readonly agreement: { readonly share: number; readonly n_images: number; readonly of: string } | null;
}

export interface MeasuredSide {
  readonly accuracy: number | null;
  readonly mean_iou: number | null;
  readonly loss: number | null;
  readonly how: string | null;
  readonly note: string | null;
}

export interface HeldOutShare {
  readonly accuracy: number;
  readonly samples: number;
  readonly images: number;
  /** Whether the best epoch was chosen on them. */
  readonly selected_on_these: boolean;
  /** Whether a share of so few says anything. */
  readonly enough: boolean;
}

/** As in ml_service/quality_figures.py. */
const LEAST_SAMPLES = 5;
const LEAST_IMAGES = 2;

/** Why a checkpoint cannot be activated, as far as the list tells; null if it can. */
export function whyNotActivated({ kind, active, in_force, size_bytes }: Checkpoint): string | null {
  if (active) return "It is active and predicts already";
  if (in_force) return "It predicts already: it is the live head as it is now";
  if (kind === "adapter") return "An adapter is no head: it is adopted in the panel on fine-tuning";
  return size_bytes === null ? "Its file is gone" : null;
}

/** As many live heads in a row as are shown one by one: one is saved after every burst of clicks. */
const MOST_LIVE_IN_A_ROW = 4;

/** Live heads that nobody has named, pinned or chosen, one after the other: folded into one line where they are many. */
export function foldedRows(rows: readonly Checkpoint[], chosen: readonly number[]): (Checkpoint | readonly Checkpoint[])[] {
  const isPlain = ({ id, kind, name, pinned, active, in_force }: Checkpoint): boolean =>
    kind === "live" && name === null && !pinned && !active && !in_force && !chosen.includes(id);
  const folded: (Checkpoint | readonly Checkpoint[])[] = [];
  let live: Checkpoint[] = [];
  const close = (): void => {
    if (live.length > MOST_LIVE_IN_A_ROW) folded.push(live);
    else folded.push(...live);
    live = [];
  };
  for (const row of rows) {
    if (isPlain(row)) live.push(row);
    else {
      close();
      folded.push(row);
    }
  }
  close();
  return folded;
}

/** Live, Run 3, Adapter. */
export function kindName({ kind, run_id }: Pick<Checkpoint, "kind" | "run_id">): string {
  const name = { live: "Live", run: "Run", adapter: "Adapter" }[kind];
  return run_id === null ? name : `${name} ${run_id}`;
}

/** What was measured when it was saved, and on how much; null where labels were too few. */
export function heldOutOf({ metrics }: Pick<Checkpoint, "metrics">): HeldOutShare | null {
  const measured = at(metrics, "held_out");
  const accuracy = number(at(measured, "accuracy"));
  if (accuracy === null) return null;
  const samples = number(at(measured, "n_samples")) ?? 0;
  const images = number(at(measured, "n_images")) ?? 0;
  const selected_on_these = at(metrics, "selected_on_these") === true;
  return { accuracy, samples, images, selected_on_these, enough: samples >= LEAST_SAMPLES && images >= LEAST_IMAGES };
}

/** The result of a measurement, whatever is missing in it. */
export function measuredPair(result: Json): MeasuredPair {
  const side = (name: string): MeasuredSide => ({
    accuracy: number(at(result, name, "quality", "accuracy")),
    mean_iou: number(at(result, name, "quality", "mean_iou")),
    loss: number(at(result, name, "quality", "loss")),
    how: text(at(result, name, "how")),
    note: text(at(result, name, "note")),
  });
  const share = number(at(result, "agreement", "share"));
  return {
    n_images: number(at(result, "held_out", "n_images")) ?? 0,
    n_samples: number(at(result, "held_out", "n_samples")) ?? 0,
    a: side("a"),
    b: side("b"),
    difference: number(at(result, "difference", "accuracy")),
    standard_error: number(at(result, "difference", "standard_error")),
    agreement:
      share === null
        ? null
        : { share, n_images: number(at(result, "agreement", "n_images")) ?? 0, of: text(at(result, "agreement", "of")) ?? "images" },
  };
}

/** Measuring again tells nothing new while it was done and labels are the same. */
export function isSettled({ state, stale }: Pick<Measurement, "state" | "stale">): boolean {
  return state === "done" && !stale;
}

/** Which of the two is better by more than twice the standard error; null where that cannot be told. */
export function winner({ difference, standard_error }: Pick<MeasuredPair, "difference" | "standard_error">): "a" | "b" | null {
  if (difference === null || standard_error === null || difference === 0) return null;
  if (Math.abs(difference) <= 2 * standard_error) return null;
  return difference > 0 ? "b" : "a";
}

/** Nested objects as rows of dotted keys, by name. */
export function flatten(value: unknown, prefix = ""): (readonly [string, string])[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[prefix, shown(value)]];
  return Object.entries(value)
    .sort(([a], [b]) => a.localeCompare(b))
    .flatMap(([key, inner]) => flatten(inner, prefix === "" ? key : `${prefix}.${key}`));
}

/** One value of a configuration for people. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** 4100 -> "4.1 kB" */
export function bytes(size: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  for (; size >= 1000 && unit < units.length - 1; unit += 1) size /= 1000;
  return `${unit === 0 || size >= 10 ? Math.round(size) : size.toFixed(1)} ${units[unit] ?? ""}`;
}

/** The value at a path of keys, or undefined. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (typeof inner === "object" && inner !== null ? (inner as Json)[key] : undefined), value);
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
