import type { IconNode } from "lucide";
import { unsafeSVG } from "lit/directives/unsafe-svg.js";
import { html, svg, type TemplateResult } from "lit";

const drawn = new Map<IconNode, string>();

/** A line icon in the text's colour; decoration only: the control around it carries the name. */
export function icon(node: IconNode, size = 18): TemplateResult {
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 24 24" aria-hidden="true">
    ${svg`${unsafeSVG(markup(node))}`}
  </svg>`;
}

function markup(node: IconNode): string {
  const known = drawn.get(node);
  if (known !== undefined) return known;
  const made = node
    .map(([tag, attributes]) => {
      const written = Object.entries(attributes).map(([name, value]) => `${name}="${String(value)}"`);
      return `<${tag} ${written.join(" ")} />`;
    })
    .join("");
  drawn.set(node, made);
  return made;
}
