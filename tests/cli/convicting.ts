/** A monitor whose log was shown to have two histories. */
import { assertEquals } from "@std/assert";
import { run } from "./harness.ts";
import { edit, fork, grow, makeLog, makeMonitor } from "./monitors.ts";

/** A port that nobody uses now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A monitor with a case: its configuration, the log it follows and that log's folder, its journal. */
export interface Convicting {
  readonly config: string;
  readonly log: string;
  readonly dir: string;
  readonly incidents: string;
}

/** A monitor that has recorded one case of a log; and how to name its configuration. */
export async function convicting(folder: string): Promise<Convicting> {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const listen = ["--listen", `127.0.0.1:${freePort()}`];
  const config = await makeMonitor(`${folder}/one`, { log, source: dir }, ...listen);
  await fork(dir, `${folder}/other`);
  await grow(dir, 1);
  await grow(`${folder}/other`, 3);
  assertEquals((await run("run", "--config", config, "--once")).code, 0);
  edit(config, JSON.stringify(dir), JSON.stringify(`${folder}/other`));
  assertEquals((await run("run", "--config", config, "--once")).code, 1);
  edit(config, JSON.stringify(`${folder}/other`), JSON.stringify(dir));
  return { config, log, dir, incidents: `${folder}/one/incidents` };
}
