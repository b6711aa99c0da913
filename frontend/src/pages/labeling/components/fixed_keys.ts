import { keyName, type Binding } from "../../../state/keymap";
import { isCursorKey } from "../../../state/stage_cursor";
import type { Task } from "../../../state/types";

/** A line of the help that is no binding: nothing to change there. */
export interface Fixed {
  readonly keys: readonly (readonly string[])[];
  readonly text: string;
  readonly between?: string;
}

const DIGITS: Readonly<Record<Task, string>> = {
  segmentation: "Class of the next point",
  classification: "Class of the image",
  multilabel: "A class of the image, on or off",
};

export function digitLines(task: Task): Fixed[] {
  return [{ keys: [["1"], ["9"]], text: DIGITS[task], between: "…" }];
}

/** `class_count`: of the session. */
export function mouseLines(task: Task, class_count: number): Fixed[] {
  const removes = "Remove the nearest point within reach";
  const points: Fixed[] = [
    { keys: [["Left click"]], text: "Point of the chosen class" },
    { keys: [["Right click"]], text: class_count === 2 ? `${removes}, else add one of the other class` : removes },
  ];
  return [
    ...(task === "segmentation" ? points : []),
    { keys: [["Wheel"]], text: "Zoom at the pointer" },
    { keys: [["Space", "drag"], ["Middle drag"]], text: "Move the image" },
  ];
}

/** What the keys of a command mean while the keyboard has a cursor on the image; "" where they stay what they are. */
export function cursorNote({ keys }: Binding, task: Task): string {
  const taken = keys.filter((key) => isCursorKey(key, task));
  if (taken.length === 0) return "";
  const does = taken.some((key) => key.endsWith("Enter")) ? "does what a click does" : "moves it";
  return `With the cursor of the keyboard on, ${taken.map(keyName).join(", ")} ${does}`;
}

/** While the keyboard has a cursor on the image. */
export function cursorLines(task: Task): Fixed[] {
  const tools: Fixed[] = [
    { keys: [["Enter"], ["Space"]], text: "What a click does there; where one would drag (brush, eraser, box, select), once to begin and once to end" },
    { keys: [["Shift", "Space"]], text: "What Shift + click does" },
    { keys: [["Enter", "Enter"]], text: "With the polygon, at the last corner: closes it" },
    { keys: [["Del"], ["⌫"]], text: "Remove the point at the cursor; what is selected; the last corner" },
  ];
  return [
    { keys: [["←"], ["↑"], ["→"], ["↓"]], text: "Move the cursor; the view follows", between: "" },
    { keys: [["Shift", "arrow"]], text: "A longer way" },
    { keys: [["Ctrl", "arrow"]], text: "One pixel of the image" },
    ...(task === "segmentation" ? tools : []),
  ];
}
