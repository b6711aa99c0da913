/** How one slider is shared by the prediction and the regions over it, so that the picture stays visible below both. */

/** Of what the slider says. */
const FILL_SHARE = 0.2;
const HATCH_SHARE = 0.4;
/** How much of a region its hatch covers. */
const HATCH_COVER = 0.25;

/** All 0..1. */
export interface Opacities {
  readonly overlay: number;
  readonly fill: number;
  readonly hatch: number;
}

/** Prediction and region together are, over their area, as opaque as the slider says. */
export function sharedOpacity(slider: number, has_regions: boolean): Opacities {
  const [fill, hatch] = [FILL_SHARE * slider, HATCH_SHARE * slider];
  const region = meanOpacity({ fill, hatch });
  return { fill, hatch, overlay: has_regions && slider < 1 ? 1 - (1 - slider) / (1 - region) : slider };
}

/** Of a region, over its area. */
export function meanOpacity({ fill, hatch }: Pick<Opacities, "fill" | "hatch">): number {
  return 1 - (1 - fill) * (1 - HATCH_COVER * hatch);
}
