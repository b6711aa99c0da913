import { Brush, CircleCheckBig, Crosshair, Eraser, Hand, Keyboard, MousePointer2, Pentagon, Square, type IconNode } from "lucide";
import { html, type TemplateResult } from "lit";

import type { Command } from "../../../state/keymap";
import type { Readable } from "../../../state/signal";
import { TOOL_NAMES, type ToolName } from "../../../state/tools";
import { AppView } from "./AppView";
import { icon } from "./icon";

interface ToolButton {
  readonly tool: ToolName;
  readonly command: Command;
  readonly node: IconNode;
  readonly note: string;
}

/** In groups. */
const TOOLS: readonly (readonly ToolButton[])[] = [
  [
    { tool: "points", command: "point-mode", node: Crosshair, note: "a click adds one, a right click removes it" },
    { tool: "select", command: "tool-select", node: MousePointer2, note: "move, change and remove points and regions" },
    { tool: "hand", command: "point-mode", node: Hand, note: "a drag moves the image; so does Space with any tool" },
  ],
  [
    { tool: "brush", command: "tool-brush", node: Brush, note: "paint the chosen class" },
    { tool: "eraser", command: "tool-eraser", node: Eraser, note: "remove what was painted" },
    { tool: "polygon", command: "tool-polygon", node: Pentagon, note: "click corner after corner" },
    { tool: "box", command: "tool-box", node: Square, note: "drag from corner to corner" },
  ],
  [{ tool: "correct", command: "tool-correct", node: CircleCheckBig, note: "accept, erase or fill it" }],
];

/** Beside the image in a segmentation session: the tools. */
export class ToolPalette extends AppView {
  protected watched(): readonly Readable<unknown>[] {
    const { tools, navigator, ui } = this.app;
    return [tools.tool, navigator.opened, ui.key_cursor];
  }

  protected override render(): TemplateResult {
    return html`<div class="tool-palette" role="toolbar" aria-orientation="vertical" aria-label="Tools">
        ${TOOLS.map((group) => html`<div class="palette-group">${group.map((button) => this.#button(button))}</div>`)}
        <div class="palette-group"><button class="tool" data-testid="keyboard-cursor" aria-pressed=${this.app.ui.key_cursor.value} aria-label="Keyboard cursor"
          tabindex="-1" title="${this.tip("Keyboard cursor", "keyboard-cursor")}: arrow keys move it, Enter does what a click does"
          @click=${() => this.command("keyboard-cursor")}>${icon(Keyboard)}</button></div>
      </div>`;
  }

  #button({ tool, command, node, note }: ToolButton): TemplateResult {
    const name = TOOL_NAMES[tool];
    const { tools } = this.app;
    const pressed = tools.tool.value === tool;
    const choose = (): void => {
      if (tool === "hand") tools.tool.set(pressed ? "points" : "hand");
      else this.command(command);
    };
    return html`<button class="tool" data-testid=${tool === "points" ? "point-mode" : `tool-${tool}`} aria-pressed=${pressed} aria-label=${name}
      tabindex=${pressed ? 0 : -1} title="${this.tip(name, command)}: ${note}" @click=${choose}>${icon(node)}</button>`;
  }
}

customElements.define("fewclick-tool-palette", ToolPalette);
