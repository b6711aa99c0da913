import { LitElement, type PropertyDeclarations } from "lit";

import type { App } from "../../../app";
import type { Command } from "../../../state/keymap";
import type { Readable } from "../../../state/signal";

/** Base of all views: draws in the light DOM, again whenever one of the signals that it watches changes. */
export abstract class AppView extends LitElement {
  static override properties: PropertyDeclarations = { app: { attribute: false } };
  declare app: App;
  #unsubscribe: (() => void)[] = [];

  protected abstract watched(): readonly Readable<unknown>[];

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#unsubscribe = [...this.watched(), this.app.keys.bindings].map((signal) => signal.subscribe(() => this.requestUpdate()));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
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
