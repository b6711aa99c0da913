import type { AnnotationStore } from "../state/annotations";
import { asideOf } from "../state/rebase";
import type { ToastStore } from "../state/toasts";
import type { Annotation, Draft, LabelClass } from "../state/types";
import { counted, markedText } from "../state/words";
import type { LateAnswers } from "./late_answers";
import type { Navigator } from "./navigator";
import type { LeftImage } from "./on_screen";

export type Aside = Extract<Draft, { kind: "aside" }>["as"];

const NAMES: Readonly<Record<Aside, string>> = { skipped: "Skip", undetermined: "Undetermined" };

/**
 * Skipping and "undetermined" are answers in place of any other. What they take off is said, as "skip" is easily read as
 * "go on", and the message takes it back from wherever the person has gone since.
 */
export class SettingAside {
  #told: { readonly image_id: number; readonly toast_id: number; readonly as: Aside } | null = null;

  constructor(
    private readonly annotations: AnnotationStore,
    private readonly navigator: Navigator,
    private readonly late: LateAnswers,
    private readonly toasts: ToastStore,
    private readonly classes: () => readonly LabelClass[],
    /** Of the open image, one step; false if it was not made. */
    private readonly undo: () => Promise<boolean>,
  ) {}

  /** The open image. False: it was so before. */
  set(as: Aside): boolean {
    const image_id = this.annotations.image_id.value;
    const before = this.annotations.current.value;
    const is_leaving = this.navigator.loading.value;
    if (image_id === null || !this.annotations.setAside(as)) return false;
    if (is_leaving) this.late.tell(image_id, NAMES[as]);
    this.#tell(image_id, this.navigator.image?.path, as, before);
    return true;
  }

  /** One that was left, but was still on screen. */
  setLeft(left: LeftImage, as: Aside): void {
    const before = this.late.now(left);
    this.late.give(left, NAMES[as], () => ({ kind: "aside", as }));
    this.#tell(left.image.id, left.image.path, as, before);
  }

  /**
   * An undo on the image, which said `before`: it may have done what the message offers, or have led back to what the
   * message tells of. Where another image is open by now, what was undone tells which.
   */
  undone(image_id: number | null, before: Annotation): void {
    if (this.#told === null || this.#told.image_id !== image_id) return;
    const { as } = this.#told;
    const stays = this.annotations.image_id.value === image_id ? this.#isStill(as) : !isAside(before, as);
    if (stays) return;
    this.toasts.dismiss(this.#told.toast_id);
    this.#told = null;
  }

  #tell(image_id: number, path: string | undefined, as: Aside, before: Annotation): void {
    const lost = lostText(before, this.classes());
    // One such message at a time; older ones are a step of undo on their image.
    if (this.#told !== null) this.toasts.dismiss(this.#told.toast_id);
    const what = as === "skipped" ? `Skipped image ${image_id}` : `Image ${image_id} is undetermined`;
    const name = path?.split("/").at(-1) ?? `Image ${image_id}`;
    // The image is gone from the screen in the same moment: without a word nobody could tell that it was said.
    const text = lost === "" ? `${name}: ${as}` : `${what}: ${lost} taken off.`;
    const drawn = before.points.length + (before.regions?.length ?? 0) > 0;
    const action = { text: "Undo", run: () => void this.#takeBack(image_id, as) };
    this.#told = { image_id, as, toast_id: this.toasts.show("info", text, { action, keep: drawn }) };
  }

  async #takeBack(image_id: number, as: Aside): Promise<void> {
    if (this.annotations.image_id.value !== image_id && !(await this.navigator.returnTo(image_id))) return;
    if (this.#isStill(as)) await this.undo();
    else this.toasts.show("info", `Image ${image_id} was changed since: Undo goes back through what was done to it.`);
  }

  /** The open image. */
  #isStill(as: Aside): boolean {
    return isAside(this.annotations.current.value, as);
  }
}

function isAside(annotation: Annotation, as: Aside): boolean {
  const draft = asideOf(annotation);
  return draft?.kind === "aside" && draft.as === as;
}

/** "340 points and 4 regions were"; empty where nothing is said of the image. */
function lostText({ points, regions = [], label, labels }: Annotation, classes: readonly LabelClass[]): string {
  const count = points.length + regions.length;
  if (count > 0) return `${markedText({ points: points.length, regions: regions.length })} ${count === 1 ? "was" : "were"}`;
  if (label !== null) return `its label “${classes.find(({ id }) => id === label.class_id)?.name ?? ""}” was`;
  if (labels === null) return "";
  if (labels.length === 0) return "its answer “none of the classes” was";
  return `${counted(labels.length, "label")} ${labels.length === 1 ? "was" : "were"}`;
}
