/** Why an image came up, in a line, and what each strategy does. */
import { sortedBars } from "./prediction";
import type { Arrival, ClassProbability, ImageInfo, LabelClass, Strategy } from "./types";

// That some images are random checks is said once, here, and never of an image: people must look at all of them alike.
const CHECKS = "About one in ten comes at random instead, for honest figures; it is not marked.";

export const STRATEGY_LINES: Readonly<Record<Strategy, string>> = {
  sequential: "The next image in order that has no answer yet.",
  random: "Any image that has no answer yet, in an order drawn once.",
  least_confident: `The image of which the head is least sure: it learns most from it. ${CHECKS}`,
  least_confident_minority: `The least sure image of those predicted as the class with the fewest labels. ${CHECKS}`,
};
export const REVIEW_LINE = "All images in order of their ids, labelled or not: to look over what is there.";

/** `probabilities`: what is predicted now; empty where the image has no prediction of its own as a whole. */
export function arrivalText(
  arrival: Arrival,
  image: ImageInfo,
  classes: readonly LabelClass[],
  probabilities: readonly ClassProbability[],
): string {
  switch (arrival.kind) {
    case "chosen":
      return "You chose it";
    case "back":
      return "Visited before";
    case "review":
      return "Review, in order";
    case "strategy":
      return byStrategy(arrival.strategy, image, classes, probabilities);
  }
}

function byStrategy(
  strategy: Strategy,
  image: ImageInfo,
  classes: readonly LabelClass[],
  probabilities: readonly ClassProbability[],
): string {
  if (strategy === "sequential") return "Next in order";
  if (strategy === "random") return "Drawn at random";
  const name = strategy === "least_confident" ? "Least confident" : "Rarest class";
  const [first, second] = sortedBars(classes, probabilities);
  if (probabilities.length > 0 && first) {
    const more = second ? ` / ${figure(second.p)} ${second.label_class.name}` : "";
    return `${name}: ${figure(first.p)} ${first.label_class.name}${more}`;
  }
  return image.uncertainty === null ? `${name}: no prediction yet` : `${name}: ${Math.round(100 * (1 - image.uncertainty))} % sure`;
}

function figure(p: number): string {
  return p.toFixed(2);
}
