import { changesNothing, type ToneCurve } from "../state/picture_look";

const SVG = "http://www.w3.org/2000/svg";
const CHANNELS = ["feFuncR", "feFuncG", "feFuncB"] as const;

/** Brightness, contrast and gamma as an SVG filter, which the compositor applies: the picture itself stays. */
export class PictureFilter {
  readonly element = document.createElementNS(SVG, "svg");
  readonly #linear: Element[];
  readonly #gamma: Element[];

  constructor(private readonly id: string) {
    this.element.setAttribute("class", "visually-hidden");
    this.element.setAttribute("aria-hidden", "true");
    const filter = document.createElementNS(SVG, "filter");
    filter.id = id;
    filter.setAttribute("color-interpolation-filters", "sRGB");
    for (const [name, value] of Object.entries({ x: "0", y: "0", width: "1", height: "1" })) filter.setAttribute(name, value);
    this.#linear = transfer(filter, "linear");
    this.#gamma = transfer(filter, "gamma");
    this.element.append(filter);
  }

  /** The id of the filter to use, "" where the picture is shown as it is. */
  set(curve: ToneCurve): string {
    if (changesNothing(curve)) return "";
    for (const part of this.#linear) {
      part.setAttribute("slope", String(curve.slope));
      part.setAttribute("intercept", String(curve.intercept));
    }
    for (const part of this.#gamma) part.setAttribute("exponent", String(curve.exponent));
    return this.id;
  }
}

/** A step of the filter for all three colours; each step clips to what a screen shows. */
function transfer(filter: Element, type: "linear" | "gamma"): Element[] {
  const step = document.createElementNS(SVG, "feComponentTransfer");
  const parts = CHANNELS.map((channel) => {
    const part = document.createElementNS(SVG, channel);
    part.setAttribute("type", type);
    return part;
  });
  step.append(...parts);
  filter.append(step);
  return parts;
}
