import type { Api, ClassChange } from "../api/client";
import { explain } from "../api/errors";
import type { Signal } from "../state/signal";
import type { ToastStore } from "../state/toasts";
import type { LabelClass } from "../state/types";

/** Adding, renaming, recolouring and removing classes; a removal can be taken back. */
export class ClassEditing {
  constructor(
    private readonly api: Api,
    private readonly classes: Signal<readonly LabelClass[]>,
    private readonly toasts: ToastStore,
    private readonly onAnnotationsChanged: () => void,
  ) {}

  async refresh(): Promise<void> {
    await this.#tell(async () => {
      this.classes.set((await this.api.config()).classes);
    });
  }

  async add(name: string): Promise<boolean> {
    return this.#tell(async () => {
      await this.api.addClass(name);
      await this.refresh();
    });
  }

  async change(class_id: number, change: ClassChange): Promise<boolean> {
    return this.#tell(async () => {
      await this.api.changeClass(class_id, change);
      await this.refresh();
    });
  }

  async remove(label_class: LabelClass): Promise<boolean> {
    return this.#tell(async () => {
      const { annotations_removed } = await this.api.removeClass(label_class.id);
      await this.refresh();
      this.onAnnotationsChanged();
      const text = `Class “${label_class.name}” removed, with ${annotations_removed} annotations.`;
      this.toasts.show("info", text, { action: { text: "Undo", run: () => void this.restore(label_class.id) } });
    });
  }

  async restore(class_id: number): Promise<boolean> {
    return this.#tell(async () => {
      await this.api.restoreClass(class_id);
      await this.refresh();
      this.onAnnotationsChanged();
    });
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
