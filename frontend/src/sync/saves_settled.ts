import type { SaveQueue } from "./save_queue";

/** A save that hangs must not hold up the way to the next image for longer. */
const WAIT_FOR_SAVES_MS = 1_500;

/** What is on its way to the server is there, or will not be for a while. */
export async function savesSettled(saves: SaveQueue, image_id?: number): Promise<void> {
  if (saves.status.value === "offline") return;
  await new Promise<void>((resolve) => {
    const stop = saves.status.subscribe((status) => {
      if (status === "offline") done();
    });
    const timer = setTimeout(done, WAIT_FOR_SAVES_MS);
    function done(): void {
      clearTimeout(timer);
      stop();
      resolve();
    }
    // Whatever was refused has been told; it is settled too.
    saves.settled(image_id).then(done, done);
  });
}
