import type { Api, ClassChange } from "../api/client";
import { explain } from "../api/errors";
import { restoredText, usageText, type ClassUsage, type RemovedClass } from "../state/classes";
import { counted } from "../state/words";
import { Signal } from "../state/signal";
import type { ToastStore } from "../state/toasts";
import type { LabelClass, Task } from "../state/types";

/** Adding, changing, moving, merging and removing classes; a merge and a removal can be taken back. */
export class ClassEditing {
  /** That can be brought back, the last one removed first. */
  readonly removed = new Signal<readonly RemovedClass[]>([]);
  /** The messages that offer to bring a class back, by class. */
  readonly #told = new Map<number, number>();

  constructor(
    private readonly api: Api,
    private readonly task: Task,
    private readonly classes: Signal<readonly LabelClass[]>,
    private readonly toasts: ToastStore,
    private readonly onAnnotationsChanged: () => void,
  ) {}

  async refresh(): Promise<void> {
    await this.#tell(async () => {
      this.classes.set((await this.api.config()).classes);
    });
  }

  /** For the editor, when it opens. */
  async refreshRemoved(): Promise<void> {
    await this.#tell(async () => {
      this.removed.set(await this.api.removedClasses());
    });
  }

  /** The new class, or null where it was refused. */
  async add(name: string, parent_id: number | null = null): Promise<LabelClass | null> {
    let added: LabelClass | null = null;
    await this.#tell(async () => {
      added = await this.api.addClass(name, parent_id);
      await this.refresh();
    });
    return added;
  }

  async change(class_id: number, change: ClassChange): Promise<boolean> {
    return this.#tell(async () => {
      await this.api.changeClass(class_id, change);
      await this.refresh();
      // What stands above a class is said with it.
      if (this.task === "multilabel" && "parent_id" in change) this.onAnnotationsChanged();
    });
  }

  /** What would go with it, counted now; null where that cannot be told. */
  async usage(class_id: number): Promise<ClassUsage | null> {
    let usage: ClassUsage | null = null;
    await this.#tell(async () => {
      usage = await this.api.classUsage(class_id);
    });
    return usage;
  }

  async merge(label_class: LabelClass, into: LabelClass): Promise<boolean> {
    return this.#tell(async () => {
      const { annotations_moved } = await this.api.mergeClass(label_class.id, into.id);
      await this.#afterChange();
      const text = `“${label_class.name}” is “${into.name}” now: ${counted(annotations_moved, "annotation")} moved.`;
      this.#offerUndo(label_class, text);
    });
  }

  async remove(label_class: LabelClass): Promise<boolean> {
    return this.#tell(async () => {
      const usage = await this.api.classUsage(label_class.id);
      await this.api.removeClass(label_class.id);
      await this.#afterChange();
      const what = usageText(usage, this.task);
      this.#offerUndo(label_class, `Class “${label_class.name}” removed${what === "" ? "" : `, with ${what}`}.`);
    });
  }

  async restore({ id, name }: Pick<LabelClass, "id" | "name">): Promise<boolean> {
    return this.#tell(async () => {
      const restored = await this.api.restoreClass(id);
      // However it was brought back: what its message says and offers holds no more.
      const told = this.#told.get(id);
      if (told !== undefined) this.toasts.dismiss(told);
      await this.#afterChange();
      this.toasts.show("success", restoredText(name, restored));
    });
  }

  #offerUndo(label_class: LabelClass, text: string): void {
    const toast_id = this.toasts.show("info", text, { action: { text: "Undo", run: () => void this.restore(label_class) } });
    this.#told.set(label_class.id, toast_id);
  }

  async #afterChange(): Promise<void> {
    await this.refresh();
    await this.refreshRemoved();
    this.onAnnotationsChanged();
  }

  async #tell(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.toasts.show("error", explain(error));
      return false;
    }
  }
}
