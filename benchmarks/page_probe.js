// What a benchmark sees from inside the page. Put into it before its own scripts run. Times: milliseconds of performance.now.
(() => {
  const MARKS = ["data-image-id", "data-prediction-revision", "data-prediction-version"];
  const stages = {
    // The overlay has learned from whatever is said after `arm`.
    overlay: (now, before) => Number(now.predictionRevision ?? -1) > Number(before.annotationRevision ?? 0),
    picture: (now, before) => now.imageId !== before.imageId,
    prediction: (now, before) => now.imageId !== before.imageId && now.predictionVersion !== undefined,
  };
  const requests = [];
  const events = [];
  const shifts = [];
  const long_tasks = [];
  let waiting = null;
  let frames = null;

  const canvas = () => document.querySelector("[data-testid=image-canvas]");
  const marks = () => ({ ...canvas()?.dataset });

  const fetched = window.fetch;
  window.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input, location.href);
    const method = input instanceof Request ? input.method : (init?.method ?? "GET");
    const request = { method, path: url.pathname, size: url.searchParams.get("size"), sent: performance.now(), answered: null };
    requests.push(request);
    const answer = await fetched(input, init);
    request.answered = performance.now();
    return answer;
  };

  window.EventSource = class extends EventSource {
    constructor(...args) {
      super(...args);
      this.addEventListener("prediction", ({ data }) => events.push({ at: performance.now(), ...JSON.parse(data) }));
    }
  };

  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries()) shifts.push({ value, after_input: hadRecentInput });
  }).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) long_tasks.push({ at: startTime, duration });
  }).observe({ type: "longtask", buffered: true });

  // The frame that paints something sets its mark, in requestAnimationFrame. It was presented when the next one begins.
  function look() {
    if (waiting === null) return;
    const now = marks();
    for (const name of waiting.missing) {
      if (!stages[name](now, waiting.before)) continue;
      waiting.missing.delete(name);
      const stage = (waiting.record[name] = { set: performance.now(), shown: null });
      const mine = waiting;
      requestAnimationFrame(() => {
        stage.shown = performance.now();
        mine.left -= 1;
        if (mine.left === 0) mine.resolve();
      });
    }
  }
  new MutationObserver(look).observe(document, { subtree: true, attributes: true, attributeFilter: MARKS });

  for (const type of ["pointerdown", "keydown"]) {
    addEventListener(
      type,
      (event) => {
        if (waiting?.type === type && waiting.record.began === null) waiting.record.began = event.timeStamp;
      },
      { capture: true },
    );
  }

  window.fewclickProbe = {
    /** From the next event of this type to the frames that show these stages. */
    arm(type, names) {
      const record = { began: null, requests: [], events: [] };
      waiting = { type, record, before: marks(), missing: new Set(names), left: names.length, resolve: null };
      waiting.done = new Promise((resolve) => (waiting.resolve = resolve));
    },
    /** What was seen; a stage that did not come within `limit_ms` is missing. */
    async finished(limit_ms) {
      const mine = waiting;
      await Promise.race([mine.done, new Promise((resolve) => setTimeout(resolve, limit_ms))]);
      waiting = null;
      return { ...mine.record, ...this.since(mine.record.began) };
    },
    since(began) {
      return { requests: requests.filter(({ sent }) => sent >= began), events: events.filter(({ at }) => at >= began) };
    },
    /** Presses a key in the first task after another image was shown: before anything can have been fetched ahead. */
    pressWhenShown(key, code, names) {
      const before = canvas()?.dataset.imageId;
      const observer = new MutationObserver(() => {
        if (canvas()?.dataset.imageId === before) return;
        observer.disconnect();
        requestAnimationFrame(() => {
          document.activeElement?.blur();
          this.arm("keydown", names);
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true }));
          document.body.dispatchEvent(new KeyboardEvent("keyup", { key, code, bubbles: true, cancelable: true }));
        });
      });
      observer.observe(document, { subtree: true, attributes: true, attributeFilter: MARKS });
    },
    /** Where the image lies on the stage, and how large. */
    place() {
      const { transform, width } = document.querySelector(".stage-world").style;
      return `${transform} ${width}`;
    },
    isArmed: () => waiting !== null && waiting.record.began !== null,
    hasPrediction: (image_id) => {
      const { imageId, predictionVersion } = marks();
      return predictionVersion !== undefined && (image_id === null || Number(imageId) === image_id);
    },
    watchFrames() {
      const watch = { intervals: [], from: performance.now() };
      frames = watch;
      let last = null;
      const tick = (at) => {
        if (frames !== watch) return;
        if (last !== null) watch.intervals.push(at - last);
        last = at;
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    },
    async takeFrames() {
      const { intervals, from } = frames;
      frames = null;
      // Long tasks are told of a moment later.
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { intervals, long_tasks: long_tasks.filter(({ at }) => at >= from).map(({ duration }) => duration) };
    },
    /** Scrolls by so much a frame, for a while; the frames meanwhile. */
    async scroll(selector, step_px, milliseconds) {
      const scroller = document.querySelector(selector);
      this.watchFrames();
      await new Promise((resolve) => {
        const until = performance.now() + milliseconds;
        const step = () => {
          scroller.scrollTop += step_px;
          if (performance.now() < until) requestAnimationFrame(step);
          else resolve();
        };
        requestAnimationFrame(step);
      });
      return this.takeFrames();
    },
    /** To a fraction of the length; the times until the tiles in sight are known, and until their pictures are there. */
    async jump(selector, fraction, limit_ms) {
      const scroller = document.querySelector(selector);
      const began = performance.now();
      const isOver = () => performance.now() > began + limit_ms;
      const until = async (ready) => {
        do await new Promise((resolve) => requestAnimationFrame(resolve));
        while (!ready() && !isOver());
        return ready() ? performance.now() - began : null;
      };
      scroller.scrollTop = fraction * (scroller.scrollHeight - scroller.clientHeight);
      const inSight = () => {
        const box = scroller.getBoundingClientRect();
        return [...scroller.querySelectorAll(".tile")].filter((tile) => {
          const { top, bottom } = tile.getBoundingClientRect();
          return bottom > box.top && top < box.bottom;
        });
      };
      const known = await until(() => {
        const tiles = inSight();
        return tiles.length > 0 && tiles.every((tile) => !tile.classList.contains("is-loading"));
      });
      const pictures = await until(() => inSight().every((tile) => tile.querySelector("img")?.complete === true));
      return { known, pictures };
    },
    shifts: () => shifts,
  };
})();
