/** Monitors that share a store, and what may be wrong with it. */
import { share, StoreOfTests } from "../sharing.ts";
import { monitor, type Stage, type Staging, startedDaemon, type Way } from "./stage.ts";

/** A monitor that has published its journal in a store; and how a command about it goes. */
export async function sharing(
  stage: Stage,
  name: string,
  change: (store: StoreOfTests) => void = () => {},
): Promise<Way> {
  const store = new StoreOfTests();
  stage.atEnd(() => store[Symbol.dispose]());
  const { config } = await monitor(stage);
  share(config);
  await store.run("store", "migrate", "--config", config);
  await store.run("run", "--once", "--config", config);
  change(store);
  return { args: argsOf(name, config), world: store.world() };
}

function argsOf(name: string, config: string): string[] {
  return name === "config check"
    ? ["config", "check", config]
    : [...name.split(" "), "--config", config];
}

const STORE = ["store migrate", "store check", "store rebuild", "store status"];
const READS = STORE.filter((name) => name !== "store migrate");

function all(names: readonly string[], staging: (name: string) => Staging) {
  return Object.fromEntries(names.map((name) => [name, staging(name)]));
}

/** A daemon that goes on without its store. */
async function alone(stage: Stage): Promise<Way> {
  const { config } = await monitor(stage);
  share(config);
  const { running, http } = await startedDaemon(stage, config);
  await running.line(/ store\.away /);
  return { args: ["status", http] };
}

/** The url of a store at which nobody answers. */
const NO_STORE = "postgres://hearsay@127.0.0.1:2/hearsay?sslmode=disable";

/** By their names in OPERATING. */
export const STORE_TROUBLES: Readonly<Record<string, Readonly<Record<string, Staging>>>> = {
  "no store": all(STORE, (name) => async (stage) => ({
    args: argsOf(name, (await monitor(stage)).config),
  })),
  "store password": all(
    [...STORE, "run", "run --once", "config check"],
    (name) => async (stage) => {
      const { config } = await monitor(stage);
      share(config, { url: NO_STORE, password: `${stage.folder}/none` });
      return { args: argsOf(name, config) };
    },
  ),
  "store unavailable": {
    ...all([...STORE, "run --once", "config check"], (name) => async (stage) => {
      const { config } = await monitor(stage);
      share(config, NO_STORE);
      return { args: argsOf(name, config) };
    }),
    "status": alone,
  },
  "no tables": all(
    [...READS, "run --once", "config check"],
    (name) => async (stage) =>
      await sharing(stage, name, (store) => store.server.look("drop table hearsay_schema")),
  ),
  "store damaged": {
    "store check": async (stage) =>
      await sharing(
        stage,
        "store check",
        (store) => store.server.look("update hearsay_sightings set size = size + 1"),
      ),
  },
};
