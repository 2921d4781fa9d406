/**
 * Pushes checkpoints of logs that grow by one to a witness that runs, and prints how many it answers
 * in a second: `witness_load.ts URL PREFIX CLIENTS SECONDS`. Each client has a log of its own, named
 * PREFIX/0 and so on; `witness_load.ts --vkeys PREFIX CLIENTS` prints their vkeys. All requests are
 * made before the first one is sent.
 *
 * @module
 */
import { PushingLog } from "../authority/pushing_log.ts";

/** Requests that are made for each client. */
const REQUESTS = 6_000;

function logs(prefix: string, clients: number): Promise<PushingLog[]> {
  return Promise.all([...Array(clients).keys()].map((i) => PushingLog.named(`${prefix}/${i}`)));
}

/** Pushes one after the other until the time is over. @returns how many were answered, and when */
async function push(
  { url, bodies, until }: {
    url: string;
    bodies: readonly Uint8Array<ArrayBuffer>[];
    until: number;
  },
): Promise<number> {
  let answered = 0;
  for (const body of bodies) {
    if (performance.now() > until) return answered;
    const response = await fetch(url, { method: "POST", body });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
    answered++;
  }
  throw new Error("there are too few requests for this time");
}

if (import.meta.main) {
  const [url, prefix, clients, seconds] = Deno.args as [string, string, string, string];
  if (url === "--vkeys") {
    for (const { log } of await logs(prefix, Number(clients))) console.log(log.vkey.text);
    Deno.exit(0);
  }
  const all: Uint8Array<ArrayBuffer>[][] = [];
  for (const log of await logs(prefix, Number(clients))) {
    const bodies: Uint8Array<ArrayBuffer>[] = [];
    for (let old = 0n; old < REQUESTS; old++) {
      bodies.push(await log.request({ old, size: old + 1n }));
    }
    all.push(bodies);
  }
  const began = performance.now();
  const until = began + Number(seconds) * 1_000;
  const each = await Promise.all(
    all.map((bodies) => push({ url: `${url}/add-checkpoint`, bodies, until })),
  );
  const took = (performance.now() - began) / 1_000;
  const count = each.reduce((a, b) => a + b, 0);
  console.log(`${clients} client(s): ${(count / took).toFixed(0)} a second`);
}
