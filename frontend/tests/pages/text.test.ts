import { expect, test } from "vitest";

import { heldOutBasis } from "../../src/pages/labeling/components/text";

test("heldOutBasis: what was held out, in the singular too", () => {
  expect(heldOutBasis({ value: 0.58, samples: 24, images: 3 }, "segmentation")).toBe("right on 24 held-out points (3 images)");
  expect(heldOutBasis({ value: 1, samples: 1, images: 1 }, "segmentation")).toBe("right on 1 held-out point (1 image)");
  expect(heldOutBasis({ value: 0.5, samples: 12, images: 12 }, "classification")).toBe("right on 12 held-out images");
  expect(heldOutBasis({ value: 0, samples: 1, images: 1 }, "classification")).toBe("right on 1 held-out image");
});
