/** What is said to those who do not see the page change. */

import { anotherClass, onlyClass, onlyClassText } from "./only_class";
import { areaShares, sortedBars, type ShownPrediction } from "./prediction";
import type { ClassCount, LabelClass } from "./types";

const MOST_SPOKEN = 3;

/** "Prediction: nuclei 32 %, background 68 % of the area"; empty where there is nothing to say. */
export function predictionText(classes: readonly LabelClass[], shown: ShownPrediction | null, counted: readonly ClassCount[] = []): string {
  if (shown === null) return "";
  if (shown.probabilities.length > 0) return spoken(sortedBars(classes, shown.probabilities).map(({ label_class, p }) => [label_class.name, p]));
  if (shown.maps.length === 0) return "";
  const only = onlyClass(classes, shown, counted);
  if (only !== null) return `${onlyClassText(only)}, so everything is predicted as it. Mark a place of ${anotherClass(classes, only)}.`;
  const shares = areaShares(classes, shown.maps);
  const parts = classes.map(({ name }, i) => [name, shares[i] ?? 0] as const).sort((a, b) => b[1] - a[1]);
  return `${spoken(parts)} of the area`;
}

function spoken(parts: readonly (readonly [string, number])[]): string {
  const named = parts.slice(0, MOST_SPOKEN).map(([name, p]) => `${name} ${Math.round(p * 100)} %`);
  return `Prediction: ${named.join(", ")}`;
}
