/** Sealed files and keys that do not open. */
import { configured, each, PEERS, RECORDS, records, RUNS, runs, type Trouble } from "./groups.ts";
import { keySealed, passphrase, sealedFile, sealedMonitor } from "./sealed.ts";
import type { Stage } from "./stage.ts";
import { WELL } from "./well.ts";

/** Every command that loads a key, with a sealed one, told this about its passphrase. */
function keysSealed(told: (stage: Stage) => readonly string[]): Trouble {
  return {
    ...each(RUNS, (name) => async (stage) => {
      const { args, ...way } = runs(name, await sealedMonitor(stage));
      return { ...way, args: [...args, ...told(stage)] };
    }),
    "config check": async (stage) => ({
      args: ["config", "check", await sealedMonitor(stage), ...told(stage)],
    }),
    ...each(PEERS, (name) => async (stage) => ({
      args: [...configured(name, await sealedMonitor(stage)), ...told(stage)],
    })),
    "journal repair": async (stage) =>
      await keySealed(await WELL["journal repair"]!(stage), stage, told(stage)),
    ...each(RECORDS, (name) => async (stage) => {
      const way = await records(stage, name, `${stage.folder}/incidents`);
      return await keySealed(way, stage, told(stage));
    }),
  };
}

const wrong = ({ folder }: Stage): string[] => passphrase(folder, "open barley");

/** By their names in OPERATING. */
export const SEALING_TROUBLES: Readonly<Record<string, Trouble>> = {
  "wrong passphrase": {
    ...keysSealed(wrong),
    "open": async (stage) => ({
      args: [
        "open",
        await sealedFile(stage.folder),
        "--out",
        `${stage.folder}/out`,
        ...wrong(stage),
      ],
    }),
  },
  "no passphrase": {
    // Nobody sits before a test.
    ...keysSealed(() => []),
    "seal": async (stage) => ({ args: (await WELL["seal"]!(stage)).args.slice(0, 2) }),
    "open": async (stage) => ({ args: (await WELL["open"]!(stage)).args.slice(0, 4) }),
    "keygen": async (stage) => ({ args: [...(await WELL["keygen"]!(stage)).args, "--seal"] }),
  },
  "sealed file of no use": {
    "open": async (stage) => {
      const path = await sealedFile(stage.folder);
      Deno.truncateSync(path, Deno.statSync(path).size - 1);
      return { args: ["open", path, "--out", `${stage.folder}/out`, ...passphrase(stage.folder)] };
    },
  },
};
