/** Every command as it goes when all is well: what the walk over the exit codes starts from. */
import { keyFile, put, run } from "../harness.ts";
import { passphrase, sealedFile } from "./sealed.ts";
import { edit, makeLog } from "../monitors.ts";
import {
  caseJournal,
  daemonOf,
  damage,
  freezing,
  gathered,
  listening,
  MEMBER,
  monitor,
  observed,
  PERSON,
  SAMPLE,
  type Stage,
  type Staging,
  withMember,
} from "./stage.ts";
import { sharing } from "./sharing.ts";
import { WEIGHING_WELL } from "./weighing.ts";

/** Reads the one case of a journal. */
function readsCases(...args: readonly string[]): Staging {
  return async (stage) => ({
    args: ["incidents", ...args, "--incidents", await caseJournal(stage)],
  });
}

function readsObservations(what: string): Staging {
  return async (stage) => ({ args: ["observations", what, "--state", await observed(stage)] });
}

/** A step of the one incident of a monitor, or what is written of it, up to where it can be done. */
function ofIncident(name: string): Staging {
  return async (stage) => {
    const { config, incident, incidents } = await freezing(stage);
    const out = ["--out", `${stage.folder}/out`];
    const [first] = Deno.readTextFileSync(`${incidents}/journal.jsonl`).split("\n");
    const alert = put(stage.folder, "alert", JSON.stringify(JSON.parse(first!).record));
    if (name === "resolve") {
      const way = ["incidents", "advance", incident, ...PERSON, "--offline", ...out];
      await run(...way, "--config", config);
    }
    const args = {
      run: [alert, ...PERSON],
      advance: [incident, ...PERSON, "--offline", ...out],
      resolve: [incident, ...PERSON],
      bundle: [incident, "--offline", ...out],
      report: [incident],
    }[name]!;
    return { args: ["incidents", name, ...args, "--config", config] };
  };
}

/** An event that makes no alert. */
const EVENT = JSON.stringify({
  "@timestamp": "2026-01-01T00:00:00Z",
  ...{ level: "INFO", event: "daemon.started", name: "monitor.invalid/one", logs: 1, peers: 0 },
});

/** Has a trial alert sent to a program. */
export async function alerting(stage: Stage, command: readonly string[]): Promise<string[]> {
  const { config } = await monitor(stage);
  const alerts = { channels: [{ name: "pager", command }] };
  edit(config, '"logs"', `"alerts": ${JSON.stringify(alerts)},\n  "logs"`);
  return ["alert", "test", "--config", config];
}

/** How each command goes when all is well. A new command has its line here. */
export const WELL: Readonly<Record<string, Staging>> = {
  "demo": (stage) => ({
    args: ["demo"],
    // It leaves its folder for people to look into.
    during: async (running) => {
      const { out } = await running.done;
      const [folder] = /\S+hearsay-demo-[^/]+/.exec(out.join("\n")) ?? [];
      if (folder !== undefined) stage.atEnd(() => Deno.removeSync(folder, { recursive: true }));
    },
  }),
  "init": async ({ folder }) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const what = ["--name", "monitor.invalid/one", "--log", log, "--source", dir];
    return { args: ["init", "--dir", `${folder}/one`, ...what] };
  },
  "alert eval": ({ folder }) => ({ args: ["alert", "eval", put(folder, "event", EVENT)] }),
  "alert test": async (stage) => ({ args: await alerting(stage, ["sh", "-c", "cat >/dev/null"]) }),
  "config check": async (stage) => ({
    args: ["config", "check", (await monitor(stage)).config],
  }),
  "run": async (stage) => ({
    args: ["run", "--config", (await monitor(stage)).config],
    during: (running) => running.line(/ log\.first /),
  }),
  "run --once": async (stage) => ({
    args: ["run", "--once", "--config", (await monitor(stage)).config],
  }),
  "status": async (stage) => ({
    args: ["status", await daemonOf(stage, (await monitor(stage)).config)],
  }),
  "peers": async (stage) => {
    const config = await withMember(stage);
    await daemonOf(stage, config);
    return { args: ["peers", "--config", config] };
  },
  "peers add": async (stage) => {
    const { config } = await monitor(stage);
    return { args: ["peers", "add", MEMBER, "--config", config] };
  },
  "peers remove": async (stage) => ({
    args: ["peers", "remove", MEMBER, "--config", await withMember(stage)],
  }),
  "peers ban": async (stage) => {
    const config = await withMember(stage);
    await daemonOf(stage, config);
    return { args: ["peers", "ban", MEMBER, "--config", config] };
  },
  "peers unban": async (stage) => {
    const config = await withMember(stage);
    await daemonOf(stage, config);
    return { args: ["peers", "unban", MEMBER, "--config", config] };
  },
  "keygen": ({ folder }) => ({ args: ["keygen", "test.invalid/one", "--out", `${folder}/key`] }),
  "seal": ({ folder }) => ({ args: ["seal", put(folder, "file", "text"), ...passphrase(folder)] }),
  "open": async ({ folder }) => ({
    args: ["open", await sealedFile(folder), "--out", `${folder}/opened`, ...passphrase(folder)],
  }),
  "listen": async (stage) => {
    const { log, one } = await gathered(stage);
    return {
      args: ["listen", "--address", "127.0.0.1:0", "--log", log, "--have", one],
      during: (running) => running.line(/^listening on /),
    };
  },
  "exchange": async (stage) => {
    const { log, one } = await gathered(stage);
    const args = ["exchange", await listening(stage, log, one), "--log", log, "--have", one];
    return { args };
  },
  "gather": async (stage) => {
    const { log, one } = await gathered(stage);
    return { args: ["gather", "--log", log, one] };
  },
  "ask": async (stage) => {
    const { log, one } = await gathered(stage);
    return { args: ["ask", await listening(stage, log, one), "--log", log, one] };
  },
  "detect": async (stage) => {
    const { log, one } = await gathered(stage);
    return { args: ["detect", "--log", log, one] };
  },
  "verify": () => ({ args: ["verify", SAMPLE] }),
  ...WEIGHING_WELL,
  "incidents list": readsCases("list"),
  "incidents show": readsCases("show", "1"),
  "incidents export": readsCases("export", "1"),
  "incidents check": readsCases("check"),
  ...Object.fromEntries(
    ["run", "advance", "resolve", "bundle", "report"]
      .map((name) => [`incidents ${name}`, ofIncident(name)]),
  ),
  "observations list": readsObservations("list"),
  "observations check": readsObservations("check"),
  "journal repair": async (stage) => {
    const incidents = await caseJournal(stage);
    damage(`${incidents}/journal.jsonl`);
    return { args: ["journal", "repair", incidents, "--key", await keyFile(stage.folder)] };
  },
  "store migrate": async (stage) => await sharing(stage, "store migrate"),
  "store check": async (stage) => await sharing(stage, "store check"),
  "store rebuild": async (stage) => await sharing(stage, "store rebuild"),
  "store status": async (stage) => await sharing(stage, "store status"),
  "completions": () => ({ args: ["completions", "bash"] }),
  "man": () => ({ args: ["man", "run"] }),
  "log init": ({ folder }) => ({
    args: ["log", "init", `${folder}/log`, "--origin", "test.invalid/log"],
  }),
  "log append": async ({ folder }) => ({
    args: ["log", "append", (await makeLog(`${folder}/log`, 5)).dir],
  }),
  "log fork": async ({ folder }) => ({
    args: ["log", "fork", (await makeLog(`${folder}/log`, 5)).dir, `${folder}/other`],
  }),
  "log rotate": async ({ folder }) => ({
    args: ["log", "rotate", (await makeLog(`${folder}/log`, 5)).dir, `${folder}/other`],
  }),
  "log serve": async ({ folder }) => ({
    args: ["log", "serve", (await makeLog(`${folder}/log`, 5)).dir, "--port", "0"],
    during: (running) => running.line(/^serving /),
  }),
};
