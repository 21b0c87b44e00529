// An agent in Node without any package: answers what was said, word by word, many tasks at once.
//
//   echo '{"type":"message","run":1,"text":"one two"}' | node examples/exec/echo.mjs
//
// As an agent: command ["node", "examples/exec/echo.mjs"], as a pool or per task.
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const atWork = new Map();

async function work({ run, text }) {
  const cancelled = new AbortController();
  atWork.set(run, cancelled);
  try {
    for (const word of text.split(" ")) {
      say({ type: "chunk", run, text: `${word} ` });
      await sleep(10, undefined, { signal: cancelled.signal });
    }
    say({ type: "complete", run });
  } catch (error) {
    say({ type: "failure", run, text: cancelled.signal.aborted ? "cancelled" : "it broke" });
    if (!cancelled.signal.aborted) console.error(error);
  } finally {
    atWork.delete(run);
  }
}

say({ type: "ready", protocol: 1, concurrency: 100 });
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line);
  if (told.type === "message") work(told);
  if (told.type === "cancel") atWork.get(told.run)?.abort();
}
