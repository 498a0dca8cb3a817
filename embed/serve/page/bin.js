// The bin: photographs are moved there, never deleted, and come back where they were.
import { post } from "./net.js";
import { attempt, counted, tell, visible } from "./dom.js";
import { finished } from "./status.js";

/** Say what stayed where it is, or what was done. */
function report(left, words, action) {
  if (left.length) tell(`${counted(left.length, "photograph stays", "photographs stay")}: ${visible(left[0].path)} ${visible(left[0].problem)}.`, true);
  else tell(words, false, action);
}

/** The features follow in the background; say so where they cannot. */
async function followed() {
  const job = await finished("extract");
  if (job?.problem) tell(visible(job.problem), true);
}

/**
 * Put photographs into the bin, and offer to take that back.
 * @param back called with the paths of those that are taken back
 * @returns the paths of those that went
 */
export async function toBin(paths, reason, back = () => {}) {
  const done = await attempt(() => post("/api/bin", { paths, reason }));
  if (!done) return [];
  const undo = { words: "Undo", act: async () => back(await fromBin({ batch: done.batch })) };
  report(done.left, `${counted(done.photographs.length, "photograph is", "photographs are")} in the bin.`, undo);
  followed();
  return done.photographs;
}

/** Put photographs back: those of a batch, or some of them. Returns their paths. */
export async function fromBin(which) {
  const done = await attempt(() => post("/api/bin/restore", which));
  if (!done) return [];
  report(done.left, `${counted(done.photographs.length, "photograph is", "photographs are")} back where ${done.photographs.length === 1 ? "it was" : "they were"}.`);
  followed();
  return done.photographs;
}
