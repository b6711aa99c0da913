import { LitElement, type PropertyDeclarations } from "lit";

import type { App } from "../../../app";
import type { Command } from "../../../state/keymap";
import type { Readable } from "../../../state/signal";

/** Longer than a prediction takes to follow a click. */
const LAG_MS = 120;

/** Base of all views: draws in the light DOM, again whenever one of the signals that it watches changes. */
export abstract class AppView extends LitElement {
  static override properties: PropertyDeclarations = { app: { attribute: false } };
  declare app: App;
  #unsubscribe: (() => void)[] = [];
  #lag: ReturnType<typeof setTimeout> | undefined;

  protected abstract watched(): readonly Readable<unknown>[];

  /**
   * Signals whose changes are drawn a moment later, or with those of the others: what a person looks at is the image, and
   * a frame that has to change what is beside it as well takes several times as long.
   */
  protected watchedAtLeisure(): readonly Readable<unknown>[] {
    return [];
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const soon = (): void => {
      this.#lag ??= setTimeout(() => this.requestUpdate(), LAG_MS);
    };
    this.#unsubscribe = [
      ...[...this.watched(), this.app.keys.bindings].map((signal) => signal.subscribe(() => this.requestUpdate())),
      ...this.watchedAtLeisure().map((signal) => signal.subscribe(soon)),
    ];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#forgetLag();
  }

  protected override performUpdate(): void {
    this.#forgetLag();
    super.performUpdate();
  }

  #forgetLag(): void {
    clearTimeout(this.#lag);
    this.#lag = undefined;
  }

  /** For `title`: "Next (F or →)", with the keys in force. */
  protected tip(text: string, command: Command): string {
    return this.app.keys.tip(text, command);
  }

  /** Ask the page to do what a key would do: one way in for mouse and keyboard. */
  protected command(command: Command): void {
    this.dispatchEvent(new CustomEvent<Command>("fewclick-command", { detail: command, bubbles: true }));
  }
}

declare global {
  interface HTMLElementEventMap {
    "fewclick-command": CustomEvent<Command>;
    /** Id of a class that was clicked. */
    "fewclick-class": CustomEvent<number>;
  }
}
