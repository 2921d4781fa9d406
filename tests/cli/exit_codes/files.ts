/** Files that are not there, are in the way, or cannot be written. */
import { keyFile, put, run } from "../harness.ts";
import { makeLog } from "../monitors.ts";
import { fullDisk } from "./broken_world.ts";
import {
  CONFIGURED,
  configured,
  each,
  GOSSIPS,
  gossips,
  RECORDS,
  records,
  RUNS,
  type Trouble,
} from "./groups.ts";
import { caseJournal, gathered, NOBODY } from "./stage.ts";
import { passphrase, sealedFile } from "./sealed.ts";
import { weighingFile } from "./weighing.ts";
import { WELL } from "./well.ts";

/** By their names in OPERATING. */
export const FILE_TROUBLES: Readonly<Record<string, Trouble>> = {
  "no such file": {
    ...each(CONFIGURED, (name) => ({ folder }) => ({ args: configured(name, `${folder}/none`) })),
    "verify": ({ folder }) => ({ args: ["verify", `${folder}/none`] }),
    ...weighingFile(({ folder }) => `${folder}/none`),
    ...each(["seal", "open"], (name) => ({ folder }) => ({
      args: [name, `${folder}/none.sealed`, ...passphrase(folder)],
    })),
    ...each(["gather", "detect"], (name) => async (stage) => {
      const { log } = await gathered(stage);
      return { args: [name, "--log", log, `${stage.folder}/none`] };
    }),
    ...each(GOSSIPS, (name) => async (stage) => {
      const { log } = await gathered(stage);
      return { args: gossips(name, { peer: NOBODY, log, have: `${stage.folder}/none` }) };
    }),
    "log append": ({ folder }) => ({ args: ["log", "append", folder] }),
    ...each(["log fork", "log rotate"], (name) => ({ folder }) => ({
      args: [...name.split(" "), folder, `${folder}/other`],
    })),
    "log serve": ({ folder }) => ({ args: ["log", "serve", folder, "--port", "0"] }),
  },
  "not a file": {
    ...each(CONFIGURED, (name) => ({ folder }) => ({ args: configured(name, folder) })),
    "verify": ({ folder }) => ({ args: ["verify", folder] }),
    ...weighingFile(({ folder }) => folder),
    ...each(["seal", "open"], (name) => ({ folder }) => ({
      args: [name, folder, "--out", `${folder}/out`, ...passphrase(folder)],
    })),
    "detect": async (stage) => {
      const { log, one } = await gathered(stage);
      return { args: ["detect", "--log", log, "--key", stage.folder, one] };
    },
    ...each(GOSSIPS, (name) => async (stage) => {
      const { log, one } = await gathered(stage);
      const args = gossips(name, { peer: NOBODY, log, have: one });
      return { args: [...args, "--key", stage.folder] };
    }),
  },
  "in the way": {
    "init": async (stage) => {
      const { args } = await WELL["init"]!(stage);
      await run(...args);
      return { args };
    },
    "keygen": async (stage) => ({
      args: ["keygen", "test.invalid/one", "--out", await keyFile(stage.folder)],
    }),
    ...each(["seal", "open"], (name) => async ({ folder }) => ({
      args: [
        name,
        await sealedFile(folder),
        "--out",
        put(folder, "there", ""),
        ...passphrase(folder),
      ],
    })),
    "gather": async (stage) => {
      const { log, one } = await gathered(stage);
      return { args: ["gather", "--log", log, "--out", one, one] };
    },
    "incidents export": async (stage) => {
      const { args } = await WELL["incidents export"]!(stage);
      return { args: [...args, "--out", put(stage.folder, "there", "")] };
    },
    "log init": async ({ folder }) => ({
      args: [
        "log",
        "init",
        (await makeLog(`${folder}/log`, 5)).dir,
        "--origin",
        "test.invalid/log",
      ],
    }),
    ...each(["log fork", "log rotate"], (name) => async ({ folder }) => {
      const { dir } = await makeLog(`${folder}/log`, 5);
      return { args: [...name.split(" "), dir, dir] };
    }),
  },
  "disk refuses": {
    ...each(
      [
        ...["demo", "init", "keygen", "seal", "open", ...RUNS, "journal repair"],
        ...["log init", "log append", "log fork", "log rotate"],
      ],
      (name) => async (stage) => ({
        ...await WELL[name]!(stage),
        world: fullDisk(stage),
      }),
    ),
    ...each(["gather", "incidents export"], (name) => async (stage) => {
      const { args } = await WELL[name]!(stage);
      return { args: [...args, "--out", `${stage.folder}/out`], world: fullDisk(stage) };
    }),
    ...each(RECORDS, (name) => async (stage) => ({
      ...await records(stage, name, `${stage.folder}/incidents`),
      world: fullDisk(stage),
    })),
    ...each(["peers add", "peers remove"], (name) => async (stage) => ({
      ...await WELL[name]!(stage),
      world: fullDisk(stage),
    })),
  },
  // The journal is there, so only the case itself meets the full disk.
  "case not written": each(RECORDS, (name) => async (stage) => ({
    ...await records(stage, name, await caseJournal(stage)),
    world: fullDisk(stage),
  })),
};
