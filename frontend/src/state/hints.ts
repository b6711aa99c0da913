/** First steps, one at a time, each until it was followed or put away; never again after that. */

import type { Command } from "./keymap";
import type { Preferences } from "./preferences";
import type { Task } from "./types";

/** What a person just did. */
export type Deed = "labelled" | "removed" | "answered" | Command;

export interface Hint {
  readonly id: string;
  /** `{command}` stands for its key, `{class}` for the chosen class, `{other}` for what a right click does elsewhere. */
  readonly text: string;
  /** Where there is no keyboard; the panel lies below the image or beside it. */
  readonly touch_text?: string;
  /** While the keyboard's cursor is on the image, whose keys mean something else. */
  readonly cursor_text?: string;
  /** It is done by any of these. */
  readonly by: readonly Deed[];
}

const HINTS: Readonly<Record<Task, readonly Hint[]>> = {
  segmentation: [
    { id: "segmentation:click", text: "Click an example of {class} in the image. Without a mouse: {keyboard-cursor}.", cursor_text: "The arrow keys move the cursor, Enter sets a point of {class} there.", touch_text: "Tap an example of the chosen class in the image.", by: ["labelled"] },
    { id: "segmentation:follow", text: "The overlay follows every click. Click where it is still wrong.", cursor_text: "The overlay follows every point. Set one where it is still wrong.", by: ["labelled"] },
    { id: "segmentation:right", text: "Right click a point to remove it{other}. {undo} takes anything back.", touch_text: "The arrow above the picture takes anything back.", cursor_text: "{remove} removes the point at the cursor. {undo} takes anything back.", by: ["removed", "undo"] },
    { id: "segmentation:accept", text: "{accept} accepts the prediction, {next} goes on to the next image.", touch_text: "Next goes on to another image.", cursor_text: "{keyboard-cursor} leaves the cursor: then {accept:off} accepts the prediction, and no longer sets a point. {next} goes on to the next image.", by: ["answered", "accept", "accept-next", "next", "skip"] },
  ],
  classification: [
    { id: "classification:label", text: "Press 1 to 9, or click a class. The next image follows by itself.", touch_text: "Tap a class. The next image follows by itself.", by: ["labelled"] },
    { id: "classification:undo", text: "{undo} takes the last label back, {skip} skips an image.", touch_text: "The arrow above the picture takes a label back.", by: ["undo", "labelled", "skip"] },
    { id: "classification:accept", text: "The bars say what the head believes. {accept} accepts the first of them.", touch_text: "The bars say what the head believes. Accept takes the first of them.", by: ["answered", "accept", "accept-next"] },
  ],
  multilabel: [
    { id: "multilabel:label", text: "Press 1 to 9 for every class that holds, {none} for none of them.", touch_text: "Tap every class that holds.", by: ["labelled"] },
    { id: "multilabel:accept", text: "What the head suggests is marked. {accept} accepts it, then goes on.", touch_text: "What the head suggests is marked. Accept takes it.", by: ["answered", "accept", "accept-next"] },
    { id: "multilabel:undo", text: "{undo} takes the last answer back, {skip} skips an image.", touch_text: "The arrow above the picture takes an answer back.", by: ["undo", "labelled", "skip"] },
  ],
};

/** Before all others, for as long as it is so: what is on screen is no result yet. `{only}`, `{another}`: classes. */
export const ONE_CLASS: Hint = { id: "segmentation:one-class", text: "Only {only} has labels so far, so everything is predicted as it. Choose {another} and mark a place of it.", by: [] };

/** Who has labelled so much while a hint was there does not need it. */
const LABELS_WITHOUT_IT = 10;

type Remembered = Pick<Preferences, "hints_done" | "hint_dismissed">;

export function hintsOf(task: Task): readonly Hint[] {
  return HINTS[task];
}

/** The one to show; null once all are done, or none is wanted. `is_one_class`: no other class has labels. */
export function currentHint(task: Task, { hints_done, hint_dismissed }: Remembered, is_one_class = false): Hint | null {
  if (hint_dismissed) return null;
  const next = HINTS[task].find(({ id }) => !hints_done.includes(id)) ?? null;
  return next !== null && is_one_class && !hints_done.includes(ONE_CLASS.id) ? ONE_CLASS : next;
}

/** What is remembered after a deed, the label number `labels` since the hint came; null where the hint stays. */
export function followed(task: Task, remembered: Remembered, deed: Deed, labels = 0, is_one_class = false): Pick<Preferences, "hints_done"> | null {
  const hint = currentHint(task, remembered, is_one_class);
  return hint !== null && (hint.by.includes(deed) || labels >= LABELS_WITHOUT_IT) ? { hints_done: [...remembered.hints_done, hint.id] } : null;
}
