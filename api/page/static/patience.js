// Reading again until it works, less and less often, and not at the moment at which every other page does.

import { Refused } from "./pages.js";

const FIRST = 3_000;
const LONGEST = 30_000;

/** What was read, or undefined once aborted. `tell(why)` is told what is wrong meanwhile, and "" when it is over. */
export async function patiently(read, signal, tell) {
  for (let pause = FIRST; !signal.aborted; pause = Math.min(2 * pause, LONGEST)) {
    try {
      const answer = await read(signal);
      if (!signal.aborted) tell("");
      return signal.aborted ? undefined : answer;
    } catch (error) {
      if (!signal.aborted) tell(`${error instanceof Refused ? error.message : "the server does not answer"}. Trying again …`);
    }
    await new Promise((later) => setTimeout(later, pause * (0.5 + Math.random() / 2)));
  }
}
