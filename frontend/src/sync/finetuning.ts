import type { Api } from "../api/client";
import { explain } from "../api/errors";
import type { Finetuning } from "../state/finetuning";
import { Signal } from "../state/signal";
import type { ToastStore } from "../state/toasts";
import { Calm, inCalm } from "./calm";

/** Whether the extractor can be fine-tuned, what is offered, and the change to it. */
export class FinetuningWatch {
  readonly state = new Signal<Finetuning | null>(null);
  readonly busy = new Signal(false);
  readonly refreshSoon: () => void;

  /** `onAdopted`: every feature and prediction is another one from now on. */
  constructor(
    private readonly api: Api,
    private readonly toasts: ToastStore,
    private readonly onAdopted: () => void,
    calm = new Calm(),
  ) {
    this.refreshSoon = inCalm(calm, () => this.refresh(), { after_ms: 250, every_ms: 1_000 });
  }

  async refresh(): Promise<void> {
    try {
      this.state.set(await this.api.finetuning());
    } catch (error) {
      // The sign in the header says it already.
      explain(error);
    }
  }

  /** null goes back to the weights without any adapter. */
  async adopt(checkpoint_id: number | null, image_id: number | null): Promise<void> {
    this.busy.set(true);
    try {
      this.state.set(await this.api.adopt(checkpoint_id, image_id));
      this.onAdopted();
    } catch (error) {
      this.toasts.show("error", `The extractor was not changed: ${explain(error)}`);
    } finally {
      this.busy.set(false);
    }
  }
}
