/** Why an image came up, in a line, and what each strategy does. */
import { sortedBars } from "./prediction";
import type { Arrival, ClassProbability, ImageInfo, LabelClass, Strategy } from "./types";

// That some images are random checks is said once, here, and never of an image: people must look at all of them alike.
const CHECKS = "About one in ten comes at random instead, for honest figures; it is not marked.";

export const STRATEGY_LINES: Readonly<Record<Strategy, string>> = {
  sequential: "Next goes to the following image in the list that has no answer yet.",
  random: "Next goes to any image that has no answer yet, in an order drawn once.",
  least_confident: `Next goes to the image of which the head is least sure: it learns most from it. ${CHECKS}`,
  least_confident_minority: `Next goes to the least sure image of those predicted as the class with the fewest labels. ${CHECKS}`,
};
export const REVIEW_LINE = "Next goes through all images in order of their ids, labelled or not: to look over what is there.";

/** `probabilities`: what is predicted now; empty where the image has no prediction of its own as a whole. */
export function arrivalText(
  arrival: Arrival,
  image: ImageInfo,
  classes: readonly LabelClass[],
  probabilities: readonly ClassProbability[],
): string {
  switch (arrival.kind) {
    case "chosen":
      return "This image: chosen by you";
    case "back":
      return "This image: visited before";
    case "review":
      return "This image: reached in review";
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
  if (strategy === "sequential") return "This image: its turn in the list";
  if (strategy === "random") return "This image: drawn at random";
  const [first, second] = sortedBars(classes, probabilities);
  if (probabilities.length > 0 && first) {
    const more = second ? ` / ${figure(second.p)} ${second.label_class.name}` : "";
    return `This image: ${figure(first.p)} ${first.label_class.name}${more}`;
  }
  return image.uncertainty === null ? "This image: no prediction yet" : `This image: ${Math.round(100 * (1 - image.uncertainty))} % sure`;
}

function figure(p: number): string {
  return p.toFixed(2);
}
