import { expect, test } from "vitest";

import { newsFor, type Watched } from "../../src/sync/event_news";
import type { ServerEvent } from "../../src/sync/event_stream";

const ALL_OF_A_RUN: readonly Watched[] = ["training", "finetuning", "stats", "checkpoints"];

test.each<[string, ServerEvent, readonly Watched[]]>([
  ["a label changes counts", { kind: "annotation", image_id: 1, revision: 2 }, ["stats"]],
  ["a comment changes none", { kind: "annotation", image_id: 1, revision: 2, comment_revision: 1 }, []],
  ["a prediction is the business of its image", { kind: "prediction", image_id: 1, version: 3 }, []],
  ["a measurement after a label is no run", { kind: "training" }, ["stats", "checkpoints"]],
  ["an epoch", { kind: "training", run_id: 1, state: "RUNNING" }, ["training", "checkpoints"]],
  ["the end of a run may bring a better head, or an offer", { kind: "training", run_id: 1, state: "FINISHED" }, ALL_OF_A_RUN],
  ["a run that failed", { kind: "training", run_id: 1, state: "FAILED" }, ALL_OF_A_RUN],
  ["a run whose job failed", { kind: "job", job_kind: "train", state: "failed" }, ALL_OF_A_RUN],
  ["a comparison that is done", { kind: "job", job_kind: "compare", state: "done" }, ["checkpoints"]],
  ["a checkpoint that cannot be used: another head predicts", { kind: "job", state: "failed" }, ["stats", "checkpoints"]],
  ["classes", { kind: "classes" }, ["stats"]],
  ["features", { kind: "features", image_ids: [1] }, ["stats", "health"]],
])("newsFor: %s", (_what, event, expected) => {
  expect(newsFor(event)).toEqual(expected);
});
