/** Files that are sealed, and passphrases for them. */
import { put, run } from "../harness.ts";
import { monitor, type Stage, type Way } from "./stage.ts";

/** The option that names a file with this passphrase. */
export function passphrase(folder: string, words = "open sesame"): string[] {
  return ["--passphrase-file", put(folder, `passphrase ${words}`, `${words}\n`)];
}

/** A file that `seal` has sealed. */
export async function sealedFile(folder: string): Promise<string> {
  const path = put(folder, "what is sealed", "text");
  await run("seal", path, ...passphrase(folder));
  return `${path}.sealed`;
}

/** Seals a file in its place. */
export async function sealInPlace(folder: string, path: string): Promise<void> {
  await run("seal", path, "--out", path, "--overwrite", ...passphrase(folder));
}

/** The same command, but the key that it names is sealed, and it is told this about a passphrase. */
export async function keySealed(
  { args, ...way }: Way,
  { folder }: Stage,
  told: readonly string[],
): Promise<Way> {
  await sealInPlace(folder, args[args.indexOf("--key") + 1]!);
  return { ...way, args: [...args, ...told] };
}

/** A monitor whose key is sealed; its configuration. */
export async function sealedMonitor(stage: Stage): Promise<string> {
  const { config } = await monitor(stage);
  await sealInPlace(stage.folder, `${stage.folder}/one/monitor.key`);
  return config;
}
